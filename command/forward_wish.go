package command

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/githabideri/fraktalia/forwarder"
	"github.com/githabideri/fraktalia/openclaw/json5"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/sandbox"
	"github.com/githabideri/fraktalia/store"
)

// understood checks the flags, and returns what they change about a forward.
func (r *run) understood(ctx context.Context, w wish, ports int) (func(*store.Forward), error) {
	if w.said("to") && (w.to < 1 || w.to > 65535 || ports > 1) {
		return nil, Sorry("--to takes one port between 1 and 65535, for one forward.")
	}
	if w.proxy && w.udp {
		return nil, Sorry("The PROXY protocol is for connections: leave out --proxy-protocol or --udp.")
	}
	reach, err := readReach(w.on)
	if err != nil {
		return nil, err
	}
	lease, until, err := r.readLease(w)
	if err != nil {
		return nil, err
	}
	if w.said("agent") {
		if err := r.knownAgent(ctx, w.agent); err != nil {
			return nil, err
		}
	}
	return func(f *store.Forward) {
		if w.said("to") {
			f.Target = w.to
		}
		if w.said("agent") || w.agent != "" {
			f.Agent = w.agent
		}
		if w.said("on") {
			f.Reach = reach
		}
		if w.said("proxy-protocol") {
			f.ProxyProtocol = w.proxy
		}
		if w.said("for") || w.said("until") {
			f.Lease, f.Until, f.Note = lease, until, ""
		}
	}, nil
}

// readReach reads --on, and writes it as it is kept.
func readReach(text string) (string, error) {
	var bind forwarder.Bind
	for word := range strings.SplitSeq(strings.ToLower(text), ",") {
		word = strings.TrimSpace(word)
		if word == "" {
			continue
		}
		one, err := forwarder.ParseBind(word)
		if err != nil {
			return "", Because(err, "--on takes loopback, lan and tailnet with commas between, or any; %.40q is none of them.", word)
		}
		bind |= one
	}
	return bind.String(), nil
}

// readLease reads --for, and --until of an undo.
func (r *run) readLease(w wish) (lease time.Duration, until time.Time, err error) {
	if text := strings.ToLower(strings.TrimSpace(w.lease)); w.said("for") && text != "ever" {
		if lease, err = readTime(text); err != nil {
			return 0, time.Time{}, err
		}
		until = r.now().Add(lease).Truncate(time.Millisecond)
	}
	if w.said("until") {
		if until, err = time.Parse(time.RFC3339Nano, w.until); err != nil {
			return 0, time.Time{}, Because(err, "--until takes a time such as %s.", r.now().UTC().Format(time.RFC3339))
		}
	}
	return lease, until, nil
}

// overAlready tells that a lease that is taken back has run out meanwhile.
func (r *run) overAlready(p forwardPlan) reply.Doc {
	var record store.Forward
	p.change(&record)
	if record.Until.IsZero() || record.Until.After(r.now()) {
		return nil
	}
	return reply.Say(fmt.Sprintf("The time of %s%s was over %s ago, so %s closed.", plural(len(p.ports), "port ", "ports "), join(p.ports),
		lasting(r.now().Sub(record.Until)), plural(len(p.ports), "it stays", "they stay")))
}

// knownAgent refuses an agent that there is not, as far as that is known: the
// configuration may be on another machine, and then agents without a sandbox
// are not known here. The engine itself is asked last: of a sandbox that has
// just been made the forwarder may not have heard yet.
func (r *run) knownAgent(ctx context.Context, name string) error {
	var known []string
	sandboxes, _ := r.Forwards.Sandboxes()
	for _, s := range sandboxes {
		known = append(known, s.Agent)
	}
	if slices.Contains(known, name) || name == "" {
		return nil
	}
	roster, ok := r.rosterNames()
	if !ok || slices.Contains(roster, name) {
		return nil
	}
	containers, err := r.Containers.Containers(ctx)
	if err != nil || slices.ContainsFunc(containers, func(c sandbox.Container) bool { return c.Agent == name }) {
		return nil
	}
	known = append(known, roster...)
	slices.Sort(known)
	known = slices.DeleteFunc(slices.Compact(known), func(name string) bool { return name == "" })
	return Sorry("There is no agent %.64s.%s", name, nearest(json5.Nearest(name, known), "The agents are "+shorten(strings.Join(known, ", "), 300)+".", len(known)))
}

