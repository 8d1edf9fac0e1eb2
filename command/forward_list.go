package command

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker/go-units"

	"github.com/githabideri/fraktalia/forwarder"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

const (
	// mostLines is how many new forwards are told in a line each, and mostRows
	// how many are listed in a room: a message has its bounds.
	mostLines = 10
	mostRows  = 40
)

// opened tells where the forwards are reached and what is behind them.
func (r *run) opened(ctx context.Context, p forwardPlan) (reply.Answer, error) {
	known, err := r.knownForwards(ctx)
	if err != nil {
		return reply.Answer{}, err
	}
	list := slices.DeleteFunc(r.Forwards.List(), func(s forwarder.Status) bool { return s.UDP != p.udp || !slices.Contains(p.ports, s.Port) })
	rows, hosts := r.rows(ctx, list, known), r.Settings.Hosts(ctx)
	answer := reply.Answer{Data: rows, Undo: "unforward " + join(p.ports) + protocolFlag(p.udp)}
	if len(p.before) > 0 {
		answer.Undo = changingBack(p.before)
	}
	for _, row := range rows {
		r.Forwards.Told(row.key(), row.Way != "")
	}
	if len(list) > mostLines {
		answer.Doc = r.openedMany(list, rows, hosts)
		return answer, nil
	}
	var lines []reply.Line
	for i, status := range list {
		lines = append(lines, append(openLine(status, rows[i], hosts, r.now()), ". ", rows[i].Behind))
	}
	answer.Doc = reply.Doc{reply.Lines{Items: lines}}
	if len(lines) == 1 {
		answer.Doc = reply.Doc{reply.P(lines[0]...)}
	}
	return answer, nil
}

// openLine is "Port 9005 is open at box:9005, to 8080, until 14:32 (2 hours)".
func openLine(s forwarder.Status, row forwardRow, hosts []string, now time.Time) reply.Line {
	line := reply.Line{"Port ", reply.Bold("%s", s.Key()), " is open at "}
	for i, link := range links(hosts, s) {
		if i > 0 {
			line = append(line, ", ")
		}
		line = append(line, link)
	}
	if row.To != row.Port {
		line = append(line, fmt.Sprintf(", to %d inside", row.To))
	}
	if row.Until != nil {
		line = append(line, fmt.Sprintf(", until %s (%s)", clock(*row.Until, now), lasting(row.Until.Sub(now))))
	}
	return line
}

// protocolFlag is what names one of a port's two forwards.
func protocolFlag(udp bool) string { return " --" + protocol(udp) }

