package openclaw

import (
	"slices"
	"strings"

	"github.com/githabideri/fraktalia/openclaw/json5"
)

// Binding says which agent answers where.
type Binding struct {
	Index   int // in bindings, all files joined
	AgentID string
	Channel string
	Account string // empty: the channel's default account
	Kind    string // direct, group or channel; empty if the binding names no room
	Room    string // the peer's id, such as !abc:example.org
}

func (b Binding) matrixRoom() bool {
	return b.Channel == "matrix" && b.Room != "" && b.Kind != "direct"
}

// Bindings lists all bindings in the order of the file.
func (c *Config) Bindings() []Binding {
	bindings, _ := c.Value().Member("bindings")
	var list []Binding
	for i, v := range bindings.Items {
		match, _ := v.Member("match")
		peer, _ := match.Member("peer")
		list = append(list, Binding{i, text(v, "agentId"), text(match, "channel"), text(match, "accountId"), text(peer, "kind"), text(peer, "id")})
	}
	return list
}

// Rooms lists the Matrix rooms that an agent is bound to.
func (c *Config) Rooms(id string) []string {
	var rooms []string
	for _, b := range c.Bindings() {
		if b.AgentID == id && b.matrixRoom() && !slices.Contains(rooms, b.Room) {
			rooms = append(rooms, b.Room)
		}
	}
	return rooms
}

func text(v json5.Value, name string) string {
	if member, _ := v.Member(name); member.Kind == json5.String {
		return member.Text
	}
	return ""
}

// BindRoom is a room to be bound to an agent.
type BindRoom struct {
	AgentID string
	Room    string // the room's id; case counts
	Account string // OpenClaw's Matrix account; empty for the default one
	// Settings are what else a new entry of the room has.
	Settings []json5.Member
	// Join has an account that joins no room by itself join this one.
	Join bool
}

// Bind binds a Matrix room to an agent, in all three places: the binding (an existing one of the room is turned to the
// agent), the channel's entry for the room, and the allowlist for joining where that is in use. Errors:
// *UnknownAgentError and its kin.
func Bind(b BindRoom) EditFunc {
	return func(c *Config) ([]json5.Operation, error) {
		if _, err := c.Agent(b.AgentID); err != nil {
			return nil, err
		}
		list := b.binding(c)
		if groups := c.roomsPath(b.Account); !c.has(groups.Then(json5.Key(b.Room))) {
			entry := json5.ObjectValue(append([]json5.Member{{Key: "enabled", Value: json5.BoolValue(true)}}, b.Settings...)...)
			list = append(list, json5.Operation{Verb: json5.Set, Path: groups.Then(json5.Key(b.Room)), Value: entry})
		}
		return append(list, b.allow(c)...), nil
	}
}

// binding turns the room's binding, or adds one.
func (b BindRoom) binding(c *Config) []json5.Operation {
	bindings := json5.Path{json5.Key("bindings")}
	kind := "group"
	for _, old := range c.Bindings() {
		if old.matrixRoom() {
			kind = old.Kind
		}
		if !old.matrixRoom() || old.Room != b.Room || old.Account != b.Account {
			continue
		}
		if old.AgentID == b.AgentID {
			return nil
		}
		path := bindings.Then(json5.Index(old.Index), json5.Key("agentId"))
		return []json5.Operation{{Verb: json5.Set, Path: path, Value: json5.StringValue(b.AgentID)}}
	}
	match := []json5.Member{{Key: "channel", Value: json5.StringValue("matrix")}}
	if b.Account != "" {
		match = append(match, json5.Member{Key: "accountId", Value: json5.StringValue(b.Account)})
	}
	match = append(match, json5.Member{Key: "peer", Value: json5.ObjectValue(
		json5.Member{Key: "kind", Value: json5.StringValue(kind)}, json5.Member{Key: "id", Value: json5.StringValue(b.Room)})})
	value := json5.ObjectValue(json5.Member{Key: "agentId", Value: json5.StringValue(b.AgentID)}, json5.Member{Key: "match", Value: json5.ObjectValue(match...)})
	return []json5.Operation{{Verb: json5.Append, Path: bindings, Value: value}}
}

// allow adds the room to the allowlist for joining, where OpenClaw joins only listed rooms.
func (b BindRoom) allow(c *Config) []json5.Operation {
	base := c.accountPath(b.Account)
	mode, _ := follow(c.Value(), base.Then(json5.Key("autoJoin")))
	path := base.Then(json5.Key("autoJoinAllowlist"))
	listed, _ := follow(c.Value(), path)
	if b.Join && !c.MatrixJoins(b.Account) {
		// Rooms that nobody has listed are joined as little as before.
		return []json5.Operation{{Verb: json5.Set, Path: base.Then(json5.Key("autoJoin")), Value: json5.StringValue("allowlist")},
			{Verb: json5.Set, Path: path, Value: json5.ArrayValue(json5.StringValue(b.Room))}}
	}
	if mode.Text != "allowlist" || slices.ContainsFunc(listed.Items, json5.StringValue(b.Room).Equal) {
		return nil
	}
	return []json5.Operation{{Verb: json5.Append, Path: path, Value: json5.StringValue(b.Room)}}
}

// Unbind undoes Bind for a room, whichever agents it is bound to. Errors: *UnboundRoomError.
func Unbind(room string) EditFunc {
	return func(c *Config) ([]json5.Operation, error) {
		list := c.dropBindings(func(b Binding) bool { return b.matrixRoom() && b.Room == room })
		if list = append(list, c.dropRoom(room)...); len(list) > 0 {
			return list, nil
		}
		e := &UnboundRoomError{Room: room}
		for _, b := range c.Bindings() {
			if b.matrixRoom() {
				e.Bound = append(e.Bound, b.Room)
			}
		}
		return nil, e
	}
}

