package firewall

import "net/netip"

// rule is one rule of a chain. What it matches is one of a few kinds, which
// each backend knows how to write.
type rule struct {
	kind    kind
	opening Opening        // of kind opened
	set     []netip.Prefix // of kind internet4 and internet6
	verdict verdict
	// what tells people; it is unique within its chain.
	what string
}

type kind int

const (
	answers    kind = iota // packets of a flow that the other side began
	forged                 // a source address that does not live behind the bridge
	neighbours             // IPv6 neighbour discovery, without which there is no IPv6
	opened                 // one Opening
	internet4              // what of IPv4 is the internet
	internet6              // what of IPv6 is the internet
	rest                   // everything
)

type verdict int

const (
	accept verdict = iota
	// reject answers with "prohibited by an administrator" (ICMP), at once. A
	// reset would do so too, but looks like a closed port of a host that has
	// been reached; so the proof could not tell them apart.
	reject
	drop
)

// chain is the path of one direction.
type chain struct {
	name  string
	rules []rule
}

// chains are all rules. Which packets come in is by interface alone, so no
// protocol gets past them. The internet is let through by name, and the rest is
// not: where a set is being exchanged, a packet that finds nothing in it is
// refused.
func (p Policy) chains() []chain {
	return []chain{{"out_of_sandbox", p.outward()}, {"into_sandbox", p.inward()}, {"to_host", p.hostward()}}
}

// Chains' order matters: answers come first, or the forwards get none. Only
// answers are let through by their state: a flow that a sandbox began is judged
// packet by packet, so one from before the rules ends with them.
func answersFirst(what string) rule { return rule{kind: answers, verdict: accept, what: what} }

// outward is what a sandbox sends through this machine.
func (p Policy) outward() []rule {
	list := []rule{
		answersFirst("answers to who called a sandbox"),
		{kind: forged, verdict: drop, what: "false source addresses"},
	}
	list = append(list, p.openingRules()...)
	return append(list,
		rule{kind: internet4, set: p.internet(false), verdict: accept, what: "the internet by IPv4"},
		rule{kind: internet6, set: p.internet(true), verdict: accept, what: "the internet by IPv6"},
		rule{kind: rest, verdict: reject, what: "other than the internet"})
}

// inward is what others send to a sandbox through this machine.
func (p Policy) inward() []rule {
	return []rule{
		answersFirst("answers to a sandbox"),
		{kind: rest, verdict: reject, what: "calls to a sandbox from elsewhere"},
	}
}

// hostward is what a sandbox sends to this machine itself, by whatever address.
func (p Policy) hostward() []rule {
	list := []rule{
		answersFirst("answers to this machine (forwards)"),
		{kind: neighbours, verdict: accept, what: "IPv6 neighbour discovery"},
	}
	return append(append(list, p.openingRules()...), rule{kind: rest, verdict: reject, what: "this machine"})
}

func (p Policy) openingRules() (list []rule) {
	for _, o := range p.All() {
		list = append(list, rule{kind: opened, opening: o, verdict: accept, what: "allowed: " + o.String()})
	}
	return list
}