// rosterNames are the agents of OpenClaw's configuration; ok is false where it
// cannot be read.
func (r *run) rosterNames() (names []string, ok bool) {
	if r.Agents == nil {
		return nil, false
	}
	config, err := r.Agents.Load()
	if err != nil {
		return nil, false
	}
	agents, err := config.Agents()
	if err != nil {
		return nil, false
	}
	for _, agent := range agents {
		names = append(names, agent.ID)
	}
	return names, true
}

// askAboutForward asks what a line leaves open: whose sandbox, where several
// agents have one, and whether it shall really be everybody's. It says whether
// it has asked.
func (r *run) askAboutForward(ctx context.Context, p forwardPlan, w *wish) (asked bool, err error) {
	if asked, err = r.askWhose(ctx, p, w); err != nil {
		return asked, err
	}
	var record store.Forward
	p.change(&record)
	if w.yes || SpecOf(record).Bind&forwarder.Any == 0 {
		return asked, nil
	}
	question, err := r.anyQuestion(p.ports)
	if err != nil || question == nil {
		return asked, err
	}
	var yes bool
	err = r.outsideLane(ctx, func() (err error) { yes, err = r.talk.Ask(ctx, question); return err })
	if err == nil && !yes {
		err = Sorry("Not done: %s as before.", plural(len(p.ports), "the port stays", "the ports stay"))
	}
	return true, err
}

// anyQuestion says what --on any opens; nil where that is no more than what is
// open to everybody here anyhow.
func (r *run) anyQuestion(ports []int) (reply.Doc, error) {
	_, beyond, err := r.Forwards.Addresses(forwarder.Any)
	if err != nil {
		return nil, err
	}
	what := plural(len(ports), "port ", "ports ") + join(ports)
	doc := reply.Doc{reply.P("Open ", what, " on every address of this machine? Whoever can send a packet to it can then use what is behind: ",
		"from the Internet, unless a router or a firewall is in between, and from every container here.")}
	if len(beyond) > 0 {
		doc = append(doc, reply.P("Beyond the LAN and the tailnet these addresses become open: ", shorten(strings.Join(addrTexts(beyond), ", "), 300), "."))
	}
	return doc, nil
}

func addrTexts(addrs []netip.Addr) []string {
	texts := make([]string, len(addrs))
	for i, addr := range addrs {
		texts[i] = addr.String()
	}
	return texts
}

// mostChoices is how many answers fit under a question.
const mostChoices = 9

// askWhose asks which agent is meant where none is named and several have
// sandboxes.
func (r *run) askWhose(ctx context.Context, p forwardPlan, w *wish) (asked bool, err error) {
	if w.said("agent") || len(p.before) > 0 {
		return false, nil
	}
	sandboxes, _ := r.Forwards.Sandboxes()
	names, containers := []string{}, map[string]string{}
	for _, s := range sandboxes {
		if !slices.Contains(names, s.Agent) {
			names, containers[s.Agent] = append(names, s.Agent), s.Name
		}
	}
	slices.Sort(names)
	if len(names) < 2 {
		return false, nil
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name == "" }) // the one that all share has none to be named by
	if len(names) > mostChoices {
		return false, Sorry("%d agents have sandboxes (%s): say which with --agent.", len(names), shorten(strings.Join(names, ", "), 200))
	}
	var options []reply.Line
	for _, name := range names {
		options = append(options, reply.Line{reply.Bold("%s", name), "  ", containers[name]})
	}
	question := reply.Say("Several agents have sandboxes. Whose shall ", plural(len(p.ports), "port ", "ports "), reply.Bold("%s", join(p.ports)), " reach?")
	chosen := -1
	err = r.outsideLane(ctx, func() (err error) { chosen, err = r.talk.Choose(ctx, question, options); return err })
	if err != nil {
		return true, err
	}
	if chosen < 0 || chosen >= len(names) {
		return true, Sorry("Nobody said whose, so I opened nothing. %sforward %s --agent %s says it at once.", prompt(r.request), join(p.ports), names[0])
	}
	w.agent = names[chosen]
	return true, nil
}
