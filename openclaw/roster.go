package openclaw

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/githabideri/fraktalia/openclaw/json5"
)

// idPattern is OpenClaw's own rule for agent ids.
const idPattern = `^[a-z0-9_][a-z0-9_-]{0,63}$`

// Agent is one entry of the roster.
type Agent struct {
	ID    string
	Path  json5.Path // of the entry
	Value json5.Value
}

// Text reads a string of the entry, such as Text("sandbox", "docker", "image"); empty if there is none.
func (a Agent) Text(names ...string) string {
	v := a.Value
	for _, name := range names {
		v, _ = v.Member(name)
	}
	if v.Kind != json5.String {
		return ""
	}
	return v.Text
}

// Model is the entry's model, in either of its two forms; empty where it is the default one.
func (a Agent) Model() string {
	if text := a.Text("model"); text != "" {
		return text
	}
	return a.Text("model", "primary")
}

// BothShapesError says that the file holds the roster in both shapes, the old list and the new map: nobody can say which
// one counts.
type BothShapesError struct{ Path string }

func (e *BothShapesError) Error() string {
	return e.Path + " has both agents.list and agents.entries; move all agents into one of them first"
}

// UnknownAgentError says that there is no such agent. Nearest are ids that resemble it, Known are all.
type UnknownAgentError struct {
	ID      string
	Nearest []string
	Known   []string
}

func (e *UnknownAgentError) Error() string { return fmt.Sprintf("there is no agent %q", e.ID) }

// AgentExistsError says that the id is taken.
type AgentExistsError struct{ ID string }

func (e *AgentExistsError) Error() string { return fmt.Sprintf("there is an agent %q already", e.ID) }

// DuplicateAgentError says that two entries have the same id.
type DuplicateAgentError struct{ ID string }

func (e *DuplicateAgentError) Error() string {
	return fmt.Sprintf("the agent %q is there twice; remove one of the entries first", e.ID)
}

// AgentIDError says that OpenClaw does not take the id.
type AgentIDError struct{ ID string }

func (e *AgentIDError) Error() string {
	return fmt.Sprintf("%q is no agent id: these have up to 64 of the characters a-z, 0-9, _ and -, and do not begin with -", e.ID)
}

// Shape says how a file holds the roster.
type Shape string

// The shapes: OpenClaw writes entries since 2026.8, and still reads list.
const (
	NoRoster      Shape = ""
	ListRoster    Shape = "list"
	EntriesRoster Shape = "entries"
)

// Shape finds how the configuration holds its agents. The error is a *BothShapesError.
func (c *Config) Shape() (Shape, error) {
	agents, _ := c.Value().Member("agents")
	_, list := agents.Member("list")
	_, entries := agents.Member("entries")
	switch {
	case list && entries:
		return NoRoster, &BothShapesError{c.root}
	case list:
		return ListRoster, nil
	case entries:
		return EntriesRoster, nil
	}
	return NoRoster, nil
}

// Agents lists the roster in the order of the file. Entries of a list that have no id are left out. Errors:
// *BothShapesError.
func (c *Config) Agents() ([]Agent, error) {
	shape, err := c.Shape()
	if err != nil {
		return nil, err
	}
	agents, _ := c.Value().Member("agents")
	roster, _ := agents.Member(string(shape))
	path := json5.Path{json5.Key("agents"), json5.Key(string(shape))}
	var found []Agent
	for _, m := range roster.Members {
		found = append(found, Agent{m.Key, path.Then(json5.Key(m.Key)), m.Value})
	}
	for _, item := range roster.Items {
		if id, _ := item.Member("id"); id.Kind == json5.String {
			found = append(found, Agent{id.Text, path.Then(json5.Match(id.Text, "id")), item})
		}
	}
	return found, nil
}

// Agent finds one entry. Errors: *UnknownAgentError, *DuplicateAgentError, *BothShapesError.
func (c *Config) Agent(id string) (Agent, error) {
	all, err := c.Agents()
	if err != nil {
		return Agent{}, err
	}
	var found []Agent
	var known []string
	for _, a := range all {
		known = append(known, a.ID)
		if a.ID == id {
			found = append(found, a)
		}
	}
	switch len(found) {
	case 0:
		return Agent{}, &UnknownAgentError{id, json5.Nearest(id, known), known}
	case 1:
		return found[0], nil
	}
	return Agent{}, &DuplicateAgentError{id}
}

// agentExists says whether an id is taken.
func (c *Config) agentExists(id string) (bool, error) {
	all, err := c.Agents()
	for _, a := range all {
		if a.ID == id {
			return true, nil
		}
	}
	return false, err
}

func validID(id string) bool { return regexp.MustCompile(idPattern).MatchString(id) }

// explicitOwnership is the value of agents.ownership that a roster of several agents must have, unless one of them still
// carries the retired mark default: true.
const explicitOwnership = "explicit"

// owned says whether the file says explicitly who owns what.
func (c *Config) owned() bool {
	v, _ := follow(c.Value(), json5.Path{json5.Key("agents"), json5.Key("ownership")})
	return v.Text == explicitOwnership
}

// marked says whether the entry carries the retired mark.
func (a Agent) marked() bool {
	v, _ := a.Value.Member("default")
	return v.Bool
}

// ownership gives the operation that OpenClaw wants beside a change of the roster, if it wants one: without it, a roster
// of several agents of which none is marked keeps the gateway from starting.
func (c *Config) ownership(roster []Agent) []json5.Operation {
	if len(roster) < 2 || c.owned() || slices.ContainsFunc(roster, Agent.marked) {
		return nil
	}
	path := json5.Path{json5.Key("agents"), json5.Key("ownership")}
	return []json5.Operation{{Verb: json5.Set, Path: path, Value: json5.StringValue(explicitOwnership)}}
}