func protocol(udp bool) string {
	if udp {
		return "udp"
	}
	return "tcp"
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
	until := ""
	if rows[0].Until != nil {
		until = fmt.Sprintf(", until %s (%s)", clock(*rows[0].Until, r.now()), lasting(rows[0].Until.Sub(r.now())))
	}
	return reply.Doc{reply.P("Ports ", reply.Bold("%s", join(ports)), " are open at ", strings.Join(addresses(hosts, list[0]), ", "), until,
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

func links(hosts []string, s forwarder.Status) []reply.Span {
	var list []reply.Span
	for _, host := range addresses(hosts, s) {
		address := fmt.Sprintf("%s:%d", host, s.Port)
		if s.UDP {
			list = append(list, reply.Mono("%s", address)) // nothing for a browser
			continue
		}
		list = append(list, reply.Link("http://"+address, address))
	}
	return list
}

// forwardRow is one forward for programs.
type forwardRow struct {
	Port      int    `json:"port"`
	Protocol  string `json:"protocol"`
	To        int    `json:"to"`
	Agent     string `json:"agent"`
	Container string `json:"container"`
	State     string `json:"state"`
	Behind    string `json:"behind"`
	Way       string `json:"way"`
	// Service is the program that listens inside, as far as that can be seen.
	Service       string     `json:"service"`
	On            string     `json:"on"`
	ProxyProtocol bool       `json:"proxy_protocol"`
	Listening     []string   `json:"listening"`
	Connections   int64      `json:"connections"`
	Total         uint64     `json:"connections_total"`
	BytesIn       uint64     `json:"bytes_in"`
	BytesOut      uint64     `json:"bytes_out"`
	Since         time.Time  `json:"since"`
	Until         *time.Time `json:"until"`

	short reply.Line // Behind in a few words, for a table
}

func (row forwardRow) key() forwarder.Key {
	return forwarder.Key{Port: row.Port, UDP: row.Protocol == protocol(true)}
}

func listForwards(ctx context.Context, r *run, _ []string) (reply.Answer, error) {
	known, err := r.knownForwards(ctx)
	if err != nil {
		return reply.Answer{}, err
	}
	list := r.Forwards.List()
	rows := r.rows(ctx, list, known)
	for i := range rows {
		rows[i] = r.discreetForward(rows[i], list[i])
	}
	if len(rows) == 0 {
		return reply.Answer{Doc: reply.Say("No port is forwarded. ", reply.Mono("%sforward %d", prompt(r.request), r.Settings.FirstPort), " opens one."), Data: rows}, nil
	}
	shown := rows
	if !r.request.Shell {
		shown = rows[:min(len(rows), mostRows)]
	}
	hosts := r.Settings.Hosts(ctx)
	table := reply.Table{Head: []string{"port", "behind it"}}
	for i, row := range shown {
		table.Rows = append(table.Rows, []any{portCell(row, links(hosts, list[i])), behindCell(row, r.now())})
	}
	doc := reply.Doc{table}
	if more := len(rows) - len(shown); more > 0 {
		doc = append(doc, reply.P(fmt.Sprintf("… and %d more. ", more), reply.Mono("fraktalia forwards"), " in the machine's shell lists all."))
	}
	return reply.Answer{Doc: doc, Data: rows}, nil
}

// portCell is the port, the one inside where it is another, and where people
// reach it: each in a line of its own, because a room is narrow.
func portCell(row forwardRow, links []reply.Span) reply.Lines {
	head := reply.Line{reply.Bold("%s", row.key())}
	if row.To != row.Port {
		head = append(head, fmt.Sprintf(" → %d", row.To))
	}
	cell := reply.Lines{Items: []reply.Line{head}}
	for _, link := range links {
		cell.Items = append(cell.Items, reply.Line{link})
	}
	return cell
}

func behindCell(row forwardRow, now time.Time) reply.Lines {
	cell := reply.Lines{Items: []reply.Line{row.short}}
	where := row.Container
	switch {
	case row.Agent != "" && where != "":
		where = row.Agent + ": " + where
	case where == "" && row.Agent != "":
		where = "agent " + row.Agent
	}
	if row.Way != "" {
		where += ", " + row.Way
	}
	if row.ProxyProtocol {
		where += ", PROXY protocol"
	}
	if where != "" {
		cell.Items = append(cell.Items, reply.Line{where})
	}
	bytes := units.HumanSizeWithPrecision(float64(row.BytesIn+row.BytesOut), 3)
	cell.Items = append(cell.Items, reply.Line{fmt.Sprintf("%d %s, %d in all, %s", row.Connections, plural(int(row.Connections), "connection", "connections"), row.Total, bytes)})
	age := "open for " + lasting(now.Sub(row.Since))
	if row.Until != nil {
		age += ", until " + clock(*row.Until, now)
	}
	cell.Items = append(cell.Items, reply.Line{age})
	return cell
}

// rowOf is all of a row but what is behind it.
func rowOf(s forwarder.Status, f store.Forward) forwardRow {
	row := forwardRow{Port: s.Port, Protocol: protocol(s.UDP), To: s.To, Agent: s.Sandbox.Agent, Container: s.Sandbox.Name, State: s.State.String(), On: s.Bind.String(), ProxyProtocol: s.ProxyProtocol,
		Listening: []string{}, Connections: s.Open, Total: s.Total, BytesIn: s.In, BytesOut: s.Out, Since: s.Since}
	if row.Agent == "" {
		row.Agent = s.Agent
	}
	if !f.CreatedAt.IsZero() && f.CreatedAt.Year() > 1 {
		row.Since = f.CreatedAt
	}
	if !f.Until.IsZero() {
		row.Until = &f.Until
	}
	for _, addr := range s.Listening {
		row.Listening = append(row.Listening, addr.String())
	}
	return row
}
