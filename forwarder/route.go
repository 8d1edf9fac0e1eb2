package forwarder

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// world is what is known of the sandboxes at one moment; it is never changed
// once published.
type world struct {
	known     bool
	err       error
	sandboxes []Sandbox
}

// run identifies one run of a container at its addresses. A connection
// belongs to a run: the same id started anew, or moved to another address, is
// another.
type run struct {
	id      string
	started time.Time
}

func runOf(s Sandbox) run { return run{s.ID, s.Started} }

// target is one address to dial, and whose it is.
type target struct {
	sandbox Sandbox
	addr    netip.AddrPort
}

// resolve says where connections of a forward go. With several sandboxes of
// one agent (OpenClaw makes one per session where told to) the newest comes
// first; the others are tried where it refuses.
// With other ways than addresses a sandbox without network is served too.
func (w *world) resolve(spec Spec, otherWays bool) (State, []Sandbox) {
	if !w.known {
		return Unknown, nil
	}
	var found []Sandbox
	for _, s := range w.sandboxes {
		if spec.Agent == "" || s.Agent == spec.Agent {
			found = append(found, s)
		}
	}
	if len(found) == 0 {
		return Waiting, nil
	}
	if spec.Agent == "" && len(agents(found)) > 1 {
		return Ambiguous, found
	}
	slices.SortFunc(found, func(a, b Sandbox) int {
		if c := b.Started.Compare(a.Started); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	if len(targets(found, spec.To)) == 0 && !otherWays {
		return Unreachable, found
	}
	return Serving, found
}

func agents(sandboxes []Sandbox) []string {
	var names []string
	for _, s := range sandboxes {
		names = append(names, s.Agent)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func targets(sandboxes []Sandbox, port int) []target {
	var all []target
	for _, s := range sandboxes {
		for _, addr := range s.Addrs {
			all = append(all, target{s, netip.AddrPortFrom(addr, uint16(port))})
		}
	}
	return all
}

// noAddr stands for whichever address.
var noAddr netip.Addr

// has says whether a run of a container is still there, reachable at addr (an
// invalid addr: at any).
func (w *world) has(r run, addr netip.Addr) bool {
	return slices.ContainsFunc(w.sandboxes, func(s Sandbox) bool {
		return s.ID == r.id && s.Started.Equal(r.started) && (!addr.IsValid() || slices.Contains(s.Addrs, addr))
	})
}
