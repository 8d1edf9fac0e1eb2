package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/e2e/client"
)

// The whole checklist with the real OpenClaw: an agent is made and seen to work,
// the list fills up in one message, a friend talks to it. It is removed, brought
// back, and removed for good; nothing is left then.
func TestAgentIsAddedAndSeenToWork(t *testing.T) {
	t.Parallel() // it has an engine, a homeserver and a gateway of its own
	// An agent whose model fails is waited for as long as that.
	h := moveInHouse(t, "added", "answer_within: 3m", "answer_within: 60s")
	mix := "mix" + strings.ToLower(shared.run[:4])
	path := filepath.Join(h.DataDir, "openclaw", "openclaw.json")
	workspace := filepath.Join(filepath.Dir(path), "workspace-"+mix)
	before, err := os.ReadFile(path)
	must(t, err)
	// The bot is on no list, and has to be heard all the same while it asks.
	before = []byte(strings.Replace(string(before), `groupPolicy: "allowlist",`, `groupPolicy: "allowlist", groupAllowFrom: ["@mila:fraktalia.test"],`, 1))
	must(t, os.WriteFile(path, before, 0o600))
	out := sayPatiently(t, h.admin, "!addagent "+mix+` --name "Mix" --room "Mix's room" --invite felix`)
	t.Logf("added after %.1f s, in %d messages:\n%s", out.Took.Seconds(), len(out.Replies), out.Body)
	if !out.OK || len(out.Replies) != 1 || strings.Count(out.Body, "✅") != 12 {
		t.Fatalf("ok=%v in %d messages\n%s", out.OK, len(out.Replies), h.GatewayWords())
	}
	after, err := os.ReadFile(path)
	must(t, err)
	if strings.Contains(string(after), string(h.BotUserID)) || !strings.Contains(string(after), `groupAllowFrom: ["@mila:fraktalia.test", "@felix:fraktalia.test"]`) {
		t.Errorf("the bot is heard for good, or the friend is not:\n%s", after)
	}
	for name, want := range map[string]string{"AGENTS.md": "Bind servers to `0.0.0.0`", "skills/fraktalia/SKILL.md": "name: fraktalia"} {
		if text, err := os.ReadFile(filepath.Join(workspace, name)); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
	t.Run("a friend talks to it", func(t *testing.T) { friendTalks(t, h, "Mix's room") })
	t.Run("removed, and brought back", func(t *testing.T) {
		out := sayPatiently(t, h.admin, "!removeagent "+mix+" --yes")
		if !out.OK || !strings.Contains(out.Body, "Its workspace is moved aside") || !strings.Contains(out.Body, "Its sandbox is removed (1 container).") {
			t.Errorf("%v\n%s", out.OK, out.Body)
		}
		if _, err := os.Stat(workspace); !os.IsNotExist(err) {
			t.Error(err)
		}
		if out = sayPatiently(t, h.admin, "!undo"); !out.OK {
			t.Errorf("%s", out.Body)
		}
		wantClaw(t, path, string(after))
		if _, err := os.Stat(filepath.Join(workspace, "AGENTS.md")); err != nil {
			t.Error(err)
		}
	})
	t.Run("removed for good", func(t *testing.T) {
		out := sayPatiently(t, h.admin, "!removeagent "+mix+" --erase --yes")
		if !out.OK || strings.Count(out.Body, "⚠️") > strings.Count(out.Body, "OpenClaw still has it open") {
			t.Errorf("%v\n%s", out.OK, out.Body)
		}
		felix := strings.Replace(string(before), `["@mila:fraktalia.test"]`, `["@mila:fraktalia.test", "@felix:fraktalia.test"]`, 1) // who is heard stays heard
		wantClaw(t, path, felix)
		wantNoOrphans(t, h)
	})
	t.Run("added again", func(t *testing.T) {
		if out := sayPatiently(t, h.admin, "!addagent "+mix+` --name "Mix" --room "Mix's room"`); !out.OK {
			t.Errorf("%s\n%s", out.Body, h.GatewayWords())
		}
	})
	t.Run("another room for it", func(t *testing.T) {
		out := sayPatiently(t, h.admin, `!createroom "Film club" --agent `+mix+` --invite felix`)
		if !out.OK || !strings.Contains(out.Body, mix+" is in Film club, as "+h.agentID()+".") {
			t.Errorf("%v\n%s\n%s", out.OK, out.Body, h.GatewayWords())
		}
		friendTalks(t, h, "Film club")
	})
	t.Run("another's model fails", func(t *testing.T) { modelFails(t, h, "mux"+strings.ToLower(shared.run[:4]), path) })
}

// modelFails: an agent that does not answer is taken back, and nothing is left.
func modelFails(t *testing.T, h *house, mux, path string) {
	before, err := os.ReadFile(path)
	must(t, err)
	h.Model.Stop()
	out := sayPatiently(t, h.admin, "!addagent "+mux+` --room "Mux's room"`)
	if out.OK || !strings.Contains(out.Body, "the room, the workspace.") || strings.Contains(out.Body, "Left are") || !strings.Contains(out.Body, "❌ asked in the room, it answers") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	wantClaw(t, path, string(before))
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "workspace-"+mux+"*")); len(left) > 0 || listedOn(t, h.Deployment, "Mux's room") != nil {
		t.Errorf("left are %v", left)
	}
	wantNoOrphans(t, h)
}

// wantNoOrphans finds nothing that an agent has left, but for what OpenClaw
// itself still has open.
func wantNoOrphans(t *testing.T, h *house) {
	t.Helper()
	out, said, err := h.Shell(within(t), nil, "agents", "--orphans", "--json")
	var left []struct{ Kind string }
	if err != nil || json.Unmarshal([]byte(out), &left) != nil {
		t.Fatalf("%v\n%s\n%s", err, out, said)
	}
	for _, one := range left {
		if one.Kind != "OpenClaw's record of what was said" {
			t.Errorf("left is %+v", one)
		}
	}
}

// friendTalks has the friend come into one of the new agent's rooms.
func friendTalks(t *testing.T, h *house, name string) {
	ctx := patient(t)
	room := listedOn(t, h.Deployment, name)
	if room == nil {
		t.Fatal("the room is not listed")
	}
	entered, err := h.friend.Client().Enter(ctx, id.RoomID(room.ID), h.BotUserID)
	must(t, err)
	h.asks(ctx, t, entered, `say: "hello felix, I am Mix"`, "hello felix, I am Mix")
}

// sayPatiently types a line that takes as long as an agent's first answer.
func sayPatiently(t *testing.T, room *client.Room, line string) client.Outcome {
	t.Helper()
	ctx := patient(t)
	turn, err := room.Say(ctx, line)
	must(t, err)
	out, err := turn.Final(ctx)
	must(t, err)
	return out
}
