// Package probe finds out what can be reached from inside a sandbox's network:
// it connects, and says what came of it. One half of it runs in a container
// (Ask, Listen), the other judges what that half saw (Judge).
//
// It believes no rule: what is expected to be closed has to be refused by this
// machine's own hand, which shows in the refusal. It starts no container.
package probe

import (
	"net/netip"
)

// Target is something to connect to.
type Target struct {
	// Name tells people what it is, e.g. "this machine".
	Name     string         `json:"name"`
	Protocol string         `json:"protocol"` // "tcp" or "udp"
	Addr     netip.AddrPort `json:"addr"`
}

// How is what came of a try.
type How string

// What can come of a try.
const (
	Open       How = "open"        // connected, or answered
	Refused    How = "refused"     // reached a host that has nothing at that port
	Prohibited How = "prohibited"  // a firewall on the way said no
	Lost       How = "unreachable" // a router on the way knows no way, or nobody is there
	Silent     How = "silent"      // no answer of any kind
	NoRoute    How = "no route"    // a machine on the way, the first of them at least, has no way there
)

// Seen is a target with what came of it.
type Seen struct {
	Target
	How How `json:"how"`
	// By is who refused, where somebody said so.
	By netip.Addr `json:"by,omitzero"`
	// Err is what else went wrong, for the log.
	Err string `json:"err,omitempty"`
}
