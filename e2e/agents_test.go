package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/e2e/client"
)

// clawHouse is a configuration of OpenClaw as people write it by hand.
const clawHouse = `{
  // made by hand
  meta: { lastTouchedVersion: '2026.9.6' },
  gateway: { mode: 'local' },
  agents: {
    ownership: 'explicit',
    entries: {
      mox: { name: 'Mox', sandbox: { mode: 'all', docker: { memory: '4g' } } }, // the first
      ivy: { name: 'Ivy', workspace: 'ivy', sandbox: { mode: 'all' }, memorySearch: { remote: { apiKey: 'sk-very-secret' } } },
    },
  },
  bindings: [
    { agentId: 'ivy', match: { channel: 'matrix', peer: { kind: 'channel', id: '!gone:fraktalia.test' } } },
  ],
  channels: { matrix: { groupPolicy: 'allowlist', groups: { '!gone:fraktalia.test': { enabled: true } } } },
}
`

// clawFile writes the configuration to where a deployment of the tests looks
// for it: below its own home. It is whole again when the test ends.
func clawFile(t *testing.T, dataDir, text string) string {
	t.Helper()
	path := filepath.Join(filepath.Dir(dataDir), ".openclaw", "openclaw.json")
	must(t, os.MkdirAll(filepath.Dir(path), 0o700))
	must(t, os.WriteFile(path, []byte(text), 0o600))
	t.Cleanup(func() { must(t, os.WriteFile(path, []byte(text), 0o600)) })
	return path
}

// wantClaw compares the file.
func wantClaw(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	must(t, err)
	if string(got) != want {
		t.Errorf("the file is\n%s\nand not\n%s", got, want)
	}
}

func TestAgentIsEditedFromTheRoom(t *testing.T) {
	path := clawFile(t, shared.DataDir, clawHouse)
	out := say(t, shared.admin, "!agents")
	if !out.OK || !strings.Contains(out.Body, "✅ runs") || !strings.Contains(out.HTML, "<table>") || !strings.Contains(out.Body, "Ivy") {
		t.Errorf("%v\n%s", out.OK, out.Body)
	}
	out = say(t, shared.admin, "!agent ivy")
	if !out.OK || strings.Contains(out.Body, "sk-very") || !strings.Contains(out.Body, "<hidden>") {
		t.Errorf("%v\n%s", out.OK, out.Body)
	}
	out = say(t, shared.admin, `!agent mox set sandbox.docker.env {"A": "b c",  "D": "it's"}`)
	if !out.OK || !strings.Contains(out.Body, "the gateway is down: it takes effect when it starts") || !strings.Contains(out.HTML, `class="language-diff"`) {
		t.Errorf("%v\n%s", out.OK, out.HTML)
	}
	wantClaw(t, path, strings.Replace(clawHouse, "memory: '4g' }", `memory: '4g', env: { A: 'b c', D: 'it\'s' } }`, 1))
	if out = say(t, shared.admin, "!undo"); !out.OK || !strings.HasPrefix(out.Body, "Taken back: !agent mox set sandbox.docker.env …") {
		t.Errorf("%v\n%s", out.OK, out.Body)
	}
	wantClaw(t, path, clawHouse)
	if out = say(t, shared.admin, "!config history"); !out.OK || !strings.Contains(out.Body, "agent mox set sandbox.docker.env …") || !strings.Contains(out.Body, "taken back") {
		t.Errorf("%v\n%s", out.OK, out.Body)
	}
	text, said, err := shared.Shell(within(t), nil, "agent", "mox", "add", "tools.allow", "exec")
	if err != nil || !strings.Contains(text, "+") {
		t.Errorf("in the shell: %v\n%s\n%s", err, text, said)
	}
	if text, said, err = shared.Shell(within(t), nil, "config", "history", "--json"); err != nil || !strings.Contains(text, `"what": "agent mox add tools.allow exec"`) {
		t.Errorf("in the shell: %v\n%s\n%s", err, text, said)
	}
}

func TestAgentMistakesInTheRoom(t *testing.T) {
	path := clawFile(t, shared.DataDir, clawHouse)
	for line, want := range map[string]string{
		"!agent mxo":                         "There is no agent mxo. Did you mean mox?",
		"!agent mox unset sandbox.docker.me": "There is no key",
		"!agent mox add name x":              "needs an array",
		"!bind mox #nowhere:fraktalia.test":  "I am in no room",
		"!bind mox !other:fraktalia.test":    "I am in no room",
		"!addagent Mox":                      "OpenClaw takes no agent id",
	} {
		if out := say(t, shared.admin, line); out.OK || !strings.Contains(out.Body, want) {
			t.Errorf("%s: ok=%v\n%s", line, out.OK, out.Body)
		}
	}
	wantClaw(t, path, clawHouse)
	must(t, os.WriteFile(path, []byte("{\n  agents: oh\n}\n"), 0o600))
	if _, err := shared.admin.WaitBot(within(t), func(e client.Event) bool { return says(e, "cannot be read any more") }); err != nil {
		t.Error(err)
	}
	if out := say(t, shared.admin, "!agents"); out.OK || !strings.Contains(out.Body, "line 2, column 11") {
		t.Errorf("a broken file: ok=%v\n%s", out.OK, out.Body)
	}
	if out := say(t, shared.admin, "!status"); !strings.Contains(out.Body, "line 2, column 11") {
		t.Error(out.Body)
	}
}

