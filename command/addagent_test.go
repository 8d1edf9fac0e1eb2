package command

import (
	"context"
	"errors"

	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/homeserver"
	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/sandbox"
	"github.com/githabideri/fraktalia/store"
	"github.com/githabideri/fraktalia/workspace"
)

// nursery is a house in which an agent is added, and where one thing can fail.
type nursery struct {
	*bench
	*claw
	town  *crib
	rooms *carpenter
	at    string // where workspaces are made
	fails string
	// heard is the configuration while the agent was asked.
	heard string
	room  string // in which it was asked
	// remains are folders of agents that are gone.
	remains []Remains
}

// crib is a town in which rooms are listed and accounts named.
type crib struct {
	*town
	n *nursery
}

func (c *crib) ListRooms(context.Context) (list []homeserver.Room, err error) {
	for id, name := range c.n.rooms.made {
		list = append(list, homeserver.Room{ID: id, Name: name, Members: 2})
	}
	return list, nil
}
func (c *crib) DeleteRoom(_ context.Context, id string) error {
	if c.n.fails == "answer lost" {
		delete(c.n.rooms.made, id)
		return homeserver.ErrUnreachable{Address: "http://town", Err: errors.New("gone")}
	}
	if c.n.fails == "delete" {
		return homeserver.ErrUnreachable{Address: "http://town", Err: errors.New("gone")}
	}
	delete(c.n.rooms.made, id)
	return nil
}
func (c *crib) Room(_ context.Context, id string) (homeserver.Room, error) {
	if c.n.rooms.made[id] == "" {
		return homeserver.Room{}, homeserver.ErrNotFound{}
	}
	return homeserver.Room{ID: id}, nil
}
func (c *crib) Rename(_ context.Context, id, shown string) error {
	if c.n.fails == "name" {
		c.n.fails = "" // once
		return homeserver.ErrUnreachable{Address: "http://town", Err: errors.New("gone")}
	}
	c.users[id].DisplayName = shown
	return nil
}
func (c *crib) Invite(ctx context.Context, room, user string) error {
	if c.n.fails == "arrival" && user == "@agent:test" {
		return errors.New("no room")
	}
	return c.town.Invite(ctx, room, user)
}

// carpenter makes rooms.
type carpenter struct {
	Rooms
	n       *nursery
	made    map[string]string
	purpose map[string]string
}

func (h *carpenter) MakeRoom(_ context.Context, room NewRoom) (string, error) {
	if h.n.fails == "room" {
		return "", errors.New("no timber")
	}
	h.made["!new:test"], h.purpose[room.Purpose] = room.Name, "!new:test"
	if h.n.fails == "half a room" {
		return "!new:test", errors.New("no roof")
	}
	return "!new:test", nil
}
func (h *carpenter) FindMade(_ context.Context, purpose string) (string, error) {
	return h.purpose[purpose], nil
}
func (h *carpenter) Disband(context.Context, string) error { return nil }

// noRoles is a record that cannot keep roles.
type noRoles struct{ *store.Store }

func (noRoles) SaveRole(context.Context, store.Role) error { return errors.New("the disk is full") }

func (n *nursery) HasJoined(_ context.Context, room, user string) bool {
	if user == "@bot:test" {
		return n.rooms.made[room] != ""
	}
	return n.fails != "never" && n.town.in[room+user] == Invited
}
func (n *nursery) Exchange(ctx context.Context, room, _, text string, heard func(string) bool) error {
	n.heard, n.room = n.raw(), room
	words := asked.FindStringSubmatch(text)
	if n.fails == "end" {
		n.claw.outcome = openclaw.Outcome{Verdict: openclaw.Rejected}
	}
	if n.fails == "proof" || !heard(words[1]) {
		<-ctx.Done()
		return ctx.Err()
	}
	return os.WriteFile(filepath.Join(n.at, "mix", words[3]), []byte(words[1]+" 0123456789ab\n"), 0o600)
}
func (n *nursery) Written(_ context.Context, agent, name string) (string, string, error) {
	path := filepath.Join(n.at, agent, name)
	text, err := os.ReadFile(path)
	return string(text), path, err
}
func (n *nursery) EraseRecords(string) (bool, error)   { return false, nil }
func (n *nursery) Remains([]string) ([]Remains, error) { return n.remains, nil }
func (n *nursery) EraseRemains(left Remains, _ []string) error {
	n.remains = slices.DeleteFunc(n.remains, func(r Remains) bool { return r == left })
	return nil
}
func (n *nursery) PlanWorkspace(_ context.Context, agent Newcomer) (NewWorkspace, error) {
	path := filepath.Join(n.at, agent.ID)
	if n.fails == "workspace" {
		path = filepath.Join(n.at, "none", agent.ID)
	}
	if _, err := os.Lstat(path); err == nil {
		return NewWorkspace{}, &WorkspaceTaken{path}
	}
	if n.fails == "template" {
		return NewWorkspace{}, &BadTemplate{"/data/persona/SOUL.md", errors.New("unexpected }")}
	}
	return NewWorkspace{User: "1000:1000", New: workspace.New{Path: path, Owner: workspace.State{UID: os.Geteuid(), GID: os.Getegid(), Mode: 0o700},
		Files: map[string]string{"AGENTS.md": "I am " + agent.Name + " in " + agent.Room}}}, nil
}

