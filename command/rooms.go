package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/homeserver"
	"github.com/githabideri/fraktalia/openclaw/json5"
	"github.com/githabideri/fraktalia/reply"
)

// Rooms is what the commands for rooms act on beside the homeserver's
// administration: what the bot can do in rooms that it is in, and the sessions
// that agents have there.
type Rooms interface {
	// MakeRoom makes an encrypted room with the bot in it and invites the
	// owners and others. An id beside an error is a room that was made but cannot
	// be used. Errors: *AddressTaken.
	MakeRoom(ctx context.Context, room NewRoom) (id string, err error)
	// FindMade finds the room that was made for a purpose; "" where there is none.
	FindMade(ctx context.Context, purpose string) (id string, err error)
	// Disband removes everybody from a room that the bot made, and leaves it.
	Disband(ctx context.Context, id string) error
	// JoinedRooms lists the rooms that the bot is in.
	JoinedRooms(ctx context.Context) ([]JoinedRoom, error)
	// ReadRoom reads a room's history as far as the bot can; progress is told
	// how many events have been looked at. Errors: *NotInRoom.
	ReadRoom(ctx context.Context, id string, progress func(events int)) (RoomContent, error)
	// OwnRooms are the ids of the admin room and the chat room.
	OwnRooms() (admin, chat string)
	// RoomSessions lists the sessions that an agent has in a room. Errors:
	// *NoOpenClaw.
	RoomSessions(ctx context.Context, agent, room string) ([]string, error)
	// DeleteSessions deletes sessions of an agent. Errors: *NoOpenClaw.
	DeleteSessions(ctx context.Context, agent string, keys []string) error
}

// NewRoom is a room to be made.
type NewRoom struct {
	Name   string
	Invite []string // whole account ids, beside the owners
	// Public lists the room in the directory and lets anybody of this server in.
	Public bool
	// Address is the part of its alias before the colon; "" for none.
	Address string
	// Purpose says for ever what the room was made for, so that it is found again
	// by who could not note its id; "" for none.
	Purpose string
}

// JoinedRoom is a room as somebody sees it who is in it.
type JoinedRoom struct {
	ID, Name, Alias, Version string
	Members                  int
	Encrypted, Public        bool
}

// RoomContent is what can be read of a room's history.
type RoomContent struct {
	Messages int        // that people and bots sent
	Unread   int        // of those, encrypted ones for which the bot has no key
	Files    []RoomFile // that messages name
	Kept     []string   // mxc addresses that the room's settings name, such as its picture
}

// RoomFile is a file that somebody named in a message. Anybody may name
// anybody's file.
type RoomFile struct{ MXC, Sender string }

// AddressTaken says that another room has the address.
type AddressTaken struct{ Address string }

func (e *AddressTaken) Error() string { return "the address " + e.Address + " is taken" }

// NotInRoom says that the bot is not in a room.
type NotInRoom struct{ ID string }

func (e *NotInRoom) Error() string { return "the bot is not in " + e.ID }

// NoOpenClaw says why OpenClaw's program cannot be asked.
type NoOpenClaw struct{ Err error }

func (e *NoOpenClaw) Error() string { return "OpenClaw cannot be asked: " + e.Err.Error() }
func (e *NoOpenClaw) Unwrap() error { return e.Err }

// roomsLane keeps what changes rooms in the order of the commands.
const roomsLane = "rooms"

func (r *run) roomsFamily() []*cobra.Command {
	list := &cobra.Command{
		Use:         "rooms",
		Short:       "lists the homeserver's rooms, and which agent answers in them",
		Long:        "Where the homeserver does not list its rooms, or I am no administrator of it, these are the rooms that I am in.",
		Args:        none,
		Annotations: map[string]string{quickKey: "yes", jsonKey: "yes"},
		RunE:        r.does(listRooms),
	}
	return []*cobra.Command{list, r.createRoomCommand(), r.resetRoomCommand()}
}

// roomRow is one room for programs.
type roomRow struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Alias     string   `json:"alias"`
	Members   int      `json:"members"`
	Encrypted bool     `json:"encrypted"`
	Public    bool     `json:"public"`
	Version   string   `json:"version"`
	Agents    []string `json:"agents"`
	Own       string   `json:"own"` // "admin room" or "chat room"; "" for others
}

func listRooms(ctx context.Context, r *run, _ []string) (reply.Answer, error) {
	rooms, whole, err := r.knownRooms(ctx)
	if err != nil {
		return reply.Answer{}, err
	}
	bound := r.boundAgents()
	rows := make([]roomRow, 0, len(rooms))
	table := reply.Table{Head: []string{"room", "members", "encrypted", "version", "agent"}}
	for _, room := range rooms {
		row := roomRow{ID: room.ID, Name: room.Name, Alias: room.Alias, Members: room.Members, Encrypted: room.Encrypted,
			Public: room.Public, Version: room.Version, Agents: append([]string{}, bound[room.ID]...), Own: r.ownText(room.ID)}
		rows = append(rows, row)
		table.Rows = append(table.Rows, []any{row.title(), row.Members, yesNo(row.Encrypted), row.Version, strings.Join(row.Agents, ", ")})
	}
	if len(rows) == 0 {
		return reply.Answer{Doc: reply.Say("There is no room."), Data: rows}, nil
	}
	doc := reply.Doc{table}
	if whole != nil {
		doc = append(doc, reply.P("These are the rooms that I am in; ", whole.Error()))
	}
	return reply.Answer{Doc: doc, Data: rows}, nil
}

