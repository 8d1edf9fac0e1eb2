package command

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/githabideri/fraktalia/crashpoint"
	"github.com/githabideri/fraktalia/homeserver"
	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

// addition is an agent on its way in.
type addition struct {
	*run
	wish    agentWish
	guest   agentAccount
	room    NewRoom
	invite  []string // whole account ids
	space   NewWorkspace
	network string // of its sandbox; "" is what OpenClaw gives all
	work    *agentWork
	made    additionMade
	list    checklist
	proof   Proof
}

// additionMade is what of an agent was made, or was just being made: all that is
// needed to take it back.
type additionMade struct {
	Workspace string `json:"workspace,omitempty"`
	// Purpose tells the room, whose id is not known before it is made.
	Purpose  string `json:"purpose,omitempty"`
	Room     string `json:"room,omitempty"`
	RoomName string `json:"room_name,omitempty"`
	// Edits are the names of the changes of openclaw.json.
	Edits   []string `json:"edits,omitempty"`
	Account string   `json:"account,omitempty"` // OpenClaw's name of it
	User    string   `json:"user,omitempty"`
	// Named says that the account was given a name to be shown; NameBefore is the
	// one that it had.
	Named      bool   `json:"named,omitempty"`
	NameBefore string `json:"name_before,omitempty"`
	Role       bool   `json:"role,omitempty"`
	// Recorded says that OpenClaw had a record of an earlier agent of that id.
	Recorded bool `json:"recorded,omitempty"`
}

// addStep is one step, with the lines that it has in the list.
type addStep struct {
	name  string // of its crash points
	lines []reply.Line
	// intend notes what the step is about to make; nil where it makes nothing.
	intend func(*additionMade)
	do     func(context.Context) (note string, err error)
}

func (a *addition) steps() []addStep {
	steps := []addStep{
		{"workspace", lines(a.workspaceLine()),
			func(m *additionMade) { m.Workspace = a.space.Path }, a.makeWorkspace},
		{"room", lines("the room " + a.room.Name + ": private, encrypted, with the owners and me"),
			func(m *additionMade) { m.Purpose, m.RoomName = "agent:"+a.wish.ID+":"+rand.Text(), a.room.Name }, a.makeRoom},
		{"entry", lines("its entry in openclaw.json", a.sandboxLine(), "the room's binding and entry, and OpenClaw's leave to join it", "the reload"),
			func(m *additionMade) { m.Edits = []string{a.edit()} }, a.writeEntry},
		{"arrival", lines(a.guest.user + " is in the room"), nil, a.awaitArrival},
		{"name", lines("its name there"), nil, a.giveName},
		{"role", lines("its account's role"), nil, a.giveRole},
		{"proof", lines("asked in the room, it answers", "a file that it wrote in its sandbox is read here"), nil, a.askIt},
		{"end", nil, func(m *additionMade) { m.Edits = append(m.Edits, a.edit()+": heard") }, a.endHearing},
	}
	if len(a.invite) > 0 {
		steps = append(steps, addStep{"invitations", lines("invited: " + strings.Join(a.invite, ", ")), nil, a.inviteFriends})
	}
	return steps
}

// edit names the change of openclaw.json in the history.
func (a *addition) edit() string { return "addagent " + a.wish.ID }

// lines are lines of the list: texts, and reply.Lines.
func lines(parts ...any) (all []reply.Line) {
	for _, part := range parts {
		line, ok := part.(reply.Line)
		if !ok {
			line = reply.Line{part}
		}
		all = append(all, line)
	}
	return all
}

// workspaceLine sets file names as code: clients make links of AGENTS.md.
func (a *addition) workspaceLine() reply.Line {
	line := reply.Line{"its workspace ", reply.Mono("%s", a.space.Path), ", with "}
	for _, name := range slices.Sorted(maps.Keys(a.space.Files)) {
		if !strings.Contains(name, "/") {
			line = append(line, reply.Mono("%s", name), ", ")
		}
	}
	return append(line[:len(line)-1], " and the skill fraktalia")
}

func (a *addition) sandboxLine() reply.Line {
	if a.wish.CopyOf != "" {
		return reply.Line{"its sandbox, as " + a.wish.CopyOf + " has it"}
	}
	network := orElse(a.network, "as OpenClaw gives all")
	return reply.Line{"its sandbox: image ", reply.Mono("%s", a.Settings.Image), ", network " + network + ", user " + a.space.User}
}

