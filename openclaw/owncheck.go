package openclaw

import (
	"fmt"
	"slices"
	"strings"

	"github.com/githabideri/fraktalia/openclaw/json5"
)

// topLevel lists the top-level members that OpenClaw 2026.9.6 knows, for machines without OpenClaw. An unknown one stops
// its gateway.
func topLevel() []string {
	return strings.Fields(`$schema meta env wizard diagnostics logging update telemetry browser ui secrets auth
		accessGroups acp models nodeHost agents worktreeRoot worktreeAcceleration tools security bindings broadcast attachments
		messages tts commands approvals session cron transcripts hooks channels discovery talk gateway cloudWorkers desktop
		memory mcp skills plugins surfaces proxy`)
}

// unknownKeys checks the top-level names against the list we carry.
func (c *Config) unknownKeys() []Issue {
	var issues []Issue
	for _, m := range c.Value().Members {
		if !slices.Contains(topLevel(), m.Key) && m.Key != includeKey {
			issues = append(issues, Issue{"", unknownKey(m.Key, topLevel())})
		}
	}
	return issues
}

// crossReferences finds what no schema can: ids that are there twice or that OpenClaw does not take, bindings to agents
// that do not exist, both shapes at once.
func (c *Config) crossReferences() []Issue {
	agents, err := c.Agents()
	if err != nil {
		return []Issue{{"agents", err.Error()}}
	}
	var issues []Issue
	var ids []string
	for _, a := range agents {
		if slices.Contains(ids, a.ID) {
			issues = append(issues, Issue{a.Path.String(), fmt.Sprintf("the id %q is there twice", a.ID)})
		}
		if !validID(a.ID) {
			issues = append(issues, Issue{a.Path.String(), (&AgentIDError{a.ID}).Error()})
		}
		ids = append(ids, a.ID)
	}
	return append(append(issues, c.ownershipIssues(agents)...), c.strayBindings(ids)...)
}

// ownershipIssues finds rosters of which OpenClaw could not say who answers where nothing is bound.
func (c *Config) ownershipIssues(agents []Agent) []Issue {
	marked := 0
	for _, a := range agents {
		if a.marked() {
			marked++
		}
	}
	switch {
	case marked > 0 && c.owned():
		return []Issue{{"agents.ownership", `cannot be "explicit" while an agent carries default: true`}}
	case marked > 1:
		return []Issue{{"agents.entries", "only one agent may carry default: true"}}
	case marked == 0 && len(agents) > 1 && !c.owned():
		return []Issue{{"agents.ownership", `must be "explicit" where there are several agents`}}
	}
	return nil
}

// strayBindings finds bindings to agents that do not exist. Without any roster OpenClaw has an agent of its own.
func (c *Config) strayBindings(ids []string) []Issue {
	var issues []Issue
	if shape, err := c.Shape(); err != nil || shape == NoRoster {
		return nil
	}
	for _, b := range c.Bindings() {
		if b.AgentID == "" || slices.Contains(ids, b.AgentID) {
			continue
		}
		text := fmt.Sprintf("there is no agent %q", b.AgentID)
		if near := json5.Nearest(b.AgentID, ids); len(near) > 0 {
			text += "; did you mean " + strings.Join(near, " or ") + "?"
		}
		issues = append(issues, Issue{fmt.Sprintf("bindings.%d.agentId", b.Index), text})
	}
	return issues
}

// doubts finds what OpenClaw accepts and then silently does nothing with.
func (c *Config) doubts() []Issue {
	var doubts []Issue
	policy, _ := follow(c.Value(), matrixPath().Then(json5.Key("groupPolicy")))
	for _, b := range c.Bindings() {
		if b.matrixRoom() && !c.roomListed(b.Room) && (policy.Text == "" || policy.Text == "allowlist") {
			doubts = append(doubts, Issue{fmt.Sprintf("bindings.%d", b.Index),
				fmt.Sprintf("the room %s has no entry under channels.matrix.groups: its messages are dropped", b.Room)})
		}
	}
	bound := map[string]bool{}
	for _, b := range c.Bindings() {
		bound[b.Room] = true
	}
	groups, _ := follow(c.Value(), matrixPath().Then(json5.Key("groups")))
	for _, m := range groups.Members {
		if strings.HasPrefix(m.Key, "!") && !bound[m.Key] {
			doubts = append(doubts, Issue{"channels.matrix.groups", fmt.Sprintf("the room %s is bound to no agent: the default one answers there", m.Key)})
		}
	}
	return doubts
}

func (c *Config) roomListed(room string) bool {
	for _, base := range c.matrixPaths() {
		for _, name := range []string{"groups", "rooms"} {
			rooms, _ := follow(c.Value(), base.Then(json5.Key(name)))
			if _, all := rooms.Member("*"); all {
				return true
			}
			if _, listed := rooms.Member(room); listed {
				return true
			}
		}
	}
	return false
}

// metaLost says whether a change takes away what OpenClaw takes for the sign of a damaged file: it would put its last
// good copy back at the next start.
func metaLost(before, after *Config) []Issue {
	var issues []Issue
	for _, path := range []json5.Path{{json5.Key("meta")}, {json5.Key("gateway"), json5.Key("mode")}} {
		if before.has(path) && !after.has(path) {
			issues = append(issues, Issue{path.String(), "OpenClaw takes a file without it for damaged and puts its last good copy back"})
		}
	}
	if len(after.Document().Bytes())*2 < len(before.Document().Bytes()) {
		issues = append(issues, Issue{"", "the file would shrink to less than half, and OpenClaw would put its last good copy back"})
	}
	return issues
}
