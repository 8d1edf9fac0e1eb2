package command

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/crashpoint"
	"github.com/githabideri/fraktalia/forwarder"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

// Forwards is what the commands for ports act on.
type Forwards interface {
	Open(spec forwarder.Spec) error
	Close(key forwarder.Key) error
	List() []forwarder.Status
	Probe(ctx context.Context, key forwarder.Key) (way string, err error)
}

func (r *run) forwardFamily() []*cobra.Command {
	var spec forwarder.Spec
	forward := &cobra.Command{
		Use:         "forward PORT... [--to PORT] [--agent NAME]",
		Short:       "opens ports of this machine to the agent's sandbox",
		Long:        "A forward stays until it is taken back, also across restarts, and follows the sandbox when its container is made anew.",
		Example:     "forward 9005",
		Aliases:     []string{"fwd"},
		Args:        some("a port, for example 9005"),
		Annotations: map[string]string{laneKey: "forwards", jsonKey: "yes"},
		RunE: r.does(func(ctx context.Context, r *run, args []string) (reply.Answer, error) {
			return forward(ctx, r, args, spec)
		}),
	}
	forward.Flags().IntVar(&spec.To, "to", 0, "the `port` inside the sandbox; by default the same")
	forward.Flags().StringVar(&spec.Agent, "agent", "", "the agent's `name`, where several have sandboxes")
	unforward := &cobra.Command{
		Use:         "unforward PORT...|all",
		Short:       "closes ports that were opened by forward",
		Example:     "unforward 9005",
		Aliases:     []string{"unfwd"},
		Args:        some("a port, for example 9005, or all"),
		Annotations: map[string]string{laneKey: "forwards"},
		RunE:        r.does(unforward),
	}
	forwards := &cobra.Command{
		Use:         "forwards",
		Short:       "lists the open ports and what is behind them",
		Aliases:     []string{"ports"},
		Args:        none,
		Annotations: map[string]string{quickKey: "yes", jsonKey: "yes"},
		RunE:        r.does(listForwards),
	}
	return []*cobra.Command{forward, unforward, forwards}
}

func forward(ctx context.Context, r *run, args []string, spec forwarder.Spec) (reply.Answer, error) {
	list, err := r.ports(args, r.forwardable)
	if err != nil {
		return reply.Answer{}, err
	}
	if spec.To < 0 || spec.To > 65535 || (spec.To != 0 && len(list) > 1) {
		return reply.Answer{}, Sorry("--to takes one port between 1 and 65535, for one forward.")
	}
	var opened []int
	for _, port := range list {
		spec.Port = port
		if err := r.openForward(ctx, spec); err != nil {
			for _, done := range opened {
				err = errors.Join(err, r.closeForward(context.WithoutCancel(ctx), done))
			}
			return reply.Answer{}, err
		}
		opened = append(opened, port)
	}
	return r.opened(ctx, opened), nil
}

// openForward remembers a forward before it opens it: killed in between, the
// port is opened at the next start, as was asked.
func (r *run) openForward(ctx context.Context, spec forwarder.Spec) error {
	for _, status := range r.Forwards.List() {
		if status.Port == spec.Port {
			return r.alreadyForwarded(nil, spec.Port)
		}
	}
	record := store.Forward{Port: spec.Port, Target: spec.To, Agent: spec.Agent, CreatedBy: r.request.Sender, CreatedAt: time.Now()}
	if err := r.Records.SaveForward(ctx, record); err != nil {
		return fmt.Errorf("remember forward %d: %w", spec.Port, err)
	}
	crashpoint.At("forward.saved")
	err := r.Forwards.Open(spec)
	var already *forwarder.AlreadyError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &already):
		return r.alreadyForwarded(err, spec.Port) // the record is of that one, too
	}
	return errors.Join(forwardProblem(err), r.Records.DeleteForward(context.WithoutCancel(ctx), spec.Port))
}

func (r *run) alreadyForwarded(cause error, port int) error {
	return Because(cause, "Port %d is forwarded already. %sforwards lists what is open.", port, prompt(r.request))
}

func forwardProblem(err error) error {
	var held *forwarder.InUseError
	if !errors.As(err, &held) {
		return err
	}
	if held.Holder == "" {
		return Because(err, "Port %d is taken by another program. Choose another port, or stop that program.", held.Addr.Port())
	}
	return Because(err, "Port %d is taken by %s. Choose another port, or stop that program.", held.Addr.Port(), held.Holder)
}

func unforward(ctx context.Context, r *run, args []string) (reply.Answer, error) {
	known, err := r.knownForwards(ctx)
	if err != nil {
		return reply.Answer{}, err
	}
	list := slices.Sorted(maps.Keys(known))
	if len(args) != 1 || args[0] != "all" {
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
	return reply.Answer{Doc: reply.Say(plural(len(list), "Port ", "Ports "), join(list), verb, " closed."), Undo: reopening(list, known)}, nil
}

// knownForwards are those that are open, and those that are remembered but
// were left closed at the start because they are outside the range.
func (r *run) knownForwards(ctx context.Context) (map[int]forwarder.Spec, error) {
	saved, err := r.Records.Forwards(ctx)
	if err != nil {
		return nil, err
	}
	known := map[int]forwarder.Spec{}
	for _, f := range saved {
		known[f.Port] = forwarder.Spec{Port: f.Port, To: f.Target, Agent: f.Agent}
	}
	for _, status := range r.Forwards.List() {
		known[status.Port] = status.Spec
	}
	return known, nil
}

// allKnown refuses a list with a port in it that is not forwarded.
func (r *run) allKnown(ports []int, known map[int]forwarder.Spec) error {
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

// reopening are the lines that open ports again as they were.
func reopening(ports []int, known map[int]forwarder.Spec) string {
	var lines []string
	plain := map[string][]int{} // by agent
	for _, port := range ports {
		if spec := known[port]; spec.To != 0 && spec.To != port {
			lines = append(lines, fmt.Sprintf("forward %d --to=%d", port, spec.To)+ofAgent(spec.Agent))
			continue
		}
		plain[known[port].Agent] = append(plain[known[port].Agent], port)
	}
	for _, agent := range slices.Sorted(maps.Keys(plain)) {
		lines = append(lines, "forward "+join(plain[agent])+ofAgent(agent))
	}
	return strings.Join(lines, "\n")
}

func ofAgent(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf(" --agent=%q", name)
}

func plural(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}

// closeForward closes a port and forgets it.
func (r *run) closeForward(ctx context.Context, port int) error {
	err := r.Forwards.Close(forwarder.Key{Port: port})
	var closed *forwarder.NotOpenError
	if err != nil && !errors.As(err, &closed) {
		return err
	}
	return r.Records.DeleteForward(ctx, port)
}
