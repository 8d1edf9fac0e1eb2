package procnet

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Listener is a socket that takes connections, and whose it is.
type Listener struct {
	Addr    netip.AddrPort
	Process Process // not Known where it may not be looked into
}

// Inside lists what takes TCP connections in the network namespace of a
// process, for example of a container's first one, sorted by port. Which
// programs these are is seen of those that the caller may look into.
func Inside(pid int) ([]Listener, error) { return inside("/proc", pid) }

// Ports is Inside without the programs, at a tenth of its cost.
func Ports(pid int) ([]netip.AddrPort, error) { return ports("/proc", pid, listening, "tcp") }

// PortsUDP lists where sockets are bound for datagrams of anybody.
func PortsUDP(pid int) ([]netip.AddrPort, error) { return ports("/proc", pid, unconnected, "udp") }

func ports(proc string, pid int, state, protocol string) (addrs []netip.AddrPort, err error) {
	found, _, err := tables(proc, pid, state, protocol)
	for _, l := range found {
		addrs = append(addrs, l.Addr)
	}
	return addrs, err
}

func inside(proc string, pid int) ([]Listener, error) {
	found, inodes, err := tables(proc, pid, listening, "tcp")
	if err != nil {
		return nil, err
	}
	namespace, err := os.Readlink(filepath.Join(proc, strconv.Itoa(pid), "ns/net"))
	if err == nil && len(found) > 0 {
		name(proc, namespace, inodes, found)
	}
	return sorted(found), nil
}

// tables reads the sockets of a protocol ("tcp" or "udp") that are in a state,
// in the namespace of a process; inodes lead to places in found.
func tables(proc string, pid int, state, protocol string) (found []Listener, inodes map[string][]int, err error) {
	folder := filepath.Join(proc, strconv.Itoa(pid))
	inodes = map[string][]int{}
	for _, table := range []string{"net/" + protocol, "net/" + protocol + "6"} {
		file, err := os.Open(filepath.Join(folder, table))
		if errors.Is(err, os.ErrNotExist) && strings.HasSuffix(table, "6") {
			continue // no IPv6 there
		}
		if err != nil {
			return nil, nil, fmt.Errorf("read what listens beside process %d: %w", pid, err)
		}
		for _, s := range listeners(file, state) {
			inodes[s.inode] = append(inodes[s.inode], len(found))
			found = append(found, Listener{Addr: s.addr, Process: Process{UID: s.uid}})
		}
		_ = file.Close()
	}
	return found, inodes, nil
}

// listeningSocket is a line of /proc/net/tcp in the state LISTEN.
type listeningSocket struct {
	socket
	addr netip.AddrPort
}

// listeners reads the lines of one table that are in a state.
func listeners(table io.Reader, state string) (found []listeningSocket) {
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || fields[3] != state {
			continue
		}
		addr, ok := tableAddr(fields[1])
		if !ok || addr.Addr() == engineResolver {
			continue
		}
		uid, _ := strconv.Atoi(fields[7])
		found = append(found, listeningSocket{socket{inode: fields[9], uid: uid}, addr})
	}
	return found
}

// engineResolver is where Docker answers DNS in containers on user networks:
// its own socket, and nobody's service.
var engineResolver = netip.AddrFrom4([4]byte{127, 0, 0, 11})

// tableAddr reads "0100007F:1F90": words of four bytes in the byte order of
// the machine, which is little-endian on all that this runs on.
func tableAddr(text string) (netip.AddrPort, bool) {
	address, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(address)
	number, errPort := strconv.ParseUint(port, 16, 16)
	if err != nil || errPort != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for word := range slices.Chunk(raw, 4) {
		slices.Reverse(word)
	}
	addr, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(addr.Unmap(), uint16(number)), ok
}

// name finds the programs of a namespace that hold the sockets.
func name(proc, namespace string, inodes map[string][]int, found []Listener) {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if in, err := os.Readlink(filepath.Join(proc, entry.Name(), "ns/net")); err != nil || in != namespace {
			continue
		}
		for _, inode := range socketsOf(filepath.Join(proc, entry.Name(), "fd")) {
			for _, at := range inodes[inode] {
				if known := found[at].Process; !known.Known() || pid < known.PID { // the parent of forked workers, mostly
					found[at].Process = describe(proc, pid, known.UID)
				}
			}
		}
	}
}

// socketsOf lists the inodes of the sockets that a process has open.
func socketsOf(folder string) (inodes []string) {
	descriptors, err := os.ReadDir(folder)
	if err != nil {
		return nil // another user's process, or one that has just ended
	}
	for _, descriptor := range descriptors {
		target, err := os.Readlink(filepath.Join(folder, descriptor.Name()))
		if inode, ok := strings.CutPrefix(target, "socket:["); err == nil && ok {
			inodes = append(inodes, strings.TrimSuffix(inode, "]"))
		}
	}
	return inodes
}

func sorted(list []Listener) []Listener {
	slices.SortFunc(list, func(a, b Listener) int {
		if a.Addr.Port() != b.Addr.Port() {
			return int(a.Addr.Port()) - int(b.Addr.Port())
		}
		return a.Addr.Compare(b.Addr)
	})
	return slices.Compact(list)
}

// Script prints, run by /bin/sh inside a container, what Told reads: for the
// case that the container's processes are not this machine's to look into.
const Script = `cat /proc/net/tcp /proc/net/tcp6 2>/dev/null
for d in /proc/[0-9]*; do
echo "process ${d#/proc/} $(cat $d/comm 2>/dev/null)"
ls -l $d/fd 2>/dev/null
done`

// Told reads what Script printed. It is the container's word: no more than
// what it says of itself.
func Told(output string) []Listener {
	var found []Listener
	at := map[string][]int{}
	tables, processes, _ := strings.Cut(output, "\nprocess ")
	for _, s := range listeners(strings.NewReader(tables), listening) {
		at[s.inode] = append(at[s.inode], len(found))
		found = append(found, Listener{Addr: s.addr, Process: Process{UID: s.uid}})
	}
	for _, text := range strings.Split(processes, "\nprocess ") {
		head, links, _ := strings.Cut(text, "\n")
		number, comm, _ := strings.Cut(head, " ")
		pid, err := strconv.Atoi(number)
		if err != nil {
			continue
		}
		for _, link := range strings.Split(links, "\n") {
			_, target, _ := strings.Cut(link, "socket:[")
			for _, i := range at[strings.TrimSuffix(target, "]")] {
				if known := found[i].Process; !known.Known() || pid < known.PID {
					found[i].Process = Process{PID: pid, UID: known.UID, Name: strings.TrimSpace(comm)}
				}
			}
		}
	}
	return sorted(found)
}
