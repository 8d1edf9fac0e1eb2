package forwarder

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

// hostAddr is an address of this host and what it says about who is behind it.
type hostAddr struct {
	addr       netip.Addr
	prefix     netip.Prefix // the network that is reached through it
	containers bool         // on a bridge that only containers are on
	tun        bool         // on a tun device (Tailscale's is one)
}

// link is a network interface as the kernel describes it.
type link struct {
	name   string
	kind   string // "bridge", "veth", "tun", "vlan", ...; "" for hardware
	master int    // index of the bridge that it is a port of; 0 for none
}

// hostAddrs reads this host's addresses from the kernel.
func hostAddrs() ([]hostAddr, error) {
	links, err := readLinks()
	if err != nil {
		return nil, err
	}
	return addrsOn(links)
}

// lookAtHost is hostAddrs, and bars the containers that there are now.
func (f *Forwarder) lookAtHost() ([]hostAddr, error) {
	links, err := readLinks()
	if err != nil {
		return nil, err
	}
	host, err := addrsOn(links)
	if err != nil {
		return nil, err
	}
	f.bars.Store(barsOf(host, links))
	return host, nil
}

func addrsOn(links map[int]link) ([]hostAddr, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("read network interfaces: %w", err)
	}
	var host []hostAddr
	for _, i := range interfaces {
		addrs, err := i.Addrs()
		if err != nil {
			// Not that it has just gone, which gives none: a part of the truth
			// would close the listeners on the rest.
			return nil, fmt.Errorf("read addresses of %s: %w", i.Name, err)
		}
		for _, a := range addrs {
			prefix, err := netip.ParsePrefix(a.String())
			if err != nil || prefix.Addr().IsLinkLocalUnicast() {
				continue // link-local ones need a zone, which no browser takes
			}
			host = append(host, hostAddr{addr: prefix.Addr(), prefix: prefix.Masked(),
				containers: containerBridge(i.Index, links), tun: links[i.Index].kind == "tun"})
		}
	}
	return host, nil
}

// bars are the networks of containers: from these nobody is served, because a
// sandbox must not reach another one through the host.
type bars struct {
	networks []netip.Prefix
	links    []int // the interfaces that lead to them
}

func barsOf(host []hostAddr, links map[int]link) *bars {
	b := &bars{}
	for _, a := range host {
		if a.containers {
			b.networks = append(b.networks, a.prefix)
		}
	}
	for index := range links {
		if containerBridge(index, links) { // also one without an address in host
			b.links = append(b.links, index)
		}
	}
	return b
}

// bar says whether a client is a container. A link-local address is in no
// network of a bridge, and every link has the same; its zone is the bridge.
func (b *bars) bar(client *sender) bool {
	addr := addrOf(client)
	if addr.Is6() && addr.IsLinkLocalUnicast() {
		return slices.Contains(b.links, int(client.Scope_id))
	}
	return b.has(addr)
}

// has says whether an address is a container's.
func (b *bars) has(addr netip.Addr) bool {
	return slices.ContainsFunc(b.networks, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// engineBridge matches the names that Docker gives to its bridges.
var engineBridge = regexp.MustCompile(`^(docker0|br-[0-9a-f]{12})$`)

// containerBridge says whether an interface is a bridge that serves containers
// only: Docker's by name, any other whose ports are all veth pairs. A bridge
// with a real card among its ports is the LAN.
func containerBridge(index int, links map[int]link) bool {
	if links[index].kind != "bridge" {
		return false
	}
	if engineBridge.MatchString(links[index].name) {
		return true
	}
	for _, port := range links {
		if port.master == index && port.kind != "veth" {
			return false
		}
	}
	return true
}

const (
	attrMaster   = 10 // IFLA_MASTER, linux/if_link.h
	attrLinkInfo = 18 // IFLA_LINKINFO
	attrKind     = 1  // IFLA_INFO_KIND, inside it
)

// readLinks asks the kernel (rtnetlink) for all interfaces by index.
func readLinks() (map[int]link, error) {
	answer, err := syscall.NetlinkRIB(syscall.RTM_GETLINK, syscall.AF_UNSPEC)
	if err != nil {
		return nil, fmt.Errorf("read network interfaces: %w", err)
	}
	messages, err := syscall.ParseNetlinkMessage(answer)
	if err != nil {
		return nil, fmt.Errorf("read network interfaces: %w", err)
	}
	links := map[int]link{}
	for _, m := range messages {
		if m.Header.Type != syscall.RTM_NEWLINK || len(m.Data) < syscall.SizeofIfInfomsg {
			continue
		}
		attrs, err := syscall.ParseNetlinkRouteAttr(&m)
		if err != nil {
			return nil, fmt.Errorf("read network interfaces: %w", err)
		}
		index := int(int32(binary.NativeEndian.Uint32(m.Data[4:])))
		links[index] = linkOf(attrs)
	}
	return links, nil
}

func linkOf(attrs []syscall.NetlinkRouteAttr) link {
	var l link
	for _, attr := range attrs {
		switch attr.Attr.Type {
		case syscall.IFLA_IFNAME:
			l.name = cString(attr.Value)
		case attrMaster:
			l.master = int(binary.NativeEndian.Uint32(attr.Value))
		case attrLinkInfo:
			l.kind = kindIn(attr.Value)
		}
	}
	return l
}

// kindIn finds the kind among nested attributes: each a length and a type of
// two bytes, the value, and padding to four.
func kindIn(nested []byte) string {
	for len(nested) >= 4 {
		size, kind := int(binary.NativeEndian.Uint16(nested)), binary.NativeEndian.Uint16(nested[2:])
		if size < 4 || size > len(nested) {
			return ""
		}
		if kind == attrKind {
			return cString(nested[4:size])
		}
		nested = nested[min((size+3)&^3, len(nested)):]
	}
	return ""
}

func cString(value []byte) string {
	text, _, _ := strings.Cut(string(value), "\x00")
	return text
}
