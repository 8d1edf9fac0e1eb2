package command

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/crashpoint"
	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

func (r *run) removeAgentCommand() *cobra.Command {
	var yes, erase bool
	var back string
	cmd := &cobra.Command{
		Use:   "removeagent NAME [--erase] [--yes]",
		Short: "removes an agent, its bindings, its sandbox and its account's role",
		Long: "Shows first what will go. Its account leaves the rooms in which no other agent speaks with it; its workspace is moved aside, and undo brings everything back. " +
			"With --erase the workspace is deleted, and with it OpenClaw's record of what was said and the room that was made for it: that cannot be undone.",
		Example:     "removeagent mox",
		Aliases:     []string{"remove-agent"},
		Args:        exactly(1, "the agent's id, for example mox"),
		Annotations: map[string]string{laneKey: agentsLane, interruptedKey: "Where it had begun, I bring the removal to its end by myself, and say so; !agents tells whether it is there."},
		RunE: r.does(func(ctx context.Context, r *run, args []string) (reply.Answer, error) {
			if back != "" {
				return bringBack(ctx, r, args[0], back)
			}
			return removeAgent(ctx, r, args[0], yes, erase)
		}),
	}
	cmd.Flags().BoolVar(&erase, "erase", false, "delete its workspace, its sessions and its room, too")
	cmd.Flags().BoolVar(&erase, "purge", false, "the same")
	cmd.Flags().StringVar(&back, "back", "", "bring back what was removed under this `number`")
	for _, hidden := range []string{"purge", "back"} { // what --erase was called; undo's
		cmd.Flags().Lookup(hidden).Hidden = true
	}
	skipsQuestion(cmd, &yes)
	return cmd
}

// removalMade is what was done of a removal, or is just being done.
type removalMade struct {
	Edits []string `json:"edits"`
	Erase bool     `json:"erase,omitempty"`
	// Workspace is where it was, Aside where it is now; "" where it stays.
	Workspace string `json:"workspace,omitempty"`
	Aside     string `json:"aside,omitempty"`
	// User is the agent's account; Rooms are those that it leaves.
	User  string   `json:"user,omitempty"`
	Rooms []string `json:"rooms,omitempty"`
	// Role is the one that the account loses; nil where it keeps what it has.
	Role *store.Role `json:"role,omitempty"`
	// Made is the room that was made for the agent; Named says that the account
	// was given its name then, and NameBefore what it was called before.
	Made       string `json:"made,omitempty"`
	Named      bool   `json:"named,omitempty"`
	NameBefore string `json:"name_before,omitempty"`
}

// removal is an agent on its way out.
type removal struct {
	*run
	id   string
	made removalMade
	// kept says why the workspace stays where it is; "" where it goes.
	kept string
	work *agentWork
	doc  reply.Doc // what was done outside of openclaw.json
}

func removeAgent(ctx context.Context, r *run, id string, yes, erase bool) (reply.Answer, error) {
	rm, err := r.plannedRemoval(ctx, id, erase)
	if err != nil {
		return reply.Answer{}, err
	}
	answer, err := r.change(ctx, change{
		what: "removeagent " + id,
		edit: openclaw.RemoveAgent(id),
		ask:  rm.question(ctx),
		yes:  yes,
		begin: func(ctx context.Context) (err error) {
			rm.work, err = r.beginWork(ctx, store.WorkRemove, id, rm.made)
			return err
		},
		after: func(ctx context.Context, _ *openclaw.Config) reply.Doc { return rm.finish(ctx) },
	})
	if err != nil && rm.work != nil { // rejected, or not written at all
		err = errors.Join(err, rm.work.undone(ctx))
	}
	if err == nil && !erase {
		answer.Undo = fmt.Sprintf("removeagent %s --back %d", id, rm.work.ID)
	}
	return answer, err
}

