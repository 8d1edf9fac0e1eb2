package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/githabideri/fraktalia/crashpoint"
	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

// Remains are folders that agents have left which are in OpenClaw's
// configuration no more.
type Remains struct {
	Agent string
	Path  string
	// Records says that it holds what OpenClaw remembers of an agent; else it is a
	// workspace.
	Records bool
}

// orphan is something that is left of an agent.
type orphan struct {
	Kind  string `json:"kind"`
	Agent string `json:"agent,omitempty"` // "" where it is not known
	What  string `json:"what"`
	// Precious says that somebody's words or files are in it.
	Precious bool `json:"precious"`

	remove func(context.Context) error
}

// listOrphans finds what removed and renamed agents have left, and offers to
// remove it.
func listOrphans(ctx context.Context, r *run) (reply.Answer, error) {
	list, notes, err := r.orphans(ctx)
	if err != nil {
		return reply.Answer{}, err
	}
	if len(list) == 0 {
		return reply.Answer{Doc: append(reply.Say("Nothing is left of agents that are not in openclaw.json."), notes...), Data: []orphan{}}, nil
	}
	if r.request.json() {
		return reply.Answer{Data: list}, nil
	}
	chosen, err := r.chooseOrphans(ctx, list, notes)
	if err != nil || len(chosen) == 0 {
		return reply.Answer{Doc: append(orphanDoc(list), reply.P("Nothing was removed.")), Data: list}, err
	}
	return r.removeOrphans(ctx, chosen)
}

// orphans finds them. What cannot be looked at is noted.
func (r *run) orphans(ctx context.Context) (list []orphan, notes reply.Doc, err error) {
	config, err := r.Agents.Load()
	if err != nil {
		return nil, nil, r.configProblem(err)
	}
	roster, err := config.Agents()
	if err != nil {
		return nil, nil, r.configProblem(err)
	}
	known := []string{"main"} // OpenClaw's own, where nothing is said
	for _, agent := range roster {
		known = append(known, agent.ID)
	}
	for _, find := range []func(context.Context, *openclaw.Config, []string) ([]orphan, error){
		r.orphanContainers, r.orphanEntries, r.orphanRoles, r.orphanRooms, r.orphanFolders,
	} {
		found, err := find(ctx, config, known)
		if err != nil {
			notes = append(notes, reply.P("⚠️ "+sentenceOf(err)))
		}
		list = append(list, found...)
	}
	return list, notes, nil
}

func (r *run) orphanContainers(ctx context.Context, _ *openclaw.Config, known []string) (list []orphan, err error) {
	containers, err := r.Containers.Containers(ctx)
	if err != nil {
		return nil, r.containerProblem(err)
	}
	counts := map[string]int{}
	for _, c := range containers {
		if c.Agent == "" || slices.Contains(known, c.Agent) {
			continue
		}
		if counts[c.Agent]++; counts[c.Agent] > 1 {
			continue
		}
		list = append(list, orphan{Kind: "sandbox", Agent: c.Agent, What: c.Name, remove: func(ctx context.Context) error {
			_, err := r.Agents.RemoveSandboxes(ctx, c.Agent)
			return err
		}})
	}
	for i, o := range list {
		if n := counts[o.Agent]; n > 1 {
			list[i].What += fmt.Sprintf(" and %d more", n-1)
		}
	}
	return list, nil
}

// orphanEntries are rooms in openclaw.json to which no agent is bound. They go in
// one change. Where no room is bound to anybody, one agent may have them all, so
// those alone count that were made for agents who are gone.
func (r *run) orphanEntries(ctx context.Context, config *openclaw.Config, known []string) ([]orphan, error) {
	rooms := config.UnboundRooms()
	gone, err := r.roomsOfGone(ctx, config, known)
	for _, made := range gone {
		if operations, err := openclaw.DropRooms(made.Room)(config); err == nil && len(operations) > 0 && !slices.Contains(rooms, made.Room) {
			rooms = append(rooms, made.Room)
		}
	}
	if err != nil || len(rooms) == 0 {
		return nil, err
	}
	return []orphan{{Kind: "entries in openclaw.json", What: r.roomNames(ctx, rooms) + ": no agent is bound to " + plural(len(rooms), "it", "them"),
		remove: func(ctx context.Context) error {
			_, err := r.quietly().change(ctx, change{what: "agents --orphans", edit: openclaw.DropRooms(rooms...)})
			return err
		}}}, nil
}

func (r *run) orphanRoles(ctx context.Context, _ *openclaw.Config, known []string) (list []orphan, err error) {
	roles, err := r.Records.Roles(ctx)
	for _, role := range roles {
		if role.Agent == "" || slices.Contains(known, role.Agent) {
			continue
		}
		list = append(list, orphan{Kind: "role", Agent: role.Agent, What: role.UserID,
			remove: func(ctx context.Context) error { return r.Records.DeleteRole(ctx, role.UserID) }})
	}
	return list, err
}

// roomOfGone is a room that was made for an agent which is gone.
type roomOfGone struct {
	additionMade
	agent string
}