func (n *nursery) AsideOf(agent openclaw.Agent, rest []openclaw.Agent) (string, string, error) {
	if path := agent.Text("workspace"); path != "" {
		return path, path + ".removed", nil
	}
	return n.claw.AsideOf(agent, rest)
}

// Commit puts back what the gateway rejects, once.
func (n *nursery) Commit(ctx context.Context, plan *openclaw.Plan, written Written) (openclaw.Outcome, error) {
	before := n.raw()
	outcome, err := n.claw.Commit(ctx, plan, written)
	if outcome.Verdict == openclaw.Rejected {
		err = errors.Join(err, os.WriteFile(n.path, []byte(before), 0o600))
		n.claw.outcome = openclaw.Outcome{Verdict: openclaw.Applied}
	}
	return outcome, err
}

// stocked has the image, and the new agent's container once it was asked.
type stocked struct {
	pen
	missing bool
}

func (s stocked) ImageInfo(context.Context, string) (sandbox.Image, error) {
	return sandbox.Image{Exists: !s.missing}, nil
}

func newNursery(t *testing.T, fails string) *nursery {
	t.Helper()
	b, c := newClaw(t)
	c.write(t, strings.Replace(clawText, "channels: { matrix: {", "channels: { matrix: { userId: '@agent:test', groupAllowFrom: ['@o:test'],", 1))
	c.write(t, strings.Replace(c.text(t), "'max', match: { channel: 'matrix',", "'max', match: { channel: 'matrix', accountId: 'two',", 1))
	n := &nursery{bench: b, claw: c, at: t.TempDir(), fails: fails}
	n.town = &crib{newTown("alice", "shy", "agent"), n}
	n.town.users["@agent:test"].DisplayName = "Claw"
	n.rooms = &carpenter{n: n, made: map[string]string{"!old:test": "Old room"}, purpose: map[string]string{}}
	s := &b.commands.services
	s.Agents = n
	s.People, s.Rooms, s.Speaking, s.Workspaces, s.Isolation = n.town, n.rooms, n, n, &wall{}
	s.Server = func(context.Context) (homeserver.Driver, error) { return n.town, nil }
	s.Containers = stocked{pen{list: []sandbox.Container{{ID: "0123456789abcdef", Name: "sbx", Agent: "mix"}}}, fails == "image"}
	s.Settings.AnswerWithin, s.Settings.Image = time.Second, "box:test"
	if fails == "role" {
		s.Records = noRoles{b.records}
	}
	return n
}

const addMix = `addagent mix --name "Mix" --room "Mix's room" --model local/big --invite alice`