// plannedRemoval finds what belongs to an agent.
func (r *run) plannedRemoval(ctx context.Context, id string, erase bool) (*removal, error) {
	config, err := r.Agents.Load()
	if err != nil {
		return nil, r.configProblem(err)
	}
	agent, err := config.Agent(id)
	if err != nil {
		return nil, r.configProblem(err)
	}
	rm := &removal{run: r, id: id, made: removalMade{Edits: []string{"removeagent " + id}, Erase: erase}}
	rest, err := config.Agents()
	if err != nil {
		return nil, r.configProblem(err)
	}
	rest = slices.DeleteFunc(rest, func(a openclaw.Agent) bool { return a.ID == id })
	rm.made.Workspace, rm.made.Aside, err = r.Agents.AsideOf(agent, rest)
	var kept *WorkspaceKept
	if errors.As(err, &kept) {
		rm.kept, err = kept.Reason, nil
		rm.made.Workspace, rm.made.Aside = "", ""
	}
	if err != nil {
		return nil, err
	}
	account := config.MatrixAccount(id)
	if rm.made.User = config.MatrixUser(account); rm.made.User != "" {
		rm.made.Rooms = roomsOfAlone(config, id, account)
	}
	return rm, rm.plannedTraces(ctx)
}

// roomsOfAlone are the rooms in which no other agent speaks with the account.
func roomsOfAlone(config *openclaw.Config, id, account string) (rooms []string) {
	shared := map[string]bool{}
	for _, b := range config.Bindings() {
		shared[b.Room] = shared[b.Room] || b.AgentID != id && b.Account == account
	}
	for _, room := range config.Rooms(id) {
		if !shared[room] {
			rooms = append(rooms, room)
		}
	}
	return rooms
}

// plannedTraces finds what our own record knows of the agent.
func (rm *removal) plannedTraces(ctx context.Context) error {
	if rm.made.User != "" {
		role, had, err := rm.Records.RoleOf(ctx, rm.made.User)
		if err != nil {
			return err
		}
		if had && role.Agent == rm.id {
			rm.made.Role = &role
		}
	}
	added, err := rm.addedAs(ctx, rm.id)
	if err != nil || added == nil {
		return err
	}
	rm.made.Made = added.Room
	if added.Named && added.User == rm.made.User {
		rm.made.Named, rm.made.NameBefore = true, added.NameBefore
	}
	return nil
}

// addedAs is how an agent was added by addagent; nil where it was not.
func (r *run) addedAs(ctx context.Context, id string) (*additionMade, error) {
	works, err := r.Records.AgentWorks(ctx, store.WorkDone)
	if err != nil {
		return nil, err
	}
	for _, work := range works { // the newest first
		if work.Agent == id && work.Kind == store.WorkAdd {
			return readMade[additionMade](work)
		}
	}
	return nil, nil
}

// question is asked below the difference.
func (rm *removal) question(ctx context.Context) reply.Line {
	line := reply.Line{"Remove ", reply.Bold("%s", rm.id), ", its bindings and its sandbox?"}
	if len(rm.made.Rooms) > 0 {
		line = append(line, fmt.Sprintf(" %s leaves %s.", rm.made.User, rm.roomNames(ctx, rm.made.Rooms)))
	}
	if rm.made.Role != nil {
		line = append(line, " Its role ends.")
	}
	switch {
	case rm.made.Workspace == "":
		line = append(line, " The workspace stays: "+rm.kept+".")
	case rm.made.Erase:
		line = append(line, " Its workspace ", reply.Mono("%s", rm.made.Workspace), " is deleted for good.")
	default:
		line = append(line, " Its workspace ", reply.Mono("%s", rm.made.Workspace), " is moved aside.")
	}
	if !rm.made.Erase {
		return append(line, " What was said stays, in the room and in OpenClaw's record. !undo brings it back.")
	}
	if rm.made.Made != "" {
		line = append(line, fmt.Sprintf(" The room %s, which was made for it, is removed with what was said in it.", rm.roomNames(ctx, []string{rm.made.Made})))
	}
	return append(line, " OpenClaw's record of what was said to it goes, too. That cannot be undone.")
}

