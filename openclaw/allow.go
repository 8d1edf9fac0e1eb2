package openclaw

import (
	"slices"

	"github.com/githabideri/fraktalia/openclaw/json5"
)

// Admit puts a person on the lists of those to whom OpenClaw listens in rooms, wherever one of the rooms has such a
// list: the room's own (users), and those of the Matrix account that serves it (groupAllowFrom, and dm.allowFrom where
// dm.policy is allowlist). A list that is not there, or lets everybody in, stays as it is.
func Admit(rooms []string, people ...string) EditFunc {
	return func(c *Config) ([]json5.Operation, error) {
		var list []json5.Operation
		for _, path := range c.listsOf(rooms) {
			listed, _ := follow(c.Value(), path)
			for _, person := range people {
				if !holds(listed, person) && !holds(listed, "*") {
					list = append(list, json5.Operation{Verb: json5.Append, Path: path, Value: json5.StringValue(person)})
				}
			}
		}
		return list, nil
	}
}

// Expel takes people off all lists of those to whom OpenClaw listens.
func Expel(people ...string) EditFunc {
	return func(c *Config) ([]json5.Operation, error) { return c.dropPeople(c.allLists(), people), nil }
}

// ExpelFrom takes people off a room's own list.
func ExpelFrom(room string, people ...string) EditFunc {
	return func(c *Config) ([]json5.Operation, error) {
		var lists []json5.Path
		for _, base := range c.matrixPaths() {
			for _, entry := range c.roomEntries(base) {
				if name, _ := entry[len(entry)-1].AsKey(); name == room {
					lists = c.appendList(lists, entry.Then(json5.Key("users")))
				}
			}
		}
		return c.dropPeople(lists, people), nil
	}
}

// dropPeople removes people from lists, the last first, so that the indexes of
// the others hold.
func (c *Config) dropPeople(lists []json5.Path, people []string) []json5.Operation {
	var list []json5.Operation
	for _, path := range lists {
		listed, _ := follow(c.Value(), path)
		for i, item := range slices.Backward(listed.Items) {
			if item.Kind == json5.String && slices.Contains(people, item.Text) {
				list = append(list, json5.Operation{Verb: json5.Unset, Path: path.Then(json5.Index(i))})
			}
		}
	}
	return list
}

func holds(list json5.Value, text string) bool {
	return slices.ContainsFunc(list.Items, json5.StringValue(text).Equal)
}

// listsOf are the lists that count in one of the rooms.
func (c *Config) listsOf(rooms []string) []json5.Path {
	var list []json5.Path
	for _, base := range c.matrixPaths() {
		serves := false
		for _, entry := range c.roomEntries(base) {
			room, _ := entry[len(entry)-1].AsKey()
			if slices.Contains(rooms, room) {
				serves = true
				list = c.appendList(list, entry.Then(json5.Key("users")))
			}
		}
		if serves || c.bound(base, rooms) {
			list = c.appendAccountLists(list, base)
		}
	}
	return list
}

// bound says whether one of the rooms is bound to an agent by the Matrix account at base.
func (c *Config) bound(base json5.Path, rooms []string) bool {
	account := ""
	if len(base) > len(matrixPath()) {
		account, _ = base[len(base)-1].AsKey()
	}
	return slices.ContainsFunc(c.Bindings(), func(b Binding) bool {
		return b.matrixRoom() && b.Account == account && slices.Contains(rooms, b.Room)
	})
}

// allLists are all lists of people of the Matrix channel.
func (c *Config) allLists() []json5.Path {
	var list []json5.Path
	for _, base := range c.matrixPaths() {
		for _, entry := range c.roomEntries(base) {
			list = c.appendList(list, entry.Then(json5.Key("users")))
		}
		list = c.appendList(list, base.Then(json5.Key("groupAllowFrom")))
		list = c.appendList(list, base.Then(json5.Key("dm"), json5.Key("allowFrom")))
	}
	return list
}

// appendAccountLists adds the lists of an account that are in force.
func (c *Config) appendAccountLists(list []json5.Path, base json5.Path) []json5.Path {
	list = c.appendList(list, base.Then(json5.Key("groupAllowFrom")))
	if policy, _ := follow(c.Value(), base.Then(json5.Key("dm"), json5.Key("policy"))); policy.Text == "allowlist" {
		list = c.appendList(list, base.Then(json5.Key("dm"), json5.Key("allowFrom")))
	}
	return list
}

// appendList adds a path where there is an array at it.
func (c *Config) appendList(list []json5.Path, path json5.Path) []json5.Path {
	if value, ok := follow(c.Value(), path); ok && value.Kind == json5.Array {
		return append(list, path)
	}
	return list
}

// roomEntries are the paths of an account's rooms.
func (c *Config) roomEntries(base json5.Path) []json5.Path {
	var list []json5.Path
	for _, name := range []string{"groups", "rooms"} {
		rooms, _ := follow(c.Value(), base.Then(json5.Key(name)))
		for _, m := range rooms.Members {
			list = append(list, base.Then(json5.Key(name), json5.Key(m.Key)))
		}
	}
	return list
}