// Everything is made, the bot is heard only while it asks, and undo takes it
// away again.
func TestAgentIsAddedWhole(t *testing.T) {
	n := newNursery(t, "")
	text, err := n.do(t, addMix)
	if err != nil || strings.Contains(text, toCome) || strings.Contains(text, working) || strings.Count(text, did) != 12 {
		t.Fatalf("%v\n%s", err, text)
	}
	config, err := n.Load()
	must(t, err)
	agent, err := config.Agent("mix")
	must(t, err)
	for path, want := range map[string]string{"name": "Mix", "model": "local/big", "workspace": filepath.Join(n.at, "mix"), "sandbox mode": "all", "sandbox workspaceAccess": "rw",
		"sandbox docker image": "box:test", "sandbox docker network": "fraktalia", "sandbox docker user": "1000:1000", "identity name": "Mix"} {
		if got := agent.Text(strings.Fields(path)...); got != want {
			t.Errorf("%s is %q, not %q", path, got, want)
		}
	}
	for _, want := range []string{"'!new:test': { enabled: true, autoReply: true }", "autoJoinAllowlist: ['!two:test', '!new:test']", "groupAllowFrom: ['@o:test', '@alice:test']"} {
		if !strings.Contains(n.text(t), want) {
			t.Errorf("openclaw.json has no %s:\n%s", want, n.text(t))
		}
	}
	if n.room != "!new:test" || !strings.Contains(n.heard, "users: ['@o:test', '@alice:test', '@bot:test']") || strings.Contains(n.text(t), "@bot:test") {
		t.Errorf("asked in %s with\n%s\nafterwards\n%s", n.room, n.heard, n.text(t))
	}
	role, _, _ := n.records.RoleOf(t.Context(), "@agent:test")
	if role.Role != "agent" || role.Agent != "mix" || n.town.in["!new:test@alice:test"] != Invited || n.town.users["@agent:test"].DisplayName != "Mix" {
		t.Errorf("%+v %v %+v", role, n.town.in, n.town.users["@agent:test"])
	}
	if open, err := n.records.AgentWorks(t.Context(), store.WorkBegun); err != nil || len(open) > 0 {
		t.Errorf("%v %v", err, open)
	}
}

// Whichever step fails: it is named, and nothing is left behind.
func TestAgentIsAddedOrNothingIs(t *testing.T) {
	for fails, want := range map[string]string{
		"workspace": "the log says why.", "room": "the log says why.", "half a room": "the log says why.",
		"rejected": "The gateway rejected it, so I put the file back as it was", "down": "It was written, but the gateway is down: it takes effect when it starts.",
		"arrival": "The agent's account @agent:test could not be invited", "never": "@agent:test did not come into the room within 3s",
		"name": "The homeserver at http://town does not answer", "role": "the log says why.", "proof": "mix answered, but not with the word", "end": "The gateway rejected it", "shy": "Inviting @shy:test failed",
	} {
		t.Run(fails, func(t *testing.T) {
			n := newNursery(t, fails)
			before := n.text(t)
			line := addMix
			switch fails {
			case "rejected":
				n.claw.outcome = openclaw.Outcome{Verdict: openclaw.Rejected}
			case "down":
				n.claw.outcome = openclaw.Outcome{Verdict: openclaw.Unknown, Err: &openclaw.GatewayDownError{}}
			case "shy":
				line += ",shy"
			}
			_, err := n.do(t, line)
			var problem *Problem
			if !errors.As(err, &problem) || !strings.Contains(problem.Sentence, want) && fails != "proof" || strings.Contains(problem.Sentence, "Left are") {
				t.Fatalf("%v", err)
			}
			if list := problem.Detail.Text(); strings.Count(list, failed) == 0 && fails != "end" || strings.Contains(list, did) || strings.Contains(list, working) {
				t.Errorf("the list is\n%s", list)
			}
			n.wantNothing(t, before)
		})
	}
}

// wantNothing finds what is left of an agent.
func (n *nursery) wantNothing(t *testing.T, before string) {
	t.Helper()
	if n.text(t) != before {
		t.Errorf("openclaw.json is\n%s", n.text(t))
	}
	left, err := os.ReadDir(n.at)
	_, role, _ := n.records.RoleOf(t.Context(), "@agent:test")
	open, _ := n.records.AgentWorks(t.Context(), store.WorkBegun)
	if err != nil || len(left) > 0 || role || len(open) > 0 || len(n.rooms.made) != 1 || n.town.users["@agent:test"].DisplayName != "Claw" {
		t.Errorf("left are %v, role %v, works %+v, rooms %v, name %q", left, role, open, n.rooms.made, n.town.users["@agent:test"].DisplayName)
	}
}

// The homeserver removed the room, and its answer was lost: nothing is left, and
// nothing else is said.
func TestARoomThatIsGoneIsNotMissed(t *testing.T) {
	n := newNursery(t, "proof")
	before := n.text(t)
	n.fails = "answer lost"
	n.claw.outcome = openclaw.Outcome{Verdict: openclaw.Unknown, Err: &openclaw.GatewayDownError{}}
	if _, err := n.do(t, addMix); err == nil || strings.Contains(err.Error(), "Left are") {
		t.Error(err)
	}
	n.wantNothing(t, before)
}

