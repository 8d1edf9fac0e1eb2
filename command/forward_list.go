package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
	"golang.org/x/sync/errgroup"

	"github.com/githabideri/fraktalia/forwarder"
	"github.com/githabideri/fraktalia/reply"
)

const (
	// probeWait is how long an answer waits to tell whether a service answers.
	probeWait = 800 * time.Millisecond
	// probesAtOnce bounds the connections that are tried side by side.
	probesAtOnce = 16
	// mostLines is how many new forwards are told in a line each, and mostRows
	// how many are listed in a room: a message has its bounds.
	mostLines = 10
	mostRows  = 40
)

// opened tells where the new forwards are reached and what is behind them.
func (r *run) opened(ctx context.Context, ports []int) reply.Answer {
	list := slices.DeleteFunc(r.Forwards.List(), func(s forwarder.Status) bool { return !slices.Contains(ports, s.Port) })
	rows, hosts := r.rows(ctx, list), r.Settings.Hosts(ctx)
	answer := reply.Answer{Data: rows, Undo: "unforward " + join(ports)}
	if len(list) > mostLines {
		answer.Doc = r.openedMany(list, rows, hosts)
		return answer
	}
	var lines []reply.Line
	for i, status := range list {
		lines = append(lines, reply.Line{"Port ", reply.Bold("%d", status.Port), " is open at ", links(hosts, status), ". ", rows[i].Behind})
	}
	answer.Doc = reply.Doc{reply.Lines{Items: lines}}
	if len(lines) == 1 {
		answer.Doc = reply.Doc{reply.P(lines[0]...)}
	}
	return answer
}

// openedMany tells it in one line.
func (r *run) openedMany(list []forwarder.Status, rows []forwardRow, hosts []string) reply.Doc {
	ports := make([]int, len(list))
	answering := 0
	for i, status := range list {
		ports[i] = status.Port
		if rows[i].Way != "" {
			answering++
		}
	}
	return reply.Doc{reply.P("Ports ", reply.Bold("%s", join(ports)), " are open at ", strings.Join(addresses(hosts, list[0]), ", "),
		fmt.Sprintf("; %d %s. ", answering, plural(answering, "answers", "answer")), reply.Mono("%sforwards", prompt(r.request)), " tells more.")}
}

// addresses are the names and addresses at which people reach a port.
func addresses(hosts []string, s forwarder.Status) []string {
	all := slices.Clone(hosts)
	for _, listening := range s.Listening {
		if addr := listening.Addr(); addr.Is4() && !addr.IsLoopback() && !addr.IsUnspecified() {
			all = append(all, addr.String())
		}
	}
	if len(all) == 0 {
		return []string{"127.0.0.1"}
	}
	return all
}

func links(hosts []string, s forwarder.Status) reply.Line {
	var line reply.Line
	for i, host := range addresses(hosts, s) {
		if i > 0 {
			line = append(line, ", ")
		}
		address := fmt.Sprintf("%s:%d", host, s.Port)
		line = append(line, reply.Link("http://"+address, address))
	}
	return line
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
	list := r.Forwards.List()
	rows := r.rows(ctx, list)
	if len(rows) == 0 {
		return reply.Answer{Doc: reply.Say("No port is forwarded. ", reply.Mono("%sforward %d", prompt(r.request), r.Settings.FirstPort), " opens one."), Data: rows}, nil
	}
	shown := rows
	if !r.request.Shell {
		shown = rows[:min(len(rows), mostRows)]
	}
	hosts := r.Settings.Hosts(ctx)
	table := reply.Table{Head: []string{"port", "address", "agent", "behind it", "connections", "since"}}
	for i, row := range shown {
		table.Rows = append(table.Rows, []any{portText(row), links(hosts, list[i]), row.Agent, row.short,
			fmt.Sprintf("%d of %d, %s", row.Connections, row.Total, units.HumanSize(float64(row.BytesIn+row.BytesOut))),
			strings.ToLower(units.HumanDuration(time.Since(row.Since)))})
	}
	doc := reply.Doc{table}
	if more := len(rows) - len(shown); more > 0 {
		doc = append(doc, reply.P(fmt.Sprintf("… and %d more. ", more), reply.Mono("fraktalia forwards"), " in the machine's shell lists all."))
	}
	return reply.Answer{Doc: doc, Data: rows}, nil
}

// portText shows the port inside where it is another one.
func portText(row forwardRow) string {
	if row.To == row.Port {
		return strconv.Itoa(row.Port)
	}
	return fmt.Sprintf("%d → %d", row.Port, row.To)
}

// rows looks behind the forwards, at several at once.
func (r *run) rows(ctx context.Context, list []forwarder.Status) []forwardRow {
	rows := make([]forwardRow, len(list))
	var looking errgroup.Group
	looking.SetLimit(probesAtOnce)
	for i, status := range list {
		looking.Go(func() error { rows[i] = r.row(ctx, status); return nil })
	}
	_ = looking.Wait() // none of them fails
	return rows
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
	way, err := r.Forwards.Probe(ctx, s.Key())
	var noRelay *forwarder.NoRelayError
	switch {
	case err == nil && way != "direct":
		return behind{fmt.Sprintf("A service answers in %s, by the %s.", s.Sandbox.Name, way), "✅ answers, by the " + way, way}
	case err == nil:
		return behind{fmt.Sprintf("A service answers in %s.", s.Sandbox.Name), "✅ answers", way}
	case errors.As(err, &noRelay):
		return behind{sentence: fmt.Sprintf("Nothing answers on port %d in %s yet; its image has no relay, so what listens on 127.0.0.1 alone is not reached: %srebuild-sandbox puts it in.",
			s.To, s.Sandbox.Name, prompt(r.request)), short: "⏳ nothing answers yet (no relay in the image)"}
	}
	return behind{sentence: fmt.Sprintf("Nothing answers on port %d in %s yet.", s.To, s.Sandbox.Name),
		short: "⏳ nothing answers yet"}
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
