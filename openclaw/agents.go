package openclaw

import (
	"fmt"
	"slices"

	"github.com/githabideri/fraktalia/openclaw/json5"
)

// EditFunc is asked by Config.Plan for the operations that make a change.
type EditFunc = func(*Config) ([]json5.Operation, error)

// inAgent makes an edit of one operation on something in an entry.
func inAgent(id string, path json5.Path, make func(c *Config, a Agent, full json5.Path) ([]json5.Operation, error)) EditFunc {
	return func(c *Config) ([]json5.Operation, error) {
		a, err := c.Agent(id)
		if err != nil {
			return nil, err
		}
		return make(c, a, a.Path.Then(path...))
	}
}

// SetInAgent sets a value in an entry.
func SetInAgent(id string, path json5.Path, value json5.Value) EditFunc {
	return inAgent(id, path, func(_ *Config, _ Agent, full json5.Path) ([]json5.Operation, error) {
		return []json5.Operation{{Verb: json5.Set, Path: full, Value: value}}, nil
	})
}

// UnsetInAgent removes a value from an entry.
func UnsetInAgent(id string, path json5.Path) EditFunc {
	return inAgent(id, path, func(_ *Config, _ Agent, full json5.Path) ([]json5.Operation, error) {
		return []json5.Operation{{Verb: json5.Unset, Path: full}}, nil
	})
}

// AddInAgent puts a value at the end of an array in an entry, unless it is in it. A missing array is made.
func AddInAgent(id string, path json5.Path, value json5.Value) EditFunc {
	return inAgent(id, path, func(_ *Config, a Agent, full json5.Path) ([]json5.Operation, error) {
		if list, ok := follow(a.Value, path); ok && slices.ContainsFunc(list.Items, value.Equal) {
			return nil, nil
		}
		return []json5.Operation{{Verb: json5.Append, Path: full, Value: value}}, nil
	})
}

// NotInListError says that an array does not hold the value that is to be removed from it.
type NotInListError struct {
	Path  string
	Value string
	Holds []string
}

func (e *NotInListError) Error() string { return fmt.Sprintf("%s does not hold %s", e.Path, e.Value) }

// RemoveInAgent takes a value out of an array in an entry. Errors: *NotInListError.
func RemoveInAgent(id string, path json5.Path, value json5.Value) EditFunc {
	return inAgent(id, path, func(_ *Config, a Agent, full json5.Path) ([]json5.Operation, error) {
		list, _ := follow(a.Value, path)
		at := slices.IndexFunc(list.Items, value.Equal)
		if at < 0 {
			e := &NotInListError{Path: path.String(), Value: string(value.JSON(""))}
			for _, item := range list.Items {
				e.Holds = append(e.Holds, string(item.JSON("")))
			}
			return nil, e
		}
		return []json5.Operation{{Verb: json5.Unset, Path: full.Then(json5.Index(at))}}, nil
	})
}

// follow walks names and indexes in a value.
func follow(v json5.Value, path json5.Path) (json5.Value, bool) {
	ok := true
	for _, s := range path {
		if index, isIndex := s.AsIndex(); isIndex {
			if ok = index < len(v.Items); !ok {
				return v, false
			}
			v = v.Items[index]
			continue
		}
		name, isName := s.AsKey()
		if v, ok = v.Member(name); !ok || !isName {
			return v, false
		}
	}
	return v, ok
}

// NewAgent is an entry to be made.
type NewAgent struct {
	ID     string
	Name   string // optional
	CopyOf string // optional: another agent, whose entry is copied but for what belongs to it alone
	// Settings are what else the entry has; what is copied counts before them.
	Settings []json5.Member
}

// personal are the members that two agents must not share.
func personal(name string) bool {
	return slices.Contains([]string{"id", "name", "description", "workspace", "cwd", "agentDir", "identity", "default"}, name)
}

// AddAgent adds an entry in the shape that the file has, the new one if it has none. Errors: *AgentIDError,
// *AgentExistsError, *UnknownAgentError for CopyOf, *BothShapesError.
func AddAgent(n NewAgent) EditFunc {
	return func(c *Config) ([]json5.Operation, error) {
		if !validID(n.ID) {
			return nil, &AgentIDError{n.ID}
		}
		taken, err := c.agentExists(n.ID)
		if err != nil {
			return nil, err
		}
		if taken {
			return nil, &AgentExistsError{n.ID}
		}
		entry, err := n.entry(c)
		if err != nil {
			return nil, err
		}
		return n.operations(c, entry)
	}
}

func (n NewAgent) entry(c *Config) (json5.Value, error) {
	entry := json5.ObjectValue()
	if n.Name != "" {
		entry.Members = append(entry.Members, json5.Member{Key: "name", Value: json5.StringValue(n.Name)})
	}
	if n.CopyOf == "" {
		entry.Members = append(entry.Members, n.Settings...)
		return entry, nil
	}
	other, err := c.Agent(n.CopyOf)
	if err != nil {
		return entry, err
	}
	for _, m := range other.Value.Members {
		if !personal(m.Key) {
			entry.Members = append(entry.Members, m)
		}
	}
	for _, m := range n.Settings {
		if _, copied := entry.Member(m.Key); !copied {
			entry.Members = append(entry.Members, m)
		}
	}
	return entry, nil
}

func (n NewAgent) operations(c *Config, entry json5.Value) ([]json5.Operation, error) {
	shape, err := c.Shape()
	if err != nil {
		return nil, err
	}
	agents := json5.Path{json5.Key("agents")}
	roster, err := c.Agents()
	if err != nil {
		return nil, err
	}
	list := c.ownership(append(roster, Agent{ID: n.ID, Value: entry}))
	if shape == ListRoster {
		entry.Members = append([]json5.Member{{Key: "id", Value: json5.StringValue(n.ID)}}, entry.Members...)
		return append(list, json5.Operation{Verb: json5.Append, Path: agents.Then(json5.Key("list")), Value: entry}), nil
	}
	if shape == NoRoster && !c.owned() {
		list = append(list, json5.Operation{Verb: json5.Set, Path: agents.Then(json5.Key("ownership")), Value: json5.StringValue(explicitOwnership)})
	}
	return append(list, json5.Operation{Verb: json5.Set, Path: agents.Then(json5.Key("entries"), json5.Key(n.ID)), Value: entry}), nil
}

// RemoveAgent removes an entry, its bindings, and what binding its rooms had added, where no other agent is bound to
// them. The workspace is no matter of the file and stays. Errors: *UnknownAgentError and its kin.
func RemoveAgent(id string) EditFunc {
	return func(c *Config) ([]json5.Operation, error) {
		a, err := c.Agent(id)
		if err != nil {
			return nil, err
		}
		roster, err := c.Agents()
		if err != nil {
			return nil, err
		}
		rest := slices.DeleteFunc(roster, func(other Agent) bool { return other.ID == id })
		list := append(c.ownership(rest), json5.Operation{Verb: json5.Unset, Path: a.Path})
		var rooms []string
		shared := map[string]bool{}
		for _, b := range c.Bindings() {
			if b.AgentID == id && b.matrixRoom() {
				rooms = append(rooms, b.Room)
			}
			shared[b.Room] = shared[b.Room] || b.AgentID != id
		}
		list = append(list, c.dropBindings(func(b Binding) bool { return b.AgentID == id })...)
		for i, room := range rooms {
			if !shared[room] && !slices.Contains(rooms[:i], room) {
				list = append(list, c.dropRoom(room)...)
			}
		}
		return list, nil
	}
}
