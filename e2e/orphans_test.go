package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/e2e/client"
	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/openclaw/json5"
)

// What agents leave, by its kinds, in the order in which it goes.
const (
	leftSandbox   = "sandbox"
	leftEntries   = "entries in openclaw.json"
	leftRole      = "role"
	leftRoom      = "room"
	leftWorkspace = "workspace"
	leftRecord    = "OpenClaw's record of what was said"
)

var allLeft = []string{leftSandbox, leftEntries, leftRole, leftRoom, leftWorkspace, leftRecord}

// The marks under the question what of it is to go.
const (
	theFirst  = "1️⃣"
	theSecond = "2️⃣"
	theThird  = "3️⃣"
)

// What removed and renamed agents have left goes where an owner clicks for it,
// and nothing else does. Killed while it goes, the same line finds the rest.
func TestWhatAgentsLeaveGoesByAClick(t *testing.T) {
	t.Parallel() // it has an engine and a homeserver of its own
	n := newNest(t, "orphans")
	t.Run("an invitation is overheard", func(t *testing.T) { n.overhears(t) })
	t.Run("removed by another program", func(t *testing.T) { n.deletedElsewhere(t) })
	t.Run("renamed by another program", func(t *testing.T) { n.renamedElsewhere(t) })
	t.Run("removed from the room", func(t *testing.T) { n.removedKept(t) })
	t.Run("killed", func(t *testing.T) { n.killedWhileItGoes(t) })
}

// overhears: the agent's channel drops the first invitation, and is invited again.
func (n *nest) overhears(t *testing.T) {
	n.agent.late.Store(1)
	defer n.agent.late.Store(0)
	out := sayPatiently(t, n.admin, "!createroom Perch --agent mox")
	if !out.OK || !strings.Contains(out.Body, "mox is in Perch, as @nester:fraktalia.test.") {
		t.Errorf("%v\n%s", out.OK, out.Body)
	}
	text, err := os.ReadFile(n.path)
	must(t, err)
	if out := say(t, n.admin, "!kick nester Perch"); !out.OK {
		t.Error(out.Body)
	}
	// One that was invited, and has dropped that, is invited anew.
	n.agent.late.Store(3)
	room := id.RoomID(listedOn(t, n.Deployment, "Perch").ID)
	_, err = n.owner.Enter(within(t), room, n.BotUserID)
	must(t, err)
	_, err = n.owner.Raw().InviteUser(within(t), room, &mautrix.ReqInviteUser{UserID: n.agent.UserID})
	must(t, err)
	_, err = n.agent.WaitInvite(within(t), room)
	must(t, err)
	if out := say(t, n.admin, "!invite nester Perch"); !out.OK || !strings.Contains(out.Body, "mox is in Perch, as @nester:fraktalia.test.") {
		t.Errorf("%v\n%s", out.OK, out.Body)
	}
	wantClaw(t, n.path, string(text)) // it is on no list of those to whom it listens
	if out := say(t, n.admin, "!unbind Perch --yes"); !out.OK {
		t.Error(out.Body)
	}
}

// dropAgent leaves of an agent what OpenClaw's own program leaves: all but its
// entry and its binding.
func dropAgent(c *openclaw.Config) []json5.Operation {
	return []json5.Operation{{Verb: json5.Unset, Path: entry("nest")}, {Verb: json5.Unset, Path: binding(c, "nest")}}
}

func (n *nest) deletedElsewhere(t *testing.T) {
	room := n.add(t)
	n.change(t, dropAgent)
	n.wantLeft(t, room, allLeft...)
	if said := n.clicks(t, theThird); !strings.Contains(said, "Nothing was removed.") {
		t.Error(said)
	}
	n.wantLeft(t, room, allLeft...)
	if said := n.clicks(t, theFirst); strings.Count(said, "✅") != 3 {
		t.Error(said)
	}
	n.wantLeft(t, room, leftRoom, leftWorkspace, leftRecord)
	if said := n.clicks(t, theFirst); strings.Count(said, "✅") != 3 { // all of it: nothing else is left to choose from
		t.Error(said)
	}
	n.wantLeft(t, room)
}

// renamedElsewhere: the room, its entry and the workspace are the renamed agent's
// now, and stay.
func (n *nest) renamedElsewhere(t *testing.T) {
	room := n.add(t)
	n.change(t, func(c *openclaw.Config) []json5.Operation {
		return []json5.Operation{{Verb: json5.Move, Path: entry("nest"), To: entry("bird")},
			{Verb: json5.Set, Path: binding(c, "nest").Then(json5.Key("agentId")), Value: json5.ParseValue("'bird'")}}
	})
	after, err := os.ReadFile(n.path)
	must(t, err)
	n.wantListed(t, leftSandbox, leftRole, leftRecord)
	if said := n.clicks(t, theSecond); strings.Count(said, "✅") != 3 {
		t.Error(said)
	}
	n.wantListed(t)
	wantClaw(t, n.path, string(after))
	if _, err := os.Stat(filepath.Join(n.home(), "workspace-nest", "AGENTS.md")); err != nil || listedOn(t, n.Deployment, "Nest") == nil {
		t.Errorf("the renamed agent's workspace or room is gone: %v", err)
	}
	if out := sayPatiently(t, n.admin, "!removeagent bird --erase --yes"); !out.OK {
		t.Error(out.Body)
	}
	if said := n.clicks(t, theFirst); !strings.Contains(said, room) { // made for nest, so nobody knows that it was bird's
		t.Error(said)
	}
	n.wantLeft(t, room)
}

