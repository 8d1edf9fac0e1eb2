// Package firewall keeps sandboxes off everything but the internet: it makes
// the rules for the bridge of the sandboxes' network, puts them into the kernel
// as one whole, and tells whether they still stand.
//
// The rules are made by pure functions (Policy); a Backend puts them in. The
// package owns the table "inet fraktalia", or the chains FRAKTALIA-*, and
// touches nothing else of the machine's firewall. It makes no network and
// proves nothing: what gets through is for firewall/probe to find out.
package firewall

import (
	"net/netip"
	"slices"
	"strconv"
)

// Bridge is the interface of the sandboxes' network on this machine. It has a
// fixed name, so that rules can stand before there is a network.
const Bridge = "fraktalia0"

// Policy says what a sandbox may reach beside the internet.
type Policy struct {
	// Bridge is the interface that the rules are about.
	Bridge string
	// Openings are what the owner lets sandboxes reach.
	Openings []Opening
	// Resolvers may be asked on port 53.
	Resolvers []netip.Addr
	// Local are the networks that this machine is on. Those with private
	// addresses are closed anyway; a home's IPv6 addresses are public ones.
	Local []netip.Prefix
}

// Opening is a hole: some addresses, some ports, one protocol.
type Opening struct {
	Prefix      netip.Prefix
	First, Last uint16
	Protocol    string // "tcp" or "udp"
}

func (o Opening) String() string {
	at := o.Prefix.String()
	if o.Prefix.IsSingleIP() {
		at = o.Prefix.Addr().String()
	}
	if o.Prefix.Addr().Is6() {
		at = "[" + at + "]"
	}
	return at + ":" + o.ports() + "/" + o.Protocol
}

func (o Opening) ports() string {
	if o.First == o.Last {
		return strconv.Itoa(int(o.First))
	}
	return strconv.Itoa(int(o.First)) + "-" + strconv.Itoa(int(o.Last))
}

func (o Opening) covers(protocol string, to netip.AddrPort) bool {
	return o.Protocol == protocol && o.Prefix.Contains(to.Addr()) && to.Port() >= o.First && to.Port() <= o.Last
}

// All are the owner's openings and those that resolvers need, without doubles.
func (p Policy) All() []Opening {
	list := slices.Clone(p.Openings)
	for _, resolver := range p.Resolvers {
		for _, protocol := range []string{"udp", "tcp"} {
			list = append(list, Opening{netip.PrefixFrom(resolver, resolver.BitLen()), 53, 53, protocol})
		}
	}
	var distinct []Opening
	for _, o := range list {
		if !slices.Contains(distinct, o) {
			distinct = append(distinct, o)
		}
	}
	return distinct
}

// Lets says whether a sandbox may begin to talk to an address, which may be
// one of this machine's own: those are closed, wherever they lie.
func (p Policy) Lets(protocol string, to netip.AddrPort, own bool) bool {
	for _, o := range p.All() {
		if o.covers(protocol, to) {
			return true
		}
	}
	return !own && !slices.ContainsFunc(p.closed(), func(prefix netip.Prefix) bool { return prefix.Contains(to.Addr()) })
}
