package command

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/crashpoint"
	"github.com/githabideri/fraktalia/forwarder"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

// Forwards is what the commands for ports act on.
type Forwards interface {
	Open(spec forwarder.Spec) error
	Close(port int) error
	List() []forwarder.Status
	Probe(ctx context.Context, port int) (way string, err error)
}

// probeWait is how long an answer waits to tell whether a service answers.
const probeWait = 800 * time.Millisecond

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
	ports, err := r.ports(args)
	if err != nil {
		return reply.Answer{}, err
	}
	if spec.To < 0 || spec.To > 65535 || (spec.To != 0 && len(ports) > 1) {
		return reply.Answer{}, Sorry("--to takes one port between 1 and 65535, for one forward.")
	}
	var opened []int
	for _, port := range ports {
		spec.Port = port
		if err := r.openForward(ctx, spec); err != nil {
			for _, done := range opened {
				err = errors.Join(err, r.closeForward(ctx, done))
			}
			return reply.Answer{}, err
		}
		opened = append(opened, port)
	}
	return r.opened(ctx, opened)
}

// openForward remembers a forward before it opens it: killed in between, the
// port is opened at the next start, as was asked.
func (r *run) openForward(ctx context.Context, spec forwarder.Spec) error {
	for _, status := range r.Forwards.List() {
		if status.Port == spec.Port {
			return Sorry("Port %d is forwarded already. %sforwards lists what is open.", spec.Port, prompt(r.request))
		}
	}
	record := store.Forward{Port: spec.Port, Target: spec.To, Agent: spec.Agent, CreatedBy: r.request.Sender, CreatedAt: time.Now()}
	if err := r.Records.SaveForward(ctx, record); err != nil {
		return fmt.Errorf("remember forward %d: %w", spec.Port, err)
	}
	crashpoint.At("forward.saved")
	err := r.Forwards.Open(spec)
	if err == nil {
		return nil
	}
	return errors.Join(forwardProblem(err), r.Records.DeleteForward(context.WithoutCancel(ctx), spec.Port))
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

// opened tells where the new forwards are reached and what is behind them.
func (r *run) opened(ctx context.Context, ports []int) (reply.Answer, error) {
	var lines []reply.Line
	var rows []forwardRow
	for _, status := range r.Forwards.List() {
		for _, port := range ports {
			if status.Port != port {
				continue
			}
			row := r.row(ctx, status)
			rows = append(rows, row)
			lines = append(lines, reply.Line{"Port ", reply.Bold("%d", port), " is open at ", r.links(ctx, status), ". ", row.Behind})
		}
	}
	doc := reply.Doc{reply.Lines{Items: lines}}
	if len(lines) == 1 {
		doc = reply.Doc{reply.P(lines[0]...)}
	}
	return reply.Answer{Doc: doc, Data: rows, Undo: "unforward " + join(ports)}, nil
}

func join(ports []int) string {
	words := make([]string, len(ports))
	for i, port := range ports {
		words[i] = strconv.Itoa(port)
	}
	return strings.Join(words, " ")
}

// links are the addresses at which people reach a port.
func (r *run) links(ctx context.Context, s forwarder.Status) reply.Line {
	hosts := r.Settings.Hosts(ctx)
	for _, listening := range s.Listening {
		if addr := listening.Addr(); addr.Is4() && !addr.IsLoopback() && !addr.IsUnspecified() {
			hosts = append(hosts, addr.String())
		}
	}
	if len(hosts) == 0 {
		hosts = []string{"127.0.0.1"}
	}
	var line reply.Line
	for i, host := range hosts {
		if i > 0 {
			line = append(line, ", ")
		}
		address := fmt.Sprintf("%s:%d", host, s.Port)
		line = append(line, reply.Link("http://"+address, address))
	}
	return line
}

func unforward(ctx context.Context, r *run, args []string) (reply.Answer, error) {
	var ports []int
	if len(args) == 1 && args[0] == "all" {
		for _, status := range r.Forwards.List() {
			ports = append(ports, status.Port)
		}
	} else {
		var err error
		if ports, err = r.ports(args); err != nil {
			return reply.Answer{}, err
		}
	}
	if len(ports) == 0 {
		return reply.Answer{Doc: reply.Say("No port is forwarded.")}, nil
	}
	for _, port := range ports {
		if err := r.closeForward(ctx, port); err != nil {
			return reply.Answer{}, err
		}
	}
	verb := map[bool]string{true: " is", false: " are"}[len(ports) == 1]
	return reply.Answer{Doc: reply.Say(plural(len(ports), "Port ", "Ports "), join(ports), verb, " closed."), Undo: "forward " + join(ports)}, nil
}

func plural(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}

func (r *run) closeForward(ctx context.Context, port int) error {
	err := r.Forwards.Close(port)
	var closed *forwarder.NotOpenError
	if errors.As(err, &closed) {
		return Because(err, "Port %d is not forwarded. %sforwards lists what is open.", port, prompt(r.request))
	}
	if err != nil {
		return err
	}
	return r.Records.DeleteForward(ctx, port)
}

// forwardRow is one forward for programs.
type forwardRow struct {
	Port        int       `json:"port"`
	To          int       `json:"to"`
	Agent       string    `json:"agent"`
	Container   string    `json:"container"`
	State       string    `json:"state"`
	Behind      string    `json:"behind"`
	Way         string    `json:"way"`
	Listening   []string  `json:"listening"`
	Connections int64     `json:"connections"`
	Total       uint64    `json:"connections_total"`
	BytesIn     uint64    `json:"bytes_in"`
	BytesOut    uint64    `json:"bytes_out"`
	Since       time.Time `json:"since"`

	short string // Behind in a few words, for a table
}

func listForwards(ctx context.Context, r *run, _ []string) (reply.Answer, error) {
	rows := []forwardRow{}
	table := reply.Table{Head: []string{"port", "address", "agent", "behind it", "connections", "since"}}
	for _, status := range r.Forwards.List() {
		row := r.row(ctx, status)
		rows = append(rows, row)
		table.Rows = append(table.Rows, []any{portText(row), r.links(ctx, status), row.Agent, row.short,
			fmt.Sprintf("%d of %d, %s", row.Connections, row.Total, units.HumanSize(float64(row.BytesIn+row.BytesOut))),
			strings.ToLower(units.HumanDuration(time.Since(row.Since)))})
	}
	if len(rows) == 0 {
		return reply.Answer{Doc: reply.Say("No port is forwarded. ", reply.Mono("%sforward %d", prompt(r.request), r.Settings.FirstPort), " opens one."), Data: rows}, nil
	}
	return reply.Answer{Doc: reply.Doc{table}, Data: rows}, nil
}

// portText shows the port inside where it is another one.
func portText(row forwardRow) string {
	if row.To == row.Port {
		return strconv.Itoa(row.Port)
	}
	return fmt.Sprintf("%d → %d", row.Port, row.To)
}

func (r *run) row(ctx context.Context, s forwarder.Status) forwardRow {
	behind := r.behind(ctx, s)
	row := forwardRow{Port: s.Port, To: s.To, Agent: s.Sandbox.Agent, Container: s.Sandbox.Name, State: s.State.String(), Behind: behind.sentence, Way: behind.way,
		Listening: []string{}, Connections: s.Open, Total: s.Total, BytesIn: s.In, BytesOut: s.Out, Since: s.Since, short: behind.short}
	if row.Agent == "" {
		row.Agent = s.Agent
	}
	for _, addr := range s.Listening {
		row.Listening = append(row.Listening, addr.String())
	}
	return row
}

// behind is what a connection to a forward would meet now, in a sentence and
// in a few words.
type behind struct{ sentence, short, way string }

func (r *run) behind(ctx context.Context, s forwarder.Status) behind {
	switch s.State {
	case forwarder.Held:
		holder := orElse(s.Holder, "another program")
		return behind{sentence: fmt.Sprintf("The port is taken by %s; I try again.", holder), short: "❌ taken by " + holder}
	case forwarder.Waiting:
		return behind{sentence: "No sandbox is running; it waits for one.", short: "⏳ no sandbox runs yet"}
	case forwarder.Ambiguous:
		agents := strings.Join(s.Agents, ", ")
		return behind{sentence: fmt.Sprintf("Several agents have sandboxes (%s): close it and say which with --agent.", agents), short: "⚠️ whose: " + agents + "?"}
	case forwarder.Unreachable:
		return behind{sentence: fmt.Sprintf("The sandbox %s has no network (sandbox.docker.network is none), so nothing reaches it.", s.Sandbox.Name), short: "⚠️ sandbox without network"}
	case forwarder.Unknown:
		return behind{sentence: "The Docker engine does not answer; it waits.", short: "❌ no Docker engine"}
	}
	ctx, cancel := context.WithTimeout(ctx, probeWait)
	defer cancel()
	way, err := r.Forwards.Probe(ctx, s.Port)
	if err == nil {
		return behind{fmt.Sprintf("A service answers in %s.", s.Sandbox.Name), "✅ answers", way}
	}
	return behind{sentence: fmt.Sprintf("Nothing answers on port %d in %s yet (a server there has to listen on 0.0.0.0, not on 127.0.0.1 alone).", s.To, s.Sandbox.Name),
		short: "⏳ nothing answers yet"}
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
