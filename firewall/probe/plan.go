package probe

import (
	"net/netip"
	"slices"

	"github.com/githabideri/fraktalia/firewall"
)

// Scene is the neighbourhood of a sandbox.
type Scene struct {
	Policy  firewall.Policy
	Machine firewall.Machine
	// Gateways are this machine's addresses on the sandboxes' network.
	Gateways []netip.Addr
	// Siblings are on the same network, Others on another one of the engine's.
	Siblings, Others []netip.Addr
	// Internet is what stands for it.
	Internet []netip.AddrPort
}

// Plan is everything to be tried, with what is expected: in both families, by
// TCP and UDP.
func (s Scene) Plan() []Expectation {
	p := plan{scene: s, taken: map[netip.Addr]bool{}}
	p.closed("the probe's own gateway, this machine", true, s.Gateways...)
	p.closed("this machine", true, s.Machine.Own...)
	p.closed("the LAN's router", false, routable(s.Machine.Gateways)...)
	for _, addr := range s.Siblings {
		for _, protocol := range []string{"tcp", "udp"} {
			p.list = append(p.list, Expectation{Target{"another sandbox", protocol, netip.AddrPortFrom(addr, Port)}, Closed, true})
		}
	}
	p.closed("another container", false, s.Others...)
	for _, network := range s.Machine.Networks {
		p.closed("the network "+network.String(), false, s.neighbour(network)...)
	}
	p.closed("the cloud's metadata", false, addrs("169.254.169.254", "fd00:ec2::254")...)
	p.closed("the tailnet", false, addrs("100.100.100.100", "fd7a:115c:a1e0::53")...)
	p.openings()
	for _, to := range s.Internet {
		p.list = append(p.list, Expectation{Target: Target{"the internet", "tcp", to}, Want: Control}, Expectation{Target: Target{"the internet", "udp", to}, Want: Allowed})
	}
	// That the one who tries can connect at all.
	p.list = append(p.list, Expectation{Target: Itself(), Want: Control})
	return p.list
}

// Itself is the probe's own listener, by loopback.
func Itself() Target {
	return Target{"the probe itself", "tcp", netip.MustParseAddrPort("127.0.0.1:4243")}
}

type plan struct {
	scene Scene
	taken map[netip.Addr]bool
	list  []Expectation
}

// closed adds addresses that must not be reached; own says that they are this
// machine's.
func (p *plan) closed(name string, own bool, list ...netip.Addr) {
	for _, addr := range list {
		if p.taken[addr] {
			continue
		}
		p.taken[addr] = true
		for _, protocol := range []string{"tcp", "udp"} {
			if port, ok := p.closedPort(protocol, addr, own); ok {
				p.list = append(p.list, Expectation{Target{name, protocol, netip.AddrPortFrom(addr, port)}, Closed, false})
			}
		}
	}
}

// closedPort is one that no opening covers.
func (p *plan) closedPort(protocol string, addr netip.Addr, own bool) (uint16, bool) {
	for _, port := range []uint16{80, 22, 443, Port} {
		if !p.scene.Policy.Lets(protocol, netip.AddrPortFrom(addr, port), own) {
			return port, true
		}
	}
	return 0, false
}

// openings adds what the owner has allowed, where it is one address.
func (p *plan) openings() {
	for _, o := range p.scene.Policy.All() {
		if !o.Prefix.IsSingleIP() {
			continue
		}
		name := "allowed by you"
		if o.First == 53 && slices.Contains(p.scene.Policy.Resolvers, o.Prefix.Addr()) {
			name = "the name server"
		}
		p.list = append(p.list, Expectation{Target: Target{name, o.Protocol, netip.AddrPortFrom(o.Prefix.Addr(), o.First)}, Want: Allowed})
	}
}

// neighbour is an address in a network that this machine is on, which is not
// its own; none where there is no other.
func (s Scene) neighbour(network netip.Prefix) []netip.Addr {
	if network.IsSingleIP() {
		return nil
	}
	for addr := network.Addr().Next(); network.Contains(addr); addr = addr.Next() {
		if !slices.Contains(s.Machine.Own, addr) {
			return []netip.Addr{addr}
		}
	}
	return nil
}

// routable leaves out the addresses that mean nothing on another link.
func routable(list []netip.Addr) []netip.Addr {
	return slices.DeleteFunc(slices.Clone(list), netip.Addr.IsLinkLocalUnicast)
}

func addrs(texts ...string) (list []netip.Addr) {
	for _, text := range texts {
		list = append(list, netip.MustParseAddr(text))
	}
	return list
}
