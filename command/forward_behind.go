package command

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/githabideri/fraktalia/forwarder"
	"github.com/githabideri/fraktalia/procnet"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

const (
	// probeWait is how long an answer waits to tell what is behind a port.
	probeWait = 800 * time.Millisecond
	// probesAtOnce bounds the connections that are tried side by side.
	probesAtOnce = 16
	// mostServices is how many of a sandbox's other services are named.
	mostServices = 3
)

// rows looks behind the forwards, at several at once.
func (r *run) rows(ctx context.Context, list []forwarder.Status, known map[forwarder.Key]store.Forward) []forwardRow {
	ctx, cancel := context.WithTimeout(ctx, probeWait)
	defer cancel()
	services := r.services(ctx, list)
	rows := make([]forwardRow, len(list))
	var looking errgroup.Group
	looking.SetLimit(probesAtOnce)
	for i, status := range list {
		looking.Go(func() error { rows[i] = r.row(ctx, status, known[status.Key()], services); return nil })
	}
	_ = looking.Wait() // none of them fails
	return rows
}

// services are what listens in each sandbox, by the container's id. It is
// awaited when it is needed: looking at it runs beside the probes.
func (r *run) services(ctx context.Context, list []forwarder.Status) map[string]func() services {
	all := map[string]func() services{}
	for _, s := range list {
		if id := s.Sandbox.ID; id != "" && all[id] == nil {
			found := make(chan services, 1)
			go func() {
				list, err := r.Forwards.Listeners(ctx, s.Sandbox)
				found <- services{list, err == nil}
			}()
			all[id] = func() services {
				result := <-found
				found <- result // for the next who asks
				return result
			}
		}
	}
	return all
}

// services is what listens in one sandbox; seen is false where one cannot tell.
type services struct {
	list []procnet.Listener
	seen bool
}

func (r *run) row(ctx context.Context, s forwarder.Status, f store.Forward, services map[string]func() services) forwardRow {
	row := rowOf(s, f)
	row.short, row.Behind = r.behindState(s)
	if row.Behind != "" {
		return row
	}
	way, err := r.Forwards.Probe(ctx, s.Key())
	if s.UDP {
		return r.datagrams(row, s, way, err)
	}
	inside := services[s.Sandbox.ID]()
	at := inside.on(s.To)
	row.Service = programs(at)
	if err == nil {
		row.Way = way
		row.short = reply.Line{"✅ ", orElse(row.Service, "a service"), " answers"}
		by := ""
		switch way {
		case "direct":
		case "ssh":
			by = " on " + s.Sandbox.Host + ", over ssh"
		default:
			by = ", by the " + way
		}
		row.Behind = fmt.Sprintf("%s answers in %s%s.", orElse(row.Service, "A service"), s.Sandbox.Name, by)
		return row
	}
	row.short, row.Behind = r.silence(s, inside, at, err)
	return row
}

// datagrams tells of a forward for UDP whether a socket is bound inside, and
// where that cannot be seen, what its last datagram met.
func (r *run) datagrams(row forwardRow, s forwarder.Status, way string, err error) forwardRow {
	row.Way = way
	bound, seen := r.Forwards.Listening(s.Sandbox, true)
	switch {
	case seen && boundTo(bound, s.To):
		row.Way = orElse(way, "direct")
		row.short = reply.Line{"✅ takes datagrams"}
		row.Behind = fmt.Sprintf("Something takes datagrams on %d in %s.", s.To, s.Sandbox.Name)
	case seen:
		row.Way = ""
		row.short = reply.Line{fmt.Sprintf("⏳ nothing is bound to %s", forwarder.Key{Port: s.To, UDP: true})}
		row.Behind = fmt.Sprintf("Nothing takes datagrams on %d in %s yet.", s.To, s.Sandbox.Name)
	case err != nil:
		row.short = reply.Line{"⏳ nothing takes its datagrams"}
		row.Behind = fmt.Sprintf("Nothing takes datagrams on %d in %s.", s.To, s.Sandbox.Name)
	case way == "":
		row.short = reply.Line{"no datagram yet"}
		row.Behind = fmt.Sprintf("Datagrams go to %s; whether anything takes them shows with the first one.", s.Sandbox.Name)
	default:
		row.short = reply.Line{"✅ takes datagrams"}
		row.Behind = fmt.Sprintf("Datagrams go to %s, and nothing refused them.", s.Sandbox.Name)
	}
	return row
}