// UnboundRoomError says that nothing is bound to the room; Bound lists the rooms to which something is.
type UnboundRoomError struct {
	Room  string
	Bound []string
}

func (e *UnboundRoomError) Error() string { return "no agent is bound to the room " + e.Room }

// dropBindings removes bindings, the last first, so that the indexes of the others hold.
func (c *Config) dropBindings(drop func(Binding) bool) []json5.Operation {
	var list []json5.Operation
	for _, b := range slices.Backward(c.Bindings()) {
		if drop(b) {
			list = append(list, json5.Operation{Verb: json5.Unset, Path: json5.Path{json5.Key("bindings"), json5.Index(b.Index)}})
		}
	}
	return list
}

// dropRoom removes what the channel and its accounts hold for a room: the entry, and its place in the allowlist.
func (c *Config) dropRoom(room string) []json5.Operation {
	var list []json5.Operation
	for _, base := range c.matrixPaths() {
		for _, name := range []string{"groups", "rooms"} {
			if path := base.Then(json5.Key(name), json5.Key(room)); c.has(path) {
				list = append(list, json5.Operation{Verb: json5.Unset, Path: path})
			}
		}
		path := base.Then(json5.Key("autoJoinAllowlist"))
		listed, _ := follow(c.Value(), path)
		if at := slices.IndexFunc(listed.Items, json5.StringValue(room).Equal); at >= 0 {
			list = append(list, json5.Operation{Verb: json5.Unset, Path: path.Then(json5.Index(at))})
		}
	}
	return list
}

// matrixPath is where the Matrix channel is set up.
func matrixPath() json5.Path { return json5.Path{json5.Key("channels"), json5.Key("matrix")} }

// matrixPaths are the channel and its accounts.
func (c *Config) matrixPaths() []json5.Path {
	list := []json5.Path{matrixPath()}
	accounts, _ := follow(c.Value(), matrixPath().Then(json5.Key("accounts")))
	for _, m := range accounts.Members {
		list = append(list, matrixPath().Then(json5.Key("accounts"), json5.Key(m.Key)))
	}
	return list
}

// accountPath is where settings of an account belong: in its own part if it has one, else with the channel's.
func (c *Config) accountPath(account string) json5.Path {
	if path := matrixPath().Then(json5.Key("accounts"), json5.Key(account)); account != "" && c.has(path) {
		return path
	}
	return matrixPath()
}

// roomsPath is the object that holds an account's rooms: groups, or its other name rooms where only that is there. An
// account without an own one uses the channel's.
func (c *Config) roomsPath(account string) json5.Path {
	for _, base := range []json5.Path{c.accountPath(account), matrixPath()} {
		for _, name := range []string{"groups", "rooms"} {
			if path := base.Then(json5.Key(name)); c.has(path) {
				return path
			}
		}
	}
	return matrixPath().Then(json5.Key("groups"))
}

func (c *Config) has(path json5.Path) bool {
	_, ok := follow(c.Value(), path)
	return ok
}

// MatrixAccount is the account of OpenClaw with which an agent speaks in Matrix
// rooms, by its first binding there; empty for the default one.
func (c *Config) MatrixAccount(agent string) string {
	for _, b := range c.Bindings() {
		if b.AgentID == agent && b.Channel == "matrix" {
			return b.Account
		}
	}
	return ""
}

// MatrixUser is the Matrix id of an account; empty where the configuration does not say.
func (c *Config) MatrixUser(account string) string {
	if name, ok := follow(c.Value(), matrixPath().Then(json5.Key("defaultAccount"))); ok && account == "" {
		account = name.Text
	}
	user, _ := follow(c.Value(), c.accountPath(account).Then(json5.Key("userId")))
	return user.Text
}

// MatrixJoins says whether an account joins rooms by itself when it is invited.
func (c *Config) MatrixJoins(account string) bool {
	for _, base := range []json5.Path{c.accountPath(account), matrixPath()} {
		if mode, ok := follow(c.Value(), base.Then(json5.Key("autoJoin"))); ok {
			return mode.Text == "always" || mode.Text == "allowlist"
		}
	}
	return false
}

// HasMatrixAccount says whether OpenClaw has a Matrix account of that name; the default one always is there.
func (c *Config) HasMatrixAccount(account string) bool {
	return account == "" || c.has(matrixPath().Then(json5.Key("accounts"), json5.Key(account)))
}

// UnboundRooms lists the rooms that the Matrix channel has an entry for, or may join, and to which no agent is bound.
// Where none is bound to any room, one agent answers everywhere, and the list is empty.
func (c *Config) UnboundRooms() []string {
	bound := map[string]bool{}
	for _, b := range c.Bindings() {
		if b.matrixRoom() {
			bound[b.Room] = true
		}
	}
	if len(bound) == 0 {
		return nil
	}
	var rooms []string
	add := func(room string) {
		if !bound[room] && strings.HasPrefix(room, "!") && !slices.Contains(rooms, room) {
			rooms = append(rooms, room)
		}
	}
	for _, base := range c.matrixPaths() {
		for _, entry := range c.roomEntries(base) {
			room, _ := entry[len(entry)-1].AsKey()
			add(room)
		}
		joins, _ := follow(c.Value(), base.Then(json5.Key("autoJoinAllowlist")))
		for _, item := range joins.Items {
			add(item.Text)
		}
	}
	return rooms
}

// DropRooms removes what the Matrix channel and its accounts hold for rooms.
func DropRooms(rooms ...string) EditFunc {
	var edits []EditFunc
	for _, room := range rooms {
		edits = append(edits, func(c *Config) ([]json5.Operation, error) { return c.dropRoom(room), nil })
	}
	return InTurn(edits...)
}