func TestRoomsAreBoundByNameAliasAndID(t *testing.T) {
	path := clawFile(t, shared.DataDir, clawHouse)
	const alias = "#family:fraktalia.test"
	_, err := shared.owner.Raw().CreateAlias(within(t), alias, shared.AdminRoom)
	must(t, err)
	for room, want := range map[string]struct {
		id   id.RoomID
		name string
	}{
		"Friends": {shared.ChatRoom, "Friends"}, "friends": {shared.ChatRoom, "Friends"}, shared.ChatRoom.String(): {shared.ChatRoom, "Friends"},
		alias: {shared.AdminRoom, "Fraktalia"},
	} {
		if out := say(t, shared.admin, "!bind mox "+room); !out.OK || strings.Count(out.Body, want.id.String()) != 2 {
			t.Errorf("%s: %v\n%s", room, out.OK, out.Body)
		}
		if out := say(t, shared.admin, "!agents"); !strings.Contains(out.Body, want.name) {
			t.Errorf("%s: %s", room, out.Body)
		}
		if out := say(t, shared.admin, "!unbind "+room+" --yes"); !out.OK {
			t.Errorf("%s: %s", room, out.Body)
		}
		wantClaw(t, path, clawHouse)
	}
}

// The person sees what will go, and says yes.
func TestAgentIsRemovedWithWhatBelongsToIt(t *testing.T) {
	path := clawFile(t, shared.DataDir, clawHouse)
	work := filepath.Join(filepath.Dir(path), "workspace-ivy")
	must(t, os.Mkdir(work, 0o700))
	sandbox, err := shared.engine.StartSandbox(within(t), "ivy", "hello")
	must(t, err)
	t.Cleanup(func() { _ = shared.engine.RemoveSandbox(within(t), sandbox) })
	ctx := within(t)
	turn, err := shared.admin.Say(ctx, "!removeagent ivy")
	must(t, err)
	question, err := turn.WaitQuestion(ctx)
	must(t, err)
	if !strings.Contains(question.Body, "-      ivy:") || strings.Contains(question.Body, "sk-very") {
		t.Error(question.Body)
	}
	wantClaw(t, path, clawHouse)
	_, err = shared.admin.React(ctx, question.ID, client.Yes)
	must(t, err)
	out, err := turn.Final(ctx)
	if err != nil || !out.OK || !strings.Contains(out.Body, "Its sandbox is removed (1 container).") {
		t.Errorf("%v %v\n%s", err, out.OK, out.Body)
	}
	left, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(left), "ivy") || strings.Contains(string(left), "!gone") || !strings.Contains(string(left), "// made by hand") {
		t.Errorf("%v\n%s", err, left)
	}
	if _, err := os.Stat(work); err != nil {
		t.Errorf("the workspace: %v", err)
	}
	if out := say(t, shared.admin, "!undo"); !out.OK {
		t.Error(out.Body)
	}
	wantClaw(t, path, clawHouse)
}

// Somebody else's program drops an agent: one reaction brings it back.
func TestGuardOffersToRestore(t *testing.T) {
	path := clawFile(t, shared.DataDir, clawHouse)
	ctx := within(t)
	alert := dropUntilTold(ctx, t, path)
	if body := alert.Content.AsMessage().Body; strings.Contains(body, "sk-very") || !strings.Contains(body, "-      ivy:") {
		t.Error(body)
	}
	_, err := shared.admin.WaitBot(ctx, func(e client.Event) bool {
		return e.Type == event.EventReaction.Type && e.RelatesTo().EventID == alert.ID
	})
	must(t, err)
	_, err = shared.admin.React(ctx, alert.ID, client.Yes)
	must(t, err)
	_, err = shared.admin.WaitBot(ctx, func(e client.Event) bool { return says(e, "is back as it was") })
	must(t, err)
	wantClaw(t, path, clawHouse)
}

// dropUntilTold takes an agent out of the file until the bot says so: it may
// not have looked at the whole file yet.
func dropUntilTold(ctx context.Context, t *testing.T, path string) client.Event {
	t.Helper()
	at, end := strings.Index(clawHouse, "      ivy:"), strings.Index(clawHouse, "    },\n  },")
	for {
		must(t, os.WriteFile(path, []byte(clawHouse), 0o600))
		time.Sleep(3 * time.Second)
		must(t, os.WriteFile(path, []byte(clawHouse[:at]+clawHouse[end:]), 0o600))
		short, stop := context.WithTimeout(ctx, 10*time.Second)
		alert, err := shared.admin.WaitBot(short, func(e client.Event) bool { return says(e, "These agents are gone: ivy") })
		stop()
		if err == nil {
			return alert
		}
		must(t, ctx.Err())
	}
}

// says tells whether an event is a message with a text in it.
func says(e client.Event, text string) bool {
	return e.Type == event.EventMessage.Type && strings.Contains(e.Content.AsMessage().Body, text)
}
