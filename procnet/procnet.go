// Package procnet tells which program of this host listens on a port, from
// /proc/net and /proc/*/fd. It owns that reading and nothing else: it opens
// no socket, stops no program and keeps no state.
package procnet

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Process is a program that listens on a port. Without root only the caller's
// own programs can be looked into; of another user's program UID alone is
// known.
type Process struct {
	PID     int    // process id; 0 when it could not be found out
	UID     int    // numeric user who owns the socket, as /proc/net says
	Name    string // short name as in /proc/PID/comm, e.g. "nginx"; "" when not known
	Command string // the first words of its command line, e.g. "python3 -m http.server"; "" when not known
}

// Known says whether the program behind the port could be found out.
func (p Process) Known() bool { return p.PID != 0 }

// String names the program for a log line, e.g. `nginx (pid 812)`.
func (p Process) String() string {
	if !p.Known() {
		return "unknown program of user " + strconv.Itoa(p.UID)
	}
	return p.Name + " (pid " + strconv.Itoa(p.PID) + ")"
}

// Holder returns the program that listens on a TCP port of this host, on any
// of its addresses. The bool is false when nothing listens there. A listener
// whose program is hidden from us gives a Process that is not Known.
func Holder(port int) (Process, bool) {
	return holder("/proc", port, listening, "net/tcp", "net/tcp6")
}

// HolderUDP is Holder for a bound UDP port.
func HolderUDP(port int) (Process, bool) {
	return holder("/proc", port, unconnected, "net/udp", "net/udp6")
}

// States of a socket in /proc/net, from include/net/tcp_states.h: TCP_LISTEN,
// and TCP_CLOSE, which is what an unconnected UDP socket shows.
const (
	listening   = "0A"
	unconnected = "07"
)

// socket is a line of /proc/net/tcp that is of interest.
type socket struct {
	inode string
	uid   int
}

func holder(proc string, port int, state string, tables ...string) (Process, bool) {
	var found []socket
	for _, table := range tables {
		file, err := os.Open(filepath.Join(proc, table))
		if err != nil {
			continue // no IPv6 in this kernel
		}
		found = append(found, sockets(file, port, state)...)
		_ = file.Close()
	}
	if len(found) == 0 {
		return Process{}, false
	}
	for _, s := range found {
		if pid, ok := owner(proc, s.inode); ok {
			return describe(proc, pid, s.uid), true
		}
	}
	return Process{UID: found[0].uid}, true
}

// sockets reads the lines of one table that are in the state and on the port.
// Columns (proc_net_tcp.rst of the kernel): sl local_address rem_address st
// queues timer retransmits uid timeout inode.
func sockets(table io.Reader, port int, state string) []socket {
	var found []socket
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || fields[3] != state {
			continue
		}
		_, hex, _ := strings.Cut(fields[1], ":")
		number, err := strconv.ParseUint(hex, 16, 16)
		if err != nil || int(number) != port {
			continue
		}
		uid, _ := strconv.Atoi(fields[7])
		found = append(found, socket{inode: fields[9], uid: uid})
	}
	return found
}

// owner looks for the process that has the socket open. Of several (a parent
// and its forked workers) it is the one with the lowest number, mostly the
// parent.
func owner(proc, inode string) (int, bool) {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return 0, false
	}
	lowest := 0
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || (lowest != 0 && pid > lowest) {
			continue
		}
		if has(filepath.Join(proc, entry.Name(), "fd"), "socket:["+inode+"]") {
			lowest = pid
		}
	}
	return lowest, lowest != 0
}

func has(folder, link string) bool {
	descriptors, err := os.ReadDir(folder)
	if err != nil {
		return false // another user's process, or one that has just ended
	}
	for _, descriptor := range descriptors {
		if target, err := os.Readlink(filepath.Join(folder, descriptor.Name())); err == nil && target == link {
			return true
		}
	}
	return false
}

func describe(proc string, pid, uid int) Process {
	folder := filepath.Join(proc, strconv.Itoa(pid))
	name, _ := os.ReadFile(filepath.Join(folder, "comm"))
	line, _ := os.ReadFile(filepath.Join(folder, "cmdline"))
	return Process{
		PID:     pid,
		UID:     uid,
		Name:    strings.TrimSpace(string(name)),
		Command: command(string(line)),
	}
}

// command shortens a command line to what names the program: three words, 80
// bytes at most. Other people's command lines hold passwords, and what this
// returns is shown in a chat room, so it ends before a word that looks like
// one.
func command(cmdline string) string {
	words := strings.Split(strings.TrimRight(cmdline, "\x00"), "\x00")
	var kept []string
	for _, word := range words[:min(3, len(words))] {
		if len(kept) > 0 && secretive(word) {
			break
		}
		kept = append(kept, word)
	}
	text := strings.Join(kept, " ")
	return strings.ToValidUTF8(text[:min(80, len(text))], "")
}

func secretive(word string) bool {
	lower := strings.ToLower(word)
	if strings.HasPrefix(lower, "-p") {
		return true // mysql -pSECRET
	}
	for _, hint := range []string{"pass", "token", "secret", "key", "auth", "=", "@"} {
		if strings.Contains(lower, hint) {
			return true
		}
	}
	return false
}