// finish does what belongs to a removal outside of openclaw.json. All of it can
// be done again.
func (rm *removal) finish(ctx context.Context) reply.Doc {
	ctx = context.WithoutCancel(ctx)
	failed := 0
	for _, part := range []struct {
		what string // and the name of its crash point
		do   func(context.Context) error
	}{
		{"the sandbox", rm.removeSandbox}, {"leaving the rooms", rm.leaveRooms}, {"the role", rm.endRole}, {"the account's name", rm.unname},
		{"the sessions", rm.eraseSessions}, {"the room", rm.eraseRoom}, {"the workspace", rm.moveWorkspace},
	} {
		if err := part.do(ctx); err != nil {
			failed++
			rm.doc = append(rm.doc, reply.P("⚠️ Not done: "+part.what+". "+sentenceOf(err)))
		}
		crashpoint.At("removeagent." + part.what)
	}
	if err := rm.work.done(ctx); err != nil {
		rm.doc = append(rm.doc, reply.P("The record of it could not be written; the log says why."))
	}
	if failed > 0 {
		rm.doc = append(rm.doc, reply.P(reply.Mono("%sagents --orphans", prompt(rm.request)), " finds what is left, and offers to remove it."))
	}
	return rm.doc
}

func (rm *removal) told(format string, args ...any) {
	rm.doc = append(rm.doc, reply.P(fmt.Sprintf(format, args...)))
}

func (rm *removal) removeSandbox(ctx context.Context) error {
	n, err := rm.Agents.RemoveSandboxes(ctx, rm.id)
	if err != nil {
		return Because(err, "The Docker engine did not do it.")
	}
	if n > 0 {
		rm.told("Its sandbox is removed (%d %s).", n, plural(n, "container", "containers"))
	}
	return nil
}

func (rm *removal) leaveRooms(ctx context.Context) error {
	var failed error
	for _, room := range rm.made.Rooms {
		name := orElse(rm.Agents.RoomName(ctx, room), room)
		if name == room && !rm.Speaking.HasJoined(ctx, room, rm.Settings.Bot) {
			continue // a room that I do not know
		}
		if err := rm.People.Kick(ctx, room, rm.made.User); err != nil {
			failed = Because(errors.Join(failed, err), "%s is still in %s: %s", rm.made.User, name, reasonOf(err))
			continue
		}
		rm.told("%s is out of %s.", rm.made.User, name)
	}
	return failed
}

func (rm *removal) endRole(ctx context.Context) error {
	if rm.made.Role == nil {
		return nil
	}
	if err := rm.Records.DeleteRole(ctx, rm.made.User); err != nil {
		return err
	}
	rm.told("%s has no role any more.", rm.made.User)
	return nil
}

func (rm *removal) unname(ctx context.Context) error {
	if !rm.made.Named {
		return nil
	}
	return rm.renameBack(ctx, additionMade{User: rm.made.User, NameBefore: rm.made.NameBefore})
}

// eraseSessions deletes what OpenClaw keeps of what was said.
func (rm *removal) eraseSessions(context.Context) error {
	if !rm.made.Erase {
		return nil
	}
	some, err := rm.Workspaces.EraseRecords(rm.id)
	if err == nil && some {
		rm.told("OpenClaw's record of what was said to it is deleted.")
	}
	return recordsProblem(err, prompt(rm.request))
}

// recordsProblem words why OpenClaw's record of an agent is left.
func recordsProblem(err error, prompt string) error {
	var open *RecordsOpen
	if errors.As(err, &open) {
		return Because(err, "OpenClaw still has it open, in %s. %sagents --orphans removes it after OpenClaw's next start.", open.Path, prompt)
	}
	return err
}

func (rm *removal) eraseRoom(ctx context.Context) error {
	if !rm.made.Erase || rm.made.Made == "" {
		return nil
	}
	if err := rm.removeRoom(ctx, rm.made.Made); err != nil {
		return peopleProblem(err)
	}
	rm.told("The room that was made for it is removed.")
	return nil
}
