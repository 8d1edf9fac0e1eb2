package command

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/openclaw/json5"
	"github.com/githabideri/fraktalia/reply"
)

// Agents is what the commands for OpenClaw's configuration act on.
type Agents interface {
	ConfigFile
	// Sandboxes lists the containers of agents.
	Sandboxes(ctx context.Context) ([]AgentSandbox, error)
	// RemoveSandboxes removes an agent's containers, whatever runs in them.
	RemoveSandboxes(ctx context.Context, agent string) (removed int, err error)
	// FindRoom finds a room by its id, alias or name, among those that the bot
	// is in. Errors: *UnknownRoom, *AmbiguousRoom.
	FindRoom(ctx context.Context, text string) (id string, err error)
	// RoomName is what people call a room; "" where the bot cannot see it.
	RoomName(ctx context.Context, id string) string
	// Tombstoned says whether OpenClaw remembers an agent of that id as deleted
	// by its own program, and would not run a new one.
	Tombstoned(ctx context.Context, id string) (bool, error)
	// AsideOf says where an agent's workspace is, and to where it would be moved
	// aside. Errors: *WorkspaceKept.
	AsideOf(agent openclaw.Agent, rest []openclaw.Agent) (path, aside string, err error)
}

// AgentSandbox is a container of an agent.
type AgentSandbox struct {
	// Agent is "" for the sandbox that all agents share.
	Agent   string
	Name    string
	Running bool
	// Networks are those that it is on.
	Networks []string
	// Stale says that its image has been built anew since it was made.
	Stale bool
}

// UnknownRoom says that the bot is in no room of that id, alias or name.
type UnknownRoom struct {
	Text string
	// Known are rooms that the bot is in, as people call them.
	Known []string
}

func (e *UnknownRoom) Error() string { return "no room " + e.Text }

// AmbiguousRoom says that several rooms have the name.
type AmbiguousRoom struct {
	Text string
	IDs  []string
}

func (e *AmbiguousRoom) Error() string { return "several rooms are called " + e.Text }

// agentsLane keeps changes of the configuration in the order of their commands.
const agentsLane = "agents"

func (r *run) agentsFamily() []*cobra.Command {
	var orphans bool
	agents := &cobra.Command{
		Use:   "agents [--orphans]",
		Short: "lists OpenClaw's agents, their sandboxes and rooms",
		Long: "With --orphans: what is left of agents that are not in openclaw.json any more, such as containers, entries of rooms, roles, rooms that were made for them, workspaces and sessions; " +
			"I ask what of it is to be removed.",
		Args:        none,
		Annotations: map[string]string{quickKey: "yes", jsonKey: "yes", laneKey: agentsLane, slowKey: "orphans", interruptedKey: "!agents --orphans, said again, shows what is left."},
		RunE: r.does(func(ctx context.Context, r *run, args []string) (reply.Answer, error) {
			if orphans {
				return listOrphans(ctx, r)
			}
			return listAgents(ctx, r, args)
		}),
	}
	agents.Flags().BoolVar(&orphans, "orphans", false, "find what removed and renamed agents have left, and offer to remove it")
	family := append([]*cobra.Command{agents, r.agentCommand()}, r.isolationFamily()...)
	return append(append(family, r.rosterCommands()...), r.configCommands()...)
}

// agentRow is one agent for programs.
type agentRow struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Model   string   `json:"model"`
	Sandbox string   `json:"sandbox"`
	Image   string   `json:"image"`
	Network string   `json:"network"`
	Rooms   []string `json:"rooms"`
	// Container is the name of its sandbox's container; "" where there is none.
	Container string `json:"container"`
	Running   bool   `json:"running"`
	Stale     bool   `json:"stale"`
}

func listAgents(ctx context.Context, r *run, _ []string) (reply.Answer, error) {
	config, err := r.Agents.Load()
	if err != nil {
		return reply.Answer{}, r.configProblem(err)
	}
	agents, err := config.Agents()
	if err != nil {
		return reply.Answer{}, r.configProblem(err)
	}
	sandboxes, engine := r.Agents.Sandboxes(ctx)
	rows := make([]agentRow, len(agents))
	for i, agent := range agents {
		rows[i] = newAgentRow(config, agent, r.Settings.Image, sandboxes)
	}
	rows = r.discreetAgents(rows)
	table := reply.Table{Head: []string{"agent", "model", "sandbox, network, image", "rooms", "container"}}
	for _, row := range rows {
		table.Rows = append(table.Rows, []any{nameText(row), row.Model, sandboxText(row),
			r.roomNames(ctx, row.Rooms), containerText(row, engine)})
	}
	switch {
	case len(rows) == 0 && r.request.Role != Owner:
		return reply.Answer{Doc: reply.Say("No agent answers in this room."), Data: rows}, nil
	case len(rows) == 0:
		return reply.Answer{Doc: reply.Say("There is no agent. ", reply.Mono("%saddagent NAME", prompt(r.request)), " makes one."), Data: rows}, nil
	}
	return reply.Answer{Doc: reply.Doc{table}, Data: rows}, nil
}

