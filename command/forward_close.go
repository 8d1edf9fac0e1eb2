package command

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/githabideri/fraktalia/forwarder"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

// protocols says which of a port's two forwards are meant; none is both.
type protocols struct{ udp, tcp bool }

func (p protocols) has(key forwarder.Key) bool {
	return p.udp == p.tcp || p.udp == key.UDP
}

func unforward(ctx context.Context, r *run, args []string, only protocols) (reply.Answer, error) {
	known, err := r.knownForwards(ctx)
	if err != nil {
		return reply.Answer{}, err
	}
	maps.DeleteFunc(known, func(key forwarder.Key, _ store.Forward) bool { return !only.has(key) })
	list := portsIn(known)
	if len(args) != 1 || !strings.EqualFold(args[0], "all") {
		if list, err = r.ports(args, anyPort); err != nil {
			return reply.Answer{}, err
		}
	}
	if len(list) == 0 {
		return reply.Answer{Doc: reply.Say("No port is forwarded.")}, nil
	}
	if err := r.allKnown(list, known); err != nil {
		return reply.Answer{}, err
	}
	maps.DeleteFunc(known, func(key forwarder.Key, _ store.Forward) bool { return !slices.Contains(list, key.Port) })
	for key := range known {
		if err := r.closeForward(context.WithoutCancel(ctx), key); err != nil {
			return reply.Answer{}, err
		}
	}
	verb := plural(len(list), " is", " are")
	return reply.Answer{Doc: reply.Say(plural(len(list), "Port ", "Ports "), join(list), verb, " closed."), Undo: r.reopening(known)}, nil
}

// portsIn are the ports of forwards, sorted, each once.
func portsIn(known map[forwarder.Key]store.Forward) (ports []int) {
	for key := range known {
		ports = append(ports, key.Port)
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// knownForwards are those that are open, and those that are remembered but
// were left closed at the start because they are outside the range.
func (r *run) knownForwards(ctx context.Context) (map[forwarder.Key]store.Forward, error) {
	saved, err := r.Records.Forwards(ctx)
	if err != nil {
		return nil, err
	}
	known := map[forwarder.Key]store.Forward{}
	for _, f := range saved {
		known[keyOf(f)] = f
	}
	for _, s := range r.Forwards.List() {
		if _, saved := known[s.Key()]; !saved {
			known[s.Key()] = store.Forward{Port: s.Port, UDP: s.UDP, Target: s.To, Agent: s.Agent, ProxyProtocol: s.ProxyProtocol}
		}
	}
	return known, nil
}

// allKnown refuses a list with a port in it that is not forwarded.
func (r *run) allKnown(ports []int, known map[forwarder.Key]store.Forward) error {
	var unknown []int
	for _, port := range ports {
		if !slices.Contains(portsIn(known), port) {
			unknown = append(unknown, port)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	so := ""
	if len(unknown) < len(ports) {
		so = ", so I closed none"
	}
	return Sorry("%s%s%s not forwarded%s. %sforwards lists what is open.", plural(len(unknown), "Port ", "Ports "), shorten(join(unknown), 200),
		plural(len(unknown), " is", " are"), so, prompt(r.request))
}

// reopening are the lines that open ports again as they were. What lay outside
// the range was closed already, and could not be opened.
func (r *run) reopening(known map[forwarder.Key]store.Forward) string {
	alike := map[string][]int{} // by their flags
	for _, port := range portsIn(known) {
		for _, udp := range []bool{false, true} {
			if f, ok := known[forwarder.Key{Port: port, UDP: udp}]; ok && r.forwardable("", port, port) == nil {
				alike[flagsOf(f)] = append(alike[flagsOf(f)], port)
			}
		}
	}
	var lines []string
	for _, flags := range slices.Sorted(maps.Keys(alike)) {
		lines = append(lines, "forward "+join(alike[flags])+flags)
	}
	return strings.Join(lines, "\n")
}

// flagsOf are the flags that make a forward what it is, where it is not there.
func flagsOf(f store.Forward) string {
	var flags strings.Builder
	if f.Target != 0 && f.Target != f.Port {
		fmt.Fprintf(&flags, " --to=%d", f.Target)
	}
	if f.UDP {
		flags.WriteString(" --udp")
	}
	fmt.Fprintf(&flags, " --agent=%q", f.Agent) // also "", so that nobody is asked whose
	if f.Reach != "" {
		fmt.Fprintf(&flags, " --on=%s", f.Reach)
	}
	if f.ProxyProtocol {
		flags.WriteString(" --proxy-protocol")
	}
	flags.WriteString(leaseFlags(f))
	if SpecOf(f).Bind&forwarder.Any != 0 {
		flags.WriteString(" --yes")
	}
	return flags.String()
}

func leaseFlags(f store.Forward) string {
	if f.Until.IsZero() {
		return ""
	}
	return fmt.Sprintf(" --for=%s --until=%s", shortTime(f.Lease), f.Until.UTC().Format(time.RFC3339Nano))
}

// changingBack are the lines that make open forwards again what they were.
func changingBack(before map[forwarder.Key]store.Forward) string {
	var lines []string
	for _, f := range before {
		to, port := f.Target, f.Port
		if to == 0 {
			to = port
		}
		line := fmt.Sprintf("forward %d --to=%d --agent=%q --on=%q --proxy-protocol=%v", port, to, f.Agent, f.Reach, f.ProxyProtocol)
		lease := leaseFlags(f)
		if lease == "" {
			lease = " --for=ever"
		}
		if f.UDP {
			lease += " --udp"
		}
		lines = append(lines, line+lease+" --yes")
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// closeForward closes a port and forgets it.
func (r *run) closeForward(ctx context.Context, key forwarder.Key) error {
	if err := r.closePort(key); err != nil {
		return err
	}
	return r.Records.DeleteForward(ctx, key.Port, key.UDP)
}

// closePort closes a port, which may be closed already.
func (r *run) closePort(key forwarder.Key) error {
	err := r.Forwards.Close(key)
	var closed *forwarder.NotOpenError
	if errors.As(err, &closed) {
		return nil
	}
	return err
}

func plural(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}