// roomsOfGone are the rooms that were made for agents which are gone, and to
// which nobody else was bound since.
func (r *run) roomsOfGone(ctx context.Context, config *openclaw.Config, known []string) (list []roomOfGone, err error) {
	works, err := r.Records.AgentWorks(ctx, store.WorkDone)
	if err != nil {
		return nil, err
	}
	for _, work := range works {
		if work.Kind != store.WorkAdd || slices.Contains(known, work.Agent) {
			continue
		}
		made, err := readMade[additionMade](work)
		if err != nil {
			return list, err
		}
		bound := slices.ContainsFunc(config.Bindings(), func(b openclaw.Binding) bool { return b.Room == made.Room })
		seen := slices.ContainsFunc(list, func(l roomOfGone) bool { return l.Room == made.Room })
		if !bound && !seen {
			list = append(list, roomOfGone{*made, work.Agent})
		}
	}
	return list, nil
}

// orphanRooms are rooms that were made for agents.
func (r *run) orphanRooms(ctx context.Context, config *openclaw.Config, known []string) (list []orphan, err error) {
	gone, err := r.roomsOfGone(ctx, config, known)
	for _, made := range gone {
		if r.roomStands(ctx, made.Room) {
			list = append(list, orphan{Kind: "room", Agent: made.agent, What: orElse(r.Agents.RoomName(ctx, made.Room), made.RoomName) + " " + made.Room, Precious: true,
				remove: func(ctx context.Context) error { return r.removeRoom(ctx, made.Room) }})
		}
	}
	return list, err
}

// roomStands says whether a room that the bot made is still there. It is, too,
// where the program was killed when the bot had left it and the homeserver had
// not removed it yet.
func (r *run) roomStands(ctx context.Context, room string) bool {
	if r.Speaking.HasJoined(ctx, room, r.Settings.Bot) {
		return true
	}
	driver, err := r.Server(ctx)
	if err != nil {
		return false
	}
	_, err = driver.Room(ctx, room)
	return err == nil
}

func (r *run) orphanFolders(ctx context.Context, _ *openclaw.Config, known []string) (list []orphan, err error) {
	remains, err := r.Workspaces.Remains(known)
	for _, left := range remains {
		kind := "workspace"
		if left.Records {
			kind = "OpenClaw's record of what was said"
		}
		list = append(list, orphan{Kind: kind, Agent: left.Agent, What: left.Path, Precious: true,
			remove: func(context.Context) error {
				return recordsProblem(r.Workspaces.EraseRemains(left, known), prompt(r.request))
			}})
	}
	return list, err
}

func orphanDoc(list []orphan) reply.Doc {
	table := reply.Table{Head: []string{"of agent", "left is", ""}}
	for _, o := range list {
		table.Rows = append(table.Rows, []any{orElse(o.Agent, "?"), o.Kind, reply.Mono("%s", shorten(o.What, 200))})
	}
	return reply.Doc{table}
}

// chooseOrphans asks which of them go: those in which nobody's words or files
// are, or all.
func (r *run) chooseOrphans(ctx context.Context, list []orphan, notes reply.Doc) ([]orphan, error) {
	plain := slices.DeleteFunc(slices.Clone(list), func(o orphan) bool { return o.Precious })
	question := append(append(orphanDoc(list), notes...), reply.P("This is left of agents that are not in this openclaw.json. Containers may be of another OpenClaw on this machine."))
	var answers []reply.Line
	var sets [][]orphan
	if len(plain) > 0 && len(plain) < len(list) {
		answers, sets = append(answers, reply.Line{"remove what holds nobody's words or files: " + kinds(plain)}), append(sets, plain)
	}
	answers, sets = append(answers, reply.Line{"remove all of it: " + kinds(list) + ", for good"}), append(sets, list)
	answers = append(answers, reply.Line{"remove nothing"})
	var at int
	err := r.outsideLane(ctx, func() (err error) {
		at, err = r.talk.Choose(ctx, question, answers)
		return err
	})
	if err != nil || at < 0 || at >= len(sets) {
		return nil, err
	}
	return sets[at], nil
}

func kinds(list []orphan) string {
	var names []string
	for _, o := range list {
		if !slices.Contains(names, o.Kind) {
			names = append(names, o.Kind)
		}
	}
	return strings.Join(names, ", ")
}

// removeOrphans removes those that are still orphans.
func (r *run) removeOrphans(ctx context.Context, chosen []orphan) (reply.Answer, error) {
	now, _, err := r.orphans(ctx)
	if err != nil {
		return reply.Answer{}, err
	}
	var receipt reply.List
	var failed []error
	for _, o := range chosen {
		at := slices.IndexFunc(now, func(n orphan) bool { return n.Kind == o.Kind && n.Agent == o.Agent && n.What == o.What })
		if at < 0 {
			receipt.Items = append(receipt.Items, reply.Line{"It is otherwise by now, so it stays: ", o.Kind, " ", reply.Mono("%s", shorten(o.What, 200))})
			continue
		}
		if err := now[at].remove(ctx); err != nil {
			failed = append(failed, err)
			receipt.Items = append(receipt.Items, reply.Line{"❌", " ", o.Kind, " ", reply.Mono("%s", shorten(o.What, 200)), ": ", sentenceOf(err)})
			continue
		}
		crashpoint.At("orphans." + o.Kind)
		receipt.Items = append(receipt.Items, reply.Line{did, " ", o.Kind, " ", reply.Mono("%s", shorten(o.What, 200))})
	}
	if len(failed) > 0 {
		return reply.Answer{}, &Problem{Sentence: "Not all of it could be removed. What is done stays done; say it again for the rest.", Detail: reply.Doc{receipt}, Cause: errors.Join(failed...)}
	}
	return reply.Answer{Doc: reply.Doc{reply.P("Removed:"), receipt}}, nil
}