// removedKept: what !removeagent leaves for !undo can be removed for good.
func (n *nest) removedKept(t *testing.T) {
	room := n.add(t)
	if out := sayPatiently(t, n.admin, "!removeagent nest --yes"); !out.OK {
		t.Error(out.Body)
	}
	n.wantListed(t, leftRoom, leftWorkspace, leftRecord)
	if said := n.clicks(t, theFirst); strings.Count(said, "✅") != 3 {
		t.Error(said)
	}
	n.wantLeft(t, room)
}

// killedWhileItGoes has the program killed after each thing that it removes, and
// in the middle of some: each time the same line goes on with the rest.
func (n *nest) killedWhileItGoes(t *testing.T) {
	room := n.add(t)
	n.change(t, dropAgent)
	must(t, n.Process.Stop(within(t)))
	rest := slices.Clone(allLeft)
	for _, at := range []string{"orphans." + leftSandbox, "config.begun", "config.written", "orphans." + leftRole, "room.left", "orphans." + leftRoom, "orphans." + leftWorkspace} {
		n.start(t, "FRAKTALIA_CRASH_AT="+at)
		n.wantListed(t, rest...)
		ctx := within(t)
		turn := n.clicked(t, all(rest))
		n.waitKilled(ctx, t)
		n.start(t)
		out, err := turn.Final(ctx)
		must(t, err)
		if out.OK || !strings.Contains(out.Body, "!agents --orphans, said again, shows what is left.") {
			t.Errorf("%s: ok=%v\n%s", at, out.OK, out.Body)
		}
		switch at {
		case "config.written":
			rest = slices.DeleteFunc(rest, func(kind string) bool { return kind == leftEntries })
		default:
			rest = slices.DeleteFunc(rest, func(kind string) bool { return at == "orphans."+kind })
		}
		must(t, n.Process.Stop(ctx))
	}
	n.start(t)
	n.wantLeft(t, room, leftRecord)
	if said := n.clicks(t, theFirst); strings.Count(said, "✅") != 1 {
		t.Error(said)
	}
	n.wantLeft(t, room)
}

// all is the mark that stands for all of it.
func all(left []string) string {
	plain := func(kind string) bool { return slices.Contains([]string{leftSandbox, leftEntries, leftRole}, kind) }
	if slices.ContainsFunc(left, plain) {
		return theSecond
	}
	return theFirst
}

// clicked has the owner ask what is left, and click.
func (n *nest) clicked(t *testing.T, mark string) *client.Turn {
	t.Helper()
	ctx := within(t)
	turn, err := n.admin.Say(ctx, "!agents --orphans")
	must(t, err)
	question, err := turn.WaitMarked(ctx, mark)
	must(t, err)
	_, err = n.admin.React(ctx, question.ID, mark)
	must(t, err)
	return turn
}

// clicks is the answer to that.
func (n *nest) clicks(t *testing.T, mark string) string {
	t.Helper()
	turn := n.clicked(t, mark)
	must(t, turn.Wait(within(t), "the end", func(turn *client.Turn) bool { _, ended := turn.Now(); return ended }))
	out, _ := turn.Now()
	return out.Body
}

// wantListed compares what is found with what there should be.
func (n *nest) wantListed(t *testing.T, want ...string) {
	t.Helper()
	out, said, err := n.Shell(within(t), nil, "agents", "--orphans", "--json")
	var found []struct{ Kind, Agent string }
	if err != nil || json.Unmarshal([]byte(out), &found) != nil {
		t.Fatalf("%v\n%s\n%s", err, out, said)
	}
	var kinds []string
	for _, one := range found {
		kinds = append(kinds, one.Kind)
		if one.Agent != "nest" && one.Kind != leftEntries {
			t.Errorf("%+v is no agent's that was here", one)
		}
	}
	if !slices.Equal(kinds, want) {
		t.Errorf("found is %q, not %q", kinds, want)
	}
}

// wantLeft looks for the things themselves, too.
func (n *nest) wantLeft(t *testing.T, room string, want ...string) {
	t.Helper()
	n.wantListed(t, want...)
	if len(want) == 0 {
		wantClaw(t, n.path, n.before)
	}
	text, err := os.ReadFile(n.path)
	must(t, err)
	workspaces, _ := filepath.Glob(filepath.Join(n.home(), "workspace-nest*"))
	_, record := os.Stat(filepath.Join(n.home(), "agents", "nest"))
	for kind, there := range map[string]bool{
		leftSandbox: n.engine.Runs(within(t), n.agent.box.Load()), leftEntries: strings.Contains(string(text), room),
		leftRole: n.count(t, "SELECT count(*) FROM fraktalia_role") > 0, leftRoom: n.rooms(t, room) > 0,
		leftWorkspace: len(workspaces) > 0, leftRecord: record == nil,
	} {
		if there != slices.Contains(want, kind) {
			t.Errorf("%s: there=%v\n%s", kind, there, text)
		}
	}
}

// rooms counts a room where the homeserver keeps them.
func (n *nest) rooms(t *testing.T, id string) int {
	t.Helper()
	count, err := n.CountRooms(within(t), id)
	must(t, err)
	return count
}