// boundTo says whether a socket takes what comes to a port from outside of the
// sandbox. Only direct datagrams are forwarded, so its loopback does not count.
func boundTo(bound []netip.AddrPort, port int) bool {
	return slices.ContainsFunc(bound, func(a netip.AddrPort) bool { return int(a.Port()) == port && !a.Addr().IsLoopback() })
}

// behindState tells of forwards that need no probe; "" for the others.
func (r *run) behindState(s forwarder.Status) (short reply.Line, sentence string) {
	var taken *forwarder.InUseError
	if s.State != forwarder.Held && errors.As(s.Err, &taken) {
		by := fmt.Sprintf("%s is taken by %s", taken.Addr, orElse(s.Holder, "another program"))
		return reply.Line{"❌ " + by}, by + "; I try again. At its other addresses the port is open."
	}
	switch s.State {
	case forwarder.Held:
		holder := orElse(s.Holder, "another program")
		return reply.Line{"❌ taken by " + holder}, fmt.Sprintf("The port is taken by %s; I try again.", holder)
	case forwarder.Waiting:
		if s.Agent != "" {
			return reply.Line{"⏳ no sandbox runs yet"}, fmt.Sprintf("No sandbox of %s is running; it waits for one.%s", s.Agent, r.othersRun())
		}
		return reply.Line{"⏳ no sandbox runs yet"}, "No sandbox is running; it waits for one."
	case forwarder.Ambiguous:
		agents := slices.DeleteFunc(slices.Clone(s.Agents), func(name string) bool { return name == "" })
		line := fmt.Sprintf("%sforward %d --agent %s", prompt(r.request), s.Port, agents[0])
		return reply.Line{"⚠️ whose: " + strings.Join(agents, ", ") + "? ", reply.Mono("%s", line)},
			fmt.Sprintf("Several agents have sandboxes (%s): %s says whose.", strings.Join(agents, ", "), line)
	case forwarder.Unreachable:
		return reply.Line{"⚠️ sandbox without network"},
			fmt.Sprintf("The sandbox %s has no network (sandbox.docker.network is none), so nothing reaches it.", s.Sandbox.Name)
	case forwarder.Unknown:
		var unknown *forwarder.UnknownError
		if errors.As(s.Err, &unknown) && unknown.Host != "" {
			return reply.Line{"❌ host " + unknown.Host + " does not answer"}, fmt.Sprintf("Host %s does not answer; it waits.", unknown.Host)
		}
		return reply.Line{"❌ no Docker engine"}, "The Docker engine does not answer; it waits."
	}
	return nil, ""
}