// carryOut goes through the steps, and back where one fails.
func (a *addition) carryOut(ctx context.Context) (answer reply.Answer, err error) {
	a.list = checklist{title: reply.Line{"Adding ", reply.Bold("%s", a.wish.Name), " as ", reply.Mono("%s", a.wish.ID), " …"}, talk: a.talk}
	steps := a.steps()
	for i := range steps {
		a.list.add(steps[i].lines...)
	}
	a.made.Account, a.made.User = a.guest.account, a.guest.user
	if a.work, err = a.beginWork(ctx, store.WorkAdd, a.wish.ID, a.made); err != nil {
		return reply.Answer{}, err
	}
	at := 0
	for _, step := range steps {
		to := at + len(step.lines)
		a.list.mark(at, to, working, "")
		note, err := a.take(ctx, step)
		if err != nil {
			a.list.mark(at, to, failed, "")
			return reply.Answer{}, a.takenBack(ctx, err, to)
		}
		a.list.mark(at, to, did, note)
		at = to
	}
	if err := a.work.done(ctx); err != nil {
		return reply.Answer{}, err
	}
	a.list.title = reply.Line{reply.Bold("%s", a.wish.Name), " is added as ", reply.Mono("%s", a.wish.ID), "."}
	return reply.Answer{Doc: append(a.list.doc(), a.hints()...), Undo: "removeagent " + a.wish.ID + " --yes", Data: a.proof}, nil
}

// take does one step, written down before.
func (a *addition) take(ctx context.Context, step addStep) (note string, err error) {
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if step.intend != nil {
		step.intend(&a.made)
		if err := a.work.note(ctx, a.made); err != nil {
			return "", err
		}
	}
	crashpoint.At("addagent." + step.name + ".noted")
	note, err = step.do(ctx)
	if err == nil {
		crashpoint.At("addagent." + step.name + ".done")
	}
	return note, err
}

func (a *addition) hints() (doc reply.Doc) {
	if a.network == "" && a.wish.CopyOf == "" {
		doc = append(doc, reply.P("There is no isolated network yet, so its sandbox has what OpenClaw gives all: none, unless openclaw.json says otherwise. ",
			reply.Mono("sudo fraktalia firewall apply"), " makes one, and ", reply.Mono("%sisolation on %s", prompt(a.request), a.wish.ID), " puts it there."))
	}
	return append(doc, reply.P("In that room it answers everybody whom OpenClaw lets speak to it. ", reply.Mono("%sremoveagent %s", prompt(a.request), a.wish.ID), " takes it away again."))
}

func (a *addition) makeWorkspace(context.Context) (string, error) {
	err := a.space.Make()
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "", Because(err, "This program may not make %s for %s: run it as that user, or as root.", a.space.Path, a.space.Owner)
	case errors.Is(err, fs.ErrExist):
		return "", Because(err, "%s has come into being meanwhile.", a.space.Path)
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if full := diskProblem(a.space.Path, err); full != nil {
		return "", full
	}
	return "", err
}

func (a *addition) makeRoom(ctx context.Context) (string, error) {
	a.room.Purpose = a.made.Purpose
	id, err := a.Rooms.MakeRoom(ctx, a.room)
	crashpoint.At("addagent.room.made")
	if id != "" {
		a.made.Room = id
		err = errors.Join(err, a.work.note(ctx, a.made))
	}
	if err != nil {
		return "", a.makeProblem(err)
	}
	return "", nil
}

// entry is what stands in openclaw.json of the agent and its room.
func (a *addition) entry() openclaw.EditFunc {
	agent := a.wish.NewAgent
	agent.Settings = openclaw.Sandboxed{Name: a.wish.Name, Workspace: a.space.Path, Image: a.Settings.Image, User: a.space.User, Network: a.network, Model: a.wish.model}.Settings()
	room := openclaw.BindRoom{AgentID: a.wish.ID, Room: a.made.Room, Account: a.wish.account, Join: true, Settings: openclaw.AnswersAll()}
	return openclaw.InTurn(openclaw.AddAgent(agent), openclaw.Bind(room),
		openclaw.Admit([]string{a.made.Room}, a.invite...), openclaw.Hear(a.made.Room, a.wish.account, a.Settings.Bot))
}

// writeEntry writes all of it in one change, and wants to see it applied.
func (a *addition) writeEntry(ctx context.Context) (string, error) {
	var outcome openclaw.Outcome
	_, err := a.quietly().change(ctx, change{what: a.edit(), edit: a.entry(), outcome: &outcome})
	if err != nil {
		return "", err
	}
	if runsNot(outcome) {
		return "", Because(outcome.Err, "It was written, but %s.", gatewayText(outcome))
	}
	if outcome.Verdict != openclaw.Applied { // what follows shows it
		return gatewayText(outcome) + "; whether it did shows in what follows", nil
	}
	return gatewayText(outcome), nil
}

