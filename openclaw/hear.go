package openclaw

import (
	"slices"

	"github.com/githabideri/fraktalia/openclaw/json5"
)

// InTurn makes one edit of several: each is asked when the ones before are done.
func InTurn(edits ...EditFunc) EditFunc {
	return func(c *Config) ([]json5.Operation, error) {
		var all []json5.Operation
		for _, edit := range edits {
			operations, err := edit(c)
			if err != nil {
				return nil, err
			}
			if c, err = c.Apply(operations...); err != nil {
				return nil, err
			}
			all = append(all, operations...)
		}
		return all, nil
	}
}

// Hear lets OpenClaw's account listen to one person more in one room, and in no other: where the room has a list of those
// who are heard (users), on that; where the account's list counts (groupAllowFrom), on one of the room's own that holds
// the account's as well. Where everybody is heard, or nobody, nothing is changed. HearNoMore is the way back.
func Hear(room, account, person string) EditFunc {
	return func(c *Config) ([]json5.Operation, error) {
		users := c.roomsPath(account).Then(json5.Key(room), json5.Key("users"))
		listed, _ := follow(c.Value(), users)
		if len(listed.Items) > 0 {
			if holds(listed, person) || holds(listed, "*") {
				return nil, nil
			}
			return []json5.Operation{{Verb: json5.Append, Path: users, Value: json5.StringValue(person)}}, nil
		}
		heard := c.heardBy(account)
		if !c.has(users[:len(users)-1]) || len(heard) == 0 || holds(json5.ArrayValue(heard...), person) || holds(json5.ArrayValue(heard...), "*") {
			return nil, nil
		}
		return []json5.Operation{{Verb: json5.Set, Path: users, Value: json5.ArrayValue(append(slices.Clone(heard), json5.StringValue(person))...)}}, nil
	}
}

// HearNoMore undoes Hear: a list that holds the account's and that person only was made for them, and goes.
func HearNoMore(room, account, person string) EditFunc {
	return func(c *Config) ([]json5.Operation, error) {
		users := c.roomsPath(account).Then(json5.Key(room), json5.Key("users"))
		listed, _ := follow(c.Value(), users)
		if !holds(listed, person) {
			return nil, nil
		}
		rest := slices.DeleteFunc(slices.Clone(listed.Items), json5.StringValue(person).Equal)
		if slices.EqualFunc(rest, c.heardBy(account), json5.Value.Equal) {
			return []json5.Operation{{Verb: json5.Unset, Path: users}}, nil
		}
		return c.dropPeople([]json5.Path{users}, []string{person}), nil
	}
}

// heardBy lists those to whom an account listens in rooms that have no list of their own; empty where that is everybody.
func (c *Config) heardBy(account string) []json5.Value {
	bases := []json5.Path{c.accountPath(account), matrixPath()}
	for _, base := range bases {
		if policy, ok := follow(c.Value(), base.Then(json5.Key("groupPolicy"))); ok {
			if policy.Text != "allowlist" {
				return nil
			}
			break
		}
	}
	for _, base := range bases {
		if listed, ok := follow(c.Value(), base.Then(json5.Key("groupAllowFrom"))); ok {
			return listed.Items
		}
	}
	return nil
}