// othersRun names the agents that do have a sandbox, for a name that was
// mistyped and cannot be checked.
func (r *run) othersRun() string {
	var names []string
	sandboxes, _ := r.Forwards.Sandboxes()
	for _, s := range sandboxes {
		if r.request.Role == Owner && s.Agent != "" && !slices.Contains(names, s.Agent) {
			names = append(names, s.Agent)
		}
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return fmt.Sprintf(" (%s %s one.)", shorten(strings.Join(names, ", "), 100), plural(len(names), "has", "have"))
}

// silence says why nothing answers, and what the next step is.
func (r *run) silence(s forwarder.Status, inside services, at []procnet.Listener, cause error) (short reply.Line, sentence string) {
	var noRelay *forwarder.NoRelayError
	name, bare := s.Sandbox.Name, errors.As(cause, &noRelay)
	switch {
	case !inside.seen && bare:
		return reply.Line{"⏳ nothing answers yet (no relay in the image)"},
			fmt.Sprintf("Nothing answers on port %d in %s yet; its image has no relay, so what listens on 127.0.0.1 alone is not reached: %srebuild-sandbox puts it in.",
				s.To, name, prompt(r.request))
	case !inside.seen:
		return reply.Line{"⏳ nothing answers yet"}, fmt.Sprintf("Nothing answers on port %d in %s yet.", s.To, name)
	case len(at) > 0 && onlyLoopback(at) && bare:
		return reply.Line{fmt.Sprintf("⚠️ %s listens on %s only (no relay in the image)", orElse(programs(at), "a service"), at[0].Addr)},
			fmt.Sprintf("%s listens on %s in %s alone, and the image has no relay to reach it there: let it listen on 0.0.0.0, or %srebuild-sandbox puts the relay in.",
				orElse(programs(at), "A service"), at[0].Addr, name, prompt(r.request))
	case len(at) > 0:
		return reply.Line{fmt.Sprintf("⚠️ %s listens, and takes no connection", orElse(programs(at), "a service"))},
			fmt.Sprintf("%s listens on %s in %s, but takes no connection.", orElse(programs(at), "A service"), at[0].Addr, name)
	}
	others := inside.others()
	if len(others) == 0 {
		return reply.Line{fmt.Sprintf("⏳ nothing listens on %d", s.To)}, fmt.Sprintf("Nothing listens on %d in %s yet.", s.To, name)
	}
	next := fmt.Sprintf("%sforward %d --to %d", prompt(r.request), s.Port, others[0].Addr.Port())
	text := whoListens(others[:min(len(others), mostServices)])
	return reply.Line{fmt.Sprintf("⏳ nothing listens on %d; %s: ", s.To, text), reply.Mono("%s", next)},
		fmt.Sprintf("Nothing listens on %d in %s; %s: %s", s.To, name, text, next)
}

// whoListens is "page listens on 9005 and 9006, node on 9007".
func whoListens(list []procnet.Listener) string {
	var names []string
	ports := map[string][]string{}
	for _, l := range list {
		name := orElse(programName(l), "something")
		if ports[name] == nil {
			names = append(names, name)
		}
		ports[name] = append(ports[name], strconv.Itoa(int(l.Addr.Port())))
	}
	verb := " listens on "
	for i, name := range names {
		names[i] = name + verb + listed(ports[name])
		verb = " on "
	}
	return strings.Join(names, ", ")
}

// on are the listeners of one port.
func (s services) on(port int) []procnet.Listener {
	return slices.DeleteFunc(slices.Clone(s.list), func(l procnet.Listener) bool { return int(l.Addr.Port()) != port })
}

// others are one listener of each port, those that can be reached first.
func (s services) others() []procnet.Listener {
	list := slices.Clone(s.list)
	slices.SortStableFunc(list, func(a, b procnet.Listener) int {
		return boolOrder(a.Addr.Addr().IsLoopback(), b.Addr.Addr().IsLoopback())
	})
	seen := map[uint16]bool{}
	return slices.DeleteFunc(list, func(l procnet.Listener) bool {
		twice := seen[l.Addr.Port()]
		seen[l.Addr.Port()] = true
		return twice
	})
}

func boolOrder(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

func onlyLoopback(list []procnet.Listener) bool {
	return !slices.ContainsFunc(list, func(l procnet.Listener) bool { return !l.Addr.Addr().IsLoopback() })
}

// programs names who listens, "" where nobody can be named.
func programs(list []procnet.Listener) string {
	for _, l := range list {
		if name := programName(l); name != "" {
			return name
		}
	}
	return ""
}

// programName is what a program in a sandbox calls itself: shortened, because
// it may call itself anything.
func programName(l procnet.Listener) string { return shorten(l.Process.Name, 20) }

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