// title is what people call a room, with what they can type for it.
func (row roomRow) title() reply.Line {
	line := reply.Line{reply.Mono("%s", orElse(row.Alias, row.ID))}
	if row.Name != "" {
		line = append(reply.Line{reply.Bold("%s", shorten(row.Name, 40)), " "}, line...)
	}
	var notes []string
	if row.Own != "" {
		notes = append(notes, row.Own)
	}
	if row.Public {
		notes = append(notes, "public")
	}
	if row.Members == 0 {
		notes = append(notes, "nobody is in it")
	}
	if len(notes) > 0 {
		line = append(line, " ("+strings.Join(notes, ", ")+")")
	}
	return line
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

func (r *run) ownText(id string) string {
	switch admin, chat := r.Rooms.OwnRooms(); id {
	case admin:
		return "admin room"
	case chat:
		return "chat room"
	}
	return ""
}

// boundAgents are the agents by the rooms that they answer in; none where
// openclaw.json cannot be read, which other commands tell.
func (r *run) boundAgents() map[string][]string {
	bound := map[string][]string{}
	config, err := r.Agents.Load()
	if err != nil {
		return bound
	}
	for _, b := range config.Bindings() {
		if b.Channel == "matrix" && b.Room != "" && b.Kind != "direct" && !slices.Contains(bound[b.Room], b.AgentID) {
			bound[b.Room] = append(bound[b.Room], b.AgentID)
		}
	}
	return bound
}

// knownRooms lists all rooms of the server, by name. Where nobody can list
// those, it lists the ones that the bot is in, and partly says why.
func (r *run) knownRooms(ctx context.Context) (rooms []homeserver.Room, partly, err error) {
	driver, err := r.Server(ctx)
	if err == nil {
		rooms, err = driver.ListRooms(ctx)
	}
	if err == nil {
		sortRooms(rooms)
		return rooms, nil, nil
	}
	var problem *Problem
	words := homeserverProblem(err)
	if !errors.As(words, &problem) || errors.As(err, new(homeserver.ErrUnreachable)) || errors.As(err, new(homeserver.ErrRateLimited)) {
		return nil, nil, words
	}
	joined, err := r.Rooms.JoinedRooms(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, j := range joined {
		rooms = append(rooms, homeserver.Room{ID: j.ID, Name: j.Name, Alias: j.Alias, Members: j.Members, Version: j.Version, Encrypted: j.Encrypted, Public: j.Public})
	}
	sortRooms(rooms)
	return rooms, problem, nil
}

func sortRooms(rooms []homeserver.Room) {
	slices.SortStableFunc(rooms, func(a, b homeserver.Room) int {
		if (a.Name == "") != (b.Name == "") { // those without a name last
			return strings.Compare(b.Name, a.Name)
		}
		return strings.Compare(strings.ToLower(a.Name)+a.ID, strings.ToLower(b.Name)+b.ID)
	})
}

// findRoom finds a room by its id, alias or name; the error is a *Problem that
// offers the nearest.
func (r *run) findRoom(ctx context.Context, text string) (homeserver.Room, error) {
	rooms, _, err := r.knownRooms(ctx)
	if err != nil {
		return homeserver.Room{}, err
	}
	var named []homeserver.Room
	var names []string
	for _, room := range rooms {
		if room.ID == text || room.Alias == text && text != "" {
			return room, nil
		}
		if strings.EqualFold(room.Name, text) && text != "" {
			named = append(named, room)
		}
		names = append(names, orElse(room.Name, room.ID))
	}
	switch {
	case len(named) == 1:
		return named[0], nil
	case len(named) > 1:
		ids := make([]string, len(named))
		for i, room := range named {
			ids[i] = room.ID
		}
		return homeserver.Room{}, r.roomProblem(&AmbiguousRoom{Text: text, IDs: ids})
	}
	if id, err := r.Agents.FindRoom(ctx, text); err == nil { // by an alias that is not the first one
		if at := slices.IndexFunc(rooms, func(room homeserver.Room) bool { return room.ID == id }); at >= 0 {
			return rooms[at], nil
		}
	}
	return homeserver.Room{}, Sorry("There is no room %.200q: give its id, alias or name.%s", text,
		nearest(json5.Nearest(text, names), fmt.Sprintf("%srooms lists them.", prompt(r.request)), 1))
}
