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

func unforward(ctx context.Context, r *run, args []string) (reply.Answer, error) {
	known, err := r.knownForwards(ctx)
	if err != nil {
		return reply.Answer{}, err
	}
	list := slices.Sorted(maps.Keys(known))
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
	for _, port := range list {
		if err := r.closeForward(context.WithoutCancel(ctx), port); err != nil {
			return reply.Answer{}, err
		}
	}
	verb := plural(len(list), " is", " are")
	return reply.Answer{Doc: reply.Say(plural(len(list), "Port ", "Ports "), join(list), verb, " closed."), Undo: r.reopening(list, known)}, nil
}

// knownForwards are those that are open, and those that are remembered but
// were left closed at the start because they are outside the range.
func (r *run) knownForwards(ctx context.Context) (map[int]store.Forward, error) {
	saved, err := r.Records.Forwards(ctx)
	if err != nil {
		return nil, err
	}
	known := map[int]store.Forward{}
	for _, f := range saved {
		known[f.Port] = f
	}
	for _, s := range r.Forwards.List() {
		if _, saved := known[s.Port]; !saved {
			known[s.Port] = store.Forward{Port: s.Port, Target: s.To, Agent: s.Agent, ProxyProtocol: s.ProxyProtocol}
		}
	}
	return known, nil
}

// allKnown refuses a list with a port in it that is not forwarded.
func (r *run) allKnown(ports []int, known map[int]store.Forward) error {
	var unknown []int
	for _, port := range ports {
		if _, ok := known[port]; !ok {
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
func (r *run) reopening(ports []int, known map[int]store.Forward) string {
	alike := map[string][]int{} // by their flags
	for _, port := range ports {
		if r.forwardable("", port, port) == nil {
			flags := flagsOf(known[port])
			alike[flags] = append(alike[flags], port)
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
	if f.Agent != "" {
		fmt.Fprintf(&flags, " --agent=%q", f.Agent)
	}
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
func changingBack(ports []int, before map[int]store.Forward) string {
	var lines []string
	for _, port := range ports {
		f := before[port]
		to := f.Target
		if to == 0 {
			to = port
		}
		line := fmt.Sprintf("forward %d --to=%d --agent=%q --on=%q --proxy-protocol=%v", port, to, f.Agent, f.Reach, f.ProxyProtocol)
		lease := leaseFlags(f)
		if lease == "" {
			lease = " --for=ever"
		}
		lines = append(lines, line+lease+" --yes")
	}
	return strings.Join(lines, "\n")
}

// closeForward closes a port and forgets it.
func (r *run) closeForward(ctx context.Context, port int) error {
	if err := r.closePort(port); err != nil {
		return err
	}
	return r.Records.DeleteForward(ctx, port, false)
}

// closePort closes a port, which may be closed already.
func (r *run) closePort(port int) error {
	err := r.Forwards.Close(forwarder.Key{Port: port})
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
