package e2e

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/e2e/client"
)

// nestClaw has an account for agents, and a list of those to whom it listens.
const nestClaw = `{
  // made by hand
  meta: { lastTouchedVersion: '2026.9.6' },
  gateway: { mode: 'local' },
  agents: { ownership: 'explicit', entries: { mox: { name: 'Mox' } } },
  channels: { matrix: { userId: '@nester:fraktalia.test', groupPolicy: 'allowlist', groupAllowFrom: ['@mila:fraktalia.test'], groups: {} } },
}
`

// Killed at any step of adding an agent, and also while that is taken back, the
// program leaves nothing of it, and the room is told. A client plays the agent's
// account; there is no gateway that could be asked.
func TestAdditionIsKilled(t *testing.T) {
	t.Parallel() // it has a homeserver of its own
	s := newSolo(t, "nest")
	path := clawFile(t, s.DataDir, nestClaw)
	// The homeserver knows nothing of OpenClaw, as a gateway without its plugin.
	must(t, s.SetConfig("http://127.0.0.1:18789", s.Homeserver))
	must(t, s.SetConfig(shared.image(), "fraktalia-e2e-page:"+strings.ToLower(shared.run)))
	s.start(t)
	agent := befriend(t, s.admin, s, "nester")
	must(t, agent.Raw().SetDisplayName(within(t), "Claw"))
	must(t, s.Process.Stop(within(t)))
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go comeEverywhere(ctx, agent)
	for _, at := range []string{"addagent.workspace.done", "addagent.room.noted", "addagent.room.made", "config.written", "addagent.entry.done", "addagent.arrival.done", "addagent.role.done", "addagent.proof.noted"} {
		t.Run(at, func(t *testing.T) { additionIsKilled(t, s, agent, path, at) })
	}
}

func additionIsKilled(t *testing.T, s *solo, agent *client.Client, path, at string) {
	ctx := patient(t)
	s.start(t, "FRAKTALIA_CRASH_AT="+at)
	turn, err := s.admin.Say(ctx, `!addagent nest --room "Nest"`)
	must(t, err)
	s.waitKilled(ctx, t)
	if at == "addagent.proof.noted" { // and once more, while it is taken back
		must(t, s.Run(shared.crashy, "FRAKTALIA_CRASH_AT=addagent.undo"))
		s.waitKilled(ctx, t)
	}
	s.start(t)
	out, err := turn.Final(ctx)
	must(t, err)
	if out.OK || !strings.Contains(out.Body, "I take back by myself what was made") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	_, err = s.admin.WaitBot(ctx, func(e client.Event) bool {
		return e.Seen.After(turn.Started) && says(e, "nest was being added when I was stopped.") && says(e, "Nothing is left.")
	})
	must(t, err)
	wantClaw(t, path, nestClaw)
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "workspace-nest*"))
	name, err := agent.Raw().GetOwnDisplayName(ctx)
	must(t, err)
	if room := listedOn(t, s.Deployment, "Nest"); room != nil || len(left) > 0 || name.DisplayName != "Claw" {
		t.Errorf("left are the room %+v, %v, the name %q", room, left, name.DisplayName)
	}
	if n := s.count(t, "SELECT count(*) FROM fraktalia_role") + s.count(t, "SELECT count(*) FROM fraktalia_agent_work WHERE state='begun'"); n > 0 {
		t.Errorf("%d rows are left", n)
	}
	must(t, s.Process.Stop(ctx))
}

// comeEverywhere joins every room that the client is invited to.
func comeEverywhere(ctx context.Context, c *client.Client) {
	for ctx.Err() == nil {
		for room := range c.Invites() {
			_, _ = c.Raw().JoinRoomByID(ctx, room) // a room may be gone already
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}