// awaitArrival has the agent's account come into the room.
func (a *addition) awaitArrival(ctx context.Context) (string, error) {
	came, err := a.bringIn(ctx, a.made.Room, a.guest.user)
	if err == nil && !came {
		err = Sorry("%s did not come into the room within %s. OpenClaw's Matrix account may not work; its log says more.", a.guest.user, a.arrivalWithin())
	}
	return "", err
}

// renamer is a homeserver's driver that can name accounts.
type renamer interface {
	Rename(ctx context.Context, userID, shown string) error
}

// giveName has the account shown under the agent's name, unless other agents
// speak with it, too.
func (a *addition) giveName(ctx context.Context) (string, error) {
	if others, err := a.othersWith(a.guest.account); err != nil || len(others) > 0 {
		return "stays as it is, since " + strings.Join(others, ", ") + " speaks with the same account", err
	}
	driver, err := a.Server(ctx)
	if err != nil {
		return "", peopleProblem(err)
	}
	naming, can := driver.(renamer)
	user, err := driver.User(ctx, a.guest.user)
	if !can || notForUs(err) || errors.As(err, new(homeserver.ErrNotFound)) {
		return "stays as it is: this homeserver does not let me change it", nil
	}
	if err != nil {
		return "", peopleProblem(err)
	}
	a.made.Named, a.made.NameBefore = true, user.DisplayName
	if err := a.work.note(ctx, a.made); err != nil {
		return "", err
	}
	err = naming.Rename(ctx, a.guest.user, a.wish.Name)
	if notForUs(err) {
		return "stays as it is: I may not change it on this homeserver", nil
	}
	return a.wish.Name, peopleProblem(err)
}

// othersWith are the other agents that speak with one of OpenClaw's accounts.
func (a *addition) othersWith(account string) (others []string, err error) {
	config, err := a.Agents.Load()
	if err != nil {
		return nil, a.configProblem(err)
	}
	for _, b := range config.Bindings() {
		if b.Channel == "matrix" && b.Account == account && b.AgentID != a.wish.ID && !slices.Contains(others, b.AgentID) {
			others = append(others, b.AgentID)
		}
	}
	return others, nil
}

// giveRole lets the agent's account ask for things, for this agent. An account
// that has a role keeps it.
func (a *addition) giveRole(ctx context.Context) (string, error) {
	before, had, err := a.Records.RoleOf(ctx, a.guest.user)
	switch {
	case err != nil:
		return "", err
	case had && before.Agent != "" && before.Agent != a.wish.ID:
		return fmt.Sprintf("stays: it asks for %s, and one account asks for one agent", before.Agent), nil
	case had:
		return before.Role, nil
	case slices.Contains(a.Settings.Owners, a.guest.user):
		return "none: it is an owner's account", nil
	}
	a.made.Role = true
	if err := a.work.note(ctx, a.made); err != nil {
		return "", err
	}
	given := store.Role{UserID: a.guest.user, Role: "agent", Agent: a.wish.ID, GivenBy: a.request.Sender, GivenAt: time.Now()}
	return "agent: it may propose things in the room", a.Records.SaveRole(ctx, given)
}

// askIt sees the agent work.
func (a *addition) askIt(ctx context.Context) (note string, err error) {
	a.proof, err = a.prove(ctx, Proof{Agent: a.wish.ID, Room: a.made.Room, Account: a.guest.user})
	if err != nil {
		return "", err
	}
	if !a.proof.Whole() {
		return "", Sorry("%s", a.proof.Fault())
	}
	return fmt.Sprintf("after %.1f s, from %s", a.proof.Took.Seconds(), a.proof.Container), nil
}

// endHearing has OpenClaw listen to the bot no more.
func (a *addition) endHearing(ctx context.Context) (string, error) {
	_, err := a.quietly().change(ctx, change{what: a.edit() + ": heard", edit: openclaw.HearNoMore(a.made.Room, a.wish.account, a.Settings.Bot)})
	return "", err
}

func (a *addition) inviteFriends(ctx context.Context) (string, error) {
	for _, user := range a.invite {
		if err := a.People.Invite(ctx, a.made.Room, user); err != nil {
			return "", Because(err, "Inviting %s failed: %s", user, reasonOf(err))
		}
	}
	return "", nil
}
