package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/e2e/client"
)

// Killed at any step of removing an agent, the next start brings the removal to
// its end and says so; killed again while it does, the start after that. Nothing
// is left, nothing is done twice, and what was kept comes back by !undo's line.
func TestRemovalIsKilled(t *testing.T) {
	t.Parallel() // it has an engine and a homeserver of its own
	n := newNest(t, "removal")
	t.Run("before it began", func(t *testing.T) { n.removalNotBegun(t) })
	for _, at := range []string{"config.written", "removeagent.the sandbox", "removeagent.leaving the rooms", "room.left", "removeagent.the workspace"} {
		t.Run(at, func(t *testing.T) { n.removalKilled(t, at) })
	}
	t.Run("at every step in turn", func(t *testing.T) {
		n.removalKilled(t, "config.written", "removeagent.the sandbox", "removeagent.leaving the rooms", "removeagent.the role", "removeagent.the account's name",
			"removeagent.the sessions", "room.left", "removeagent.the room", "removeagent.the workspace")
	})
	t.Run("kept", func(t *testing.T) { n.removalKeptAndKilled(t) })
}

// killed types a line while the program has the first of the crash points, and
// starts it anew with each of the others; it runs in the end.
func (n *nest) killed(t *testing.T, line string, points ...string) *client.Turn {
	t.Helper()
	ctx := patient(t)
	must(t, n.Process.Stop(ctx))
	n.start(t, "FRAKTALIA_CRASH_AT="+points[0])
	turn, err := n.admin.Say(ctx, line)
	must(t, err)
	n.waitKilled(ctx, t)
	for _, at := range points[1:] {
		must(t, n.Run(shared.crashy, "FRAKTALIA_CRASH_AT="+at))
		n.waitKilled(ctx, t)
	}
	n.start(t)
	return turn
}

func (n *nest) removalNotBegun(t *testing.T) {
	room := n.add(t)
	after, err := os.ReadFile(n.path)
	must(t, err)
	turn := n.killed(t, "!removeagent nest --erase --yes", "config.begun")
	n.waitTold(t, turn, "nothing of it was. Say it again.")
	wantClaw(t, n.path, string(after))
	if out := sayPatiently(t, n.admin, "!removeagent nest --erase --yes"); !out.OK || strings.Contains(out.Body, "⚠️") {
		t.Errorf("said again: %v\n%s", out.OK, out.Body)
	}
	n.wantLeft(t, room)
}

func (n *nest) removalKilled(t *testing.T, points ...string) {
	room := n.add(t)
	turn := n.killed(t, "!removeagent nest --erase --yes", points...)
	n.waitTold(t, turn, "I have done the rest.")
	n.wantLeft(t, room)
	name, err := n.agent.Raw().GetOwnDisplayName(within(t))
	must(t, err)
	if name.DisplayName != "Claw" || n.count(t, "SELECT count(*) FROM fraktalia_agent_work WHERE state='begun'") > 0 {
		t.Errorf("the account is called %q, or something is begun", name.DisplayName)
	}
	if out := say(t, n.admin, "!removeagent nest --erase --yes"); out.OK || !strings.Contains(out.Body, "There is no agent nest") {
		t.Errorf("said again: %v\n%s", out.OK, out.Body)
	}
	if told := n.heardSince(turn, "I have done the rest."); told != 1 {
		t.Errorf("the room heard %d times that the rest is done", told)
	}
}

// removalKeptAndKilled: without --erase the workspace is moved aside, once, and
// comes back.
func (n *nest) removalKeptAndKilled(t *testing.T) {
	n.add(t)
	after, err := os.ReadFile(n.path)
	must(t, err)
	turn := n.killed(t, "!removeagent nest --yes", "removeagent.the workspace", "removeagent.the workspace")
	n.waitTold(t, turn, "I have done the rest.")
	aside, _ := filepath.Glob(filepath.Join(n.home(), "workspace-nest*"))
	if len(aside) != 1 || !strings.Contains(aside[0], ".removed-") {
		t.Errorf("of the workspace there is %v", aside)
	}
	number := n.count(t, "SELECT max(id) FROM fraktalia_agent_work")
	back := n.killed(t, "!removeagent nest --back "+strconv.Itoa(number), "config.written")
	if out, err := back.Final(within(t)); err != nil || out.OK {
		t.Errorf("%v %v", out.OK, err)
	}
	if out := sayPatiently(t, n.admin, "!removeagent nest --back "+strconv.Itoa(number)); !out.OK || !strings.Contains(out.Body, "nest is in Nest, as @nester:fraktalia.test.") {
		t.Errorf("%v\n%s", out.OK, out.Body)
	}
	wantClaw(t, n.path, string(after))
	if _, err := os.Stat(filepath.Join(n.home(), "workspace-nest", "AGENTS.md")); err != nil {
		t.Error(err)
	}
}

// waitTold waits until the room hears of the removal, and for the command's own end.
func (n *nest) waitTold(t *testing.T, turn *client.Turn, text string) {
	t.Helper()
	ctx := patient(t)
	if out, err := turn.Final(ctx); err != nil || out.OK || !strings.Contains(out.Body, "I bring the removal to its end by myself") {
		t.Errorf("%v: ok=%v\n%s", err, out.OK, out.Body)
	}
	_, err := n.admin.WaitBot(ctx, func(e client.Event) bool { return e.Seen.After(turn.Started) && says(e, text) })
	must(t, err)
}

// heardSince counts how often the room has heard it since the command.
func (n *nest) heardSince(turn *client.Turn, text string) (times int) {
	for _, e := range n.admin.FromBot() {
		if e.Seen.After(turn.Started) && says(e, text) {
			times++
		}
	}
	return times
}
