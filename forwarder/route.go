package forwarder

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// world is what is known of the sandboxes at one moment; it is never changed
// once published.
type world struct {
	known     bool   // this host's engine is
	err       error  // of an engine that is not
	lost      string // the host of that engine
	sandboxes []Sandbox
	engines   map[string]engine // by host, "" for this one
}

// engine is what is known of one engine's sandboxes.
type engine struct {
	known     bool
	err       error
	sandboxes []Sandbox
	listed    bool     // it has been known once
	agents    []string // who had sandboxes when it was last known
}

// with is the world with other news of one engine.
func (w *world) with(host string, news engine) *world {
	next := &world{engines: map[string]engine{"": {}}}
	maps.Copy(next.engines, w.engines)
	news.agents, news.listed = agents(news.sandboxes), news.known
	if last := w.engines[host]; !news.known {
		news.agents, news.listed = last.agents, last.listed
	}
	next.engines[host] = news
	next.known = next.engines[""].known
	for _, name := range slices.Sorted(maps.Keys(next.engines)) {
		e := next.engines[name]
		next.sandboxes = append(next.sandboxes, e.sandboxes...)
		if !e.known && next.err == nil {
			next.err, next.lost = e.err, name
		}
	}
	return next
}

// knows says whether a host's engine is known.
func (w *world) knows(host string) bool { return w.engines[host].known }

// everListed says whether every engine has been known once.
func (w *world) everListed() bool {
	for _, e := range w.engines {
		if !e.listed {
			return false
		}
	}
	return true
}

// meant names the agents that a forward without an agent could be for: those
// whose sandboxes were found, and those that an engine had before it was lost.
// These are no targets, but a guess while they cannot be seen would give one
// agent's callers to another.
func (w *world) meant(found []Sandbox) []string {
	names := agents(found)
	for _, e := range w.engines {
		if !e.known {
			names = append(names, e.agents...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// knowsAll says whether every engine is.
func (w *world) knowsAll() bool {
	for _, e := range w.engines {
		if !e.known {
			return false
		}
	}
	return len(w.engines) > 0
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
	var found []Sandbox
	for _, s := range w.sandboxes {
		if spec.Agent == "" || s.Agent == spec.Agent {
			found = append(found, s)
		}
	}
	switch {
	case len(found) == 0 && !w.knowsAll():
		return Unknown, nil
	case len(found) == 0:
		return Waiting, nil
	case spec.Agent == "" && !w.everListed():
		return Unknown, nil // whoever has sandboxes there may be meant
	case spec.Agent == "" && len(w.meant(found)) > 1:
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
		if s.Host != "" {
			continue // the same address is another container's here
		}
		for _, addr := range s.Addrs {
			all = append(all, target{s, netip.AddrPortFrom(addr, uint16(port))})
		}
	}
	return all
}

// has says whether a run of a container is still there, reachable at addr (the
// zero addr: at any).
func (w *world) has(r run, addr netip.Addr) bool {
	return slices.ContainsFunc(w.sandboxes, func(s Sandbox) bool {
		return s.ID == r.id && s.Started.Equal(r.started) && (!addr.IsValid() || slices.Contains(s.Addrs, addr))
	})
}