// nameText is the id with the name behind it.
func nameText(row agentRow) reply.Line {
	if row.Name == "" {
		return reply.Line{reply.Bold("%s", row.ID)}
	}
	return reply.Line{reply.Bold("%s", row.ID), " (", row.Name, ")"}
}

// sandboxText is all of a sandbox in one cell: a table in a room has little width.
func sandboxText(row agentRow) string {
	var parts []string
	for _, part := range []string{row.Sandbox, row.Network, row.Image} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ", ")
}

// newAgentRow puts together what the entry says, what it inherits, and what runs.
func newAgentRow(config *openclaw.Config, agent openclaw.Agent, image string, sandboxes []AgentSandbox) agentRow {
	defaults := openclaw.Agent{}
	if agents, ok := config.Value().Member("agents"); ok {
		defaults.Value, _ = agents.Member("defaults")
	}
	inherited := func(otherwise string, names ...string) string {
		return orElse(orElse(agent.Text(names...), defaults.Text(names...)), otherwise)
	}
	row := agentRow{ID: agent.ID, Name: agent.Text("name"), Model: orElse(agent.Model(), defaults.Model()),
		Sandbox: inherited("off", "sandbox", "mode"), Rooms: append([]string{}, config.Rooms(agent.ID)...)}
	if row.Sandbox == "off" {
		return row
	}
	row.Image = inherited(image, "sandbox", "docker", "image")
	row.Network = inherited("none", "sandbox", "docker", "network")
	owner := agent.ID
	if inherited("agent", "sandbox", "scope") == "shared" {
		owner = ""
	}
	for _, s := range sandboxes {
		if s.Agent == owner && (row.Container == "" || s.Running && !row.Running) {
			row.Container, row.Running, row.Stale = s.Name, s.Running, s.Stale
		}
	}
	return row
}

func containerText(row agentRow, engine error) string {
	switch {
	case row.Sandbox == "off":
		return ""
	case engine != nil:
		return "❌ no Docker engine"
	case row.Container == "":
		return "none yet"
	case row.Stale:
		return "⚠️ runs an older image"
	case row.Running:
		return "✅ runs"
	}
	return "stopped"
}

// roomNames are the names of rooms, or their ids.
func (r *run) roomNames(ctx context.Context, ids []string) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = orElse(r.Agents.RoomName(ctx, id), id)
	}
	return strings.Join(names, ", ")
}

// showAgent shows an entry as it is written, comments and all, but for its secrets.
func showAgent(ctx context.Context, r *run, id string) (reply.Answer, error) {
	config, err := r.Agents.Load()
	if err != nil {
		return reply.Answer{}, r.configProblem(err)
	}
	agent, err := config.Agent(id)
	if err != nil {
		return reply.Answer{}, r.configProblem(err)
	}
	node, err := config.Get(agent.Path)
	if err != nil {
		return reply.Answer{}, r.configProblem(err)
	}
	doc := reply.Doc{reply.Code{Language: "json5", Text: outdented(withoutSecrets(node.Raw()))}}
	sandboxes, engine := r.Agents.Sandboxes(ctx)
	row := newAgentRow(config, agent, r.Settings.Image, sandboxes)
	facts := []string{}
	if len(row.Rooms) > 0 {
		facts = append(facts, "Rooms: "+r.roomNames(ctx, row.Rooms)+".")
	}
	if text := containerText(row, engine); text != "" {
		facts = append(facts, "Sandbox: "+text+".")
	}
	if len(facts) > 0 {
		doc = append(doc, reply.P(strings.Join(facts, " ")))
	}
	return reply.Answer{Doc: doc, Data: json.RawMessage(plainValue(agent.Value))}, nil
}

// hidden stands where a secret does.
const hidden = "<hidden>"

// withoutSecrets is a value's text with its secrets replaced.
func withoutSecrets(raw []byte) string {
	mark := fmt.Sprintf("%q", hidden)
	text, err := openclaw.WithoutSecrets(raw, func([]byte) string { return mark })
	if err != nil {
		return mark
	}
	return text
}

// plainValue is a value as JSON, its secrets replaced.
func plainValue(v json5.Value) []byte {
	doc, err := json5.Parse([]byte(withoutSecrets(v.JSON("  "))))
	if err != nil {
		return []byte("null")
	}
	return doc.Root().Value().JSON("  ")
}

// outdented takes away the indentation that a value has from where it stands:
// that of its last line.
func outdented(text string) string {
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	last := lines[len(lines)-1]
	indent := last[:len(last)-len(strings.TrimLeft(last, " \t"))]
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], indent)
	}
	return strings.Join(lines, "\n")
}
