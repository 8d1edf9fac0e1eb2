package forwarder

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Bind says on which of the host's addresses a forward listens: a set.
type Bind uint8

// Addresses of the host, by who reaches them.
const (
	Loopback Bind = 1 << iota // 127.0.0.1 and ::1
	LAN                       // private addresses (RFC 1918, fc00::/7)
	Tailnet                   // Tailscale's addresses
	Any                       // every address, public ones and container bridges too

	// Home is the default: whom the owner can be expected to trust. Neither
	// public addresses nor those of container bridges are in it.
	Home = Loopback | LAN | Tailnet
)

// bindNames are in the order in which String writes them.
var bindNames = [...]struct {
	bind Bind
	name string
}{{Loopback, "loopback"}, {LAN, "lan"}, {Tailnet, "tailnet"}, {Any, "any"}}

// ParseBind reads names with commas between them, e.g. "loopback,tailnet";
// "" is Home.
func ParseBind(text string) (Bind, error) {
	if text == "" {
		return Home, nil
	}
	var bind Bind
	for name := range strings.SplitSeq(text, ",") {
		at := slices.IndexFunc(bindNames[:], func(n struct {
			bind Bind
			name string
		}) bool {
			return n.name == strings.TrimSpace(name)
		})
		if at < 0 {
			return 0, fmt.Errorf("%q is none of loopback, lan, tailnet, any", name)
		}
		bind |= bindNames[at].bind
	}
	return bind, nil
}

// String writes what ParseBind reads.
func (b Bind) String() string {
	var names []string
	for _, n := range bindNames {
		if b&n.bind != 0 {
			names = append(names, n.name)
		}
	}
	return strings.Join(names, ",")
}

var (
	tailnet4 = netip.MustParsePrefix("100.64.0.0/10")
	tailnet6 = netip.MustParsePrefix("fd7a:115c:a1e0::/48")
)

// Reach says who can reach an address of this host.
func (a hostAddr) reach() Bind {
	switch {
	case a.addr.IsLoopback():
		return Loopback
	case a.containers:
		return Any
	case tailnet6.Contains(a.addr):
		return Tailnet
	case tailnet4.Contains(a.addr):
		// Providers hand out the same range behind carrier-grade NAT, where it
		// is as good as public; Tailscale's is on a tun device.
		if a.tun {
			return Tailnet
		}
		return Any
	case a.addr.IsPrivate():
		return LAN
	}
	return Any
}

// addresses picks where a policy listens. Any is one wildcard socket for both
// families, so that addresses which come later are served as well.
func (s Spec) addresses(host []hostAddr) []netip.Addr {
	if s.UDP && s.Bind&Any != 0 {
		return (Home | Any).each(host) // an answer leaves from the address that was asked
	}
	return s.Bind.addresses(host)
}

func (b Bind) addresses(host []hostAddr) []netip.Addr {
	if b&Any != 0 {
		return []netip.Addr{wildcard(host)}
	}
	return b.each(host)
}

func (b Bind) each(host []hostAddr) []netip.Addr {
	var picked []netip.Addr
	for _, a := range host {
		if loopbackOf(a.addr) && a.reach()&b != 0 {
			picked = append(picked, a.addr)
		}
	}
	slices.SortFunc(picked, netip.Addr.Compare)
	return slices.Compact(picked)
}

// loopbackOf leaves out loopback addresses that nobody asks for, such as
// 127.0.1.1 or an address that an administrator put on lo.
func loopbackOf(addr netip.Addr) bool {
	return !addr.IsLoopback() || addr == netip.IPv6Loopback() || addr == netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

func wildcard(host []hostAddr) netip.Addr {
	for _, a := range host {
		if a.addr.Is6() {
			return netip.IPv6Unspecified()
		}
	}
	return netip.IPv4Unspecified() // a host without IPv6 has no socket for it
}