// What cannot be taken back is told, and taken back at the next start; also what
// a killed program had only begun.
func TestRestOfAnAgentIsTakenBackLater(t *testing.T) {
	n := newNursery(t, "proof")
	before := n.text(t)
	n.fails = "delete"
	n.claw.outcome = openclaw.Outcome{Verdict: openclaw.Unknown, Err: &openclaw.GatewayDownError{}}
	_, err := n.do(t, addMix)
	if err == nil || !strings.Contains(err.Error(), "Left are the room; the log says why, and I try again when I am started.") || len(n.rooms.made) != 2 {
		t.Fatalf("%v %v", err, n.rooms.made)
	}
	n.fails = ""
	if told := n.recover(t); !strings.Contains(told, "mix was being added when I was stopped.") || !strings.Contains(told, "Nothing is left.") {
		t.Error(told)
	}
	n.wantNothing(t, before)
	if told := n.recover(t); told != "" {
		t.Errorf("again: %s", told)
	}
	// Killed when the room was made, but its id not written down.
	work, err := n.run(t).beginWork(t.Context(), store.WorkAdd, "mix", additionMade{Purpose: "agent:mix:1", Workspace: filepath.Join(n.at, "mix")})
	must(t, err)
	_, err = n.rooms.MakeRoom(t.Context(), NewRoom{Name: "Mix's room", Purpose: "agent:mix:1"})
	must(t, err)
	must(t, os.Mkdir(filepath.Join(n.at, "mix.unfinished"), 0o700))
	if told := n.recover(t); !strings.Contains(told, "Taken back: the room, the workspace. Nothing is left.") {
		t.Error(told)
	}
	n.wantNothing(t, before)
	if again, _, _ := n.records.AgentWork(t.Context(), work.ID); again.State != store.WorkUndone {
		t.Errorf("%+v", again)
	}
}

// recover is what a start of the program tells.
func (n *nursery) recover(t *testing.T) (told string) {
	t.Helper()
	must(t, n.commands.recoverAll(t.Context(), func(doc reply.Doc) { told += doc.Text() }))
	return told
}

// What can be known before is told before, and nothing is made.
func TestAdditionMistakes(t *testing.T) {
	for line, want := range map[string]string{
		`addagent Mix --room R`:                                          "OpenClaw takes no agent id",
		`addagent max --room R`:                                          "There is an agent max already",
		`addagent buried --room R`:                                       "OpenClaw remembers that an agent buried was deleted with its own program",
		`addagent mix --room ""`:                                         "Say what the room shall be called.",
		`addagent mix --room "old ROOM"`:                                 "There is a room called Old room already.",
		`addagent mix --room R --invite nobody`:                          "There is no account @nobody:test",
		`addagent mix --room R --invite agent`:                           "it comes by itself",
		`addagent mix --room R --account two`:                            "OpenClaw has no Matrix account \"two\"",
		`addagent mix --room R --copy mxo`:                               "There is no agent mxo. Did you mean mox?",
		`addagent mix --invite alice`:                                    "--model, --account and --invite go with --room",
		`addagent mix --room R --name "` + strings.Repeat("x", 61) + `"`: "up to 60 characters",
		"image addagent mix --room R":                                    "There is no sandbox image box:test yet: !rebuild-sandbox makes it.",
		"template addagent mix --room R":                                 "The template /data/persona/SOUL.md cannot be used: unexpected }",
		"taken addagent mix --room R":                                    "where its workspace would be",
		"nobody addagent mix --room R":                                   "I do not know which Matrix account mix speaks with",
		"none addagent mix --room R":                                     "is not there: install OpenClaw, or name its file",
	} {
		fails, typed, special := strings.Cut(line, " addagent")
		if !special {
			fails, typed = "", strings.TrimPrefix(line, "addagent")
		}
		n := newNursery(t, fails)
		switch fails {
		case "taken":
			must(t, os.Mkdir(filepath.Join(n.at, "mix"), 0o700))
		case "nobody":
			n.claw.write(t, clawText)
		case "none":
			must(t, os.Remove(n.claw.path))
		}
		if _, err := n.do(t, "addagent"+typed); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, not %q", line, err, want)
		}
		if works, _ := n.records.AgentWorks(t.Context(), store.WorkUndone); len(works) > 0 || len(n.rooms.made) > 1 {
			t.Errorf("%s: something was made: %+v", line, works)
		}
	}
}
