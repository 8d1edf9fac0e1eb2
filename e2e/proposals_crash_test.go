package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/event"

	"github.com/githabideri/fraktalia/e2e/client"
)

// Killed at each step, a proposal is run once or told of, and never twice.
func TestProposalsOutliveAKill(t *testing.T) {
	ctx := patient(t)
	s := newSolo(t, "proposal")
	clawFile(t, s.DataDir, clawHouse)
	s.start(t)
	mox, err := moveInto(ctx, s.Deployment, s.admin, "mox")
	must(t, err)
	defer mox.Client().Close()
	if out := say(t, s.admin, "!role mox agent"); !out.OK {
		t.Fatal(out.Body)
	}
	must(t, s.Process.Stop(ctx))

	// While it is put before the owners: the one who asked hears that it was
	// interrupted, and what nobody was shown can be approved by nobody.
	s.start(t, "FRAKTALIA_CRASH_AT=proposal.added")
	turn, err := mox.Say(ctx, "!forward 9080 --for 1h")
	must(t, err)
	s.waitKilled(ctx, t)
	s.start(t)
	if out := ended(t, turn); out.OK {
		t.Error(out.Body)
	}
	for s.count(t, "SELECT count(*) FROM fraktalia_proposal WHERE state='open'") != 0 {
		if ctx.Err() != nil {
			t.Fatal("a proposal that nobody saw stays open")
		}
		time.Sleep(50 * time.Millisecond)
	}

	// Approved, and killed before it is begun: it runs after the restart.
	turn, _, shown := proposeTo(t, s.admin, mox, "!forward 9091 --for 1h")
	must(t, s.Process.Stop(ctx))
	s.start(t, "FRAKTALIA_CRASH_AT=journal.stored")
	_, err = s.admin.React(ctx, shown.ID, "✅")
	must(t, err)
	s.waitKilled(ctx, t)
	s.start(t)
	if out := ended(t, turn); !out.OK {
		t.Error(out.Body)
	}
	fetchUntil(t, 9091, "hello")
	say(t, s.admin, "!unforward 9091")
	must(t, s.Process.Stop(ctx))

	t.Run("denied", func(t *testing.T) { deniedAndKilled(t, s, mox) })
	t.Run("much talk after it", func(t *testing.T) { askedBeforeMuchTalk(t, s, mox) })
	t.Run("an older database", func(t *testing.T) { olderProposals(t, s, mox) })
}

// Denied, and killed before the room that asked has heard of it, or before that
// is written down: it hears of it after the restart, once.
func deniedAndKilled(t *testing.T, s *solo, mox *client.Room) {
	for i, point := range []string{"proposal.decided", "proposal.told"} {
		s.start(t, "FRAKTALIA_CRASH_AT="+point)
		turn, _, shown := proposeTo(t, s.admin, mox, fmt.Sprintf("!forward %d --for 1h", 9066+i))
		must(t, turn.Wait(within(t), "⏳", func(turn *client.Turn) bool { return slices.Contains(turn.Marks(), "⏳") }))
		_, err := s.admin.React(within(t), shown.ID, "❌")
		must(t, err)
		s.waitKilled(within(t), t)
		if got := s.count(t, "SELECT count(*) FROM fraktalia_proposal WHERE state='denied' AND told=0"); got != 1 {
			t.Errorf("killed at %s: %d denied and not told", point, got)
		}
		s.start(t)
		if out := ended(t, turn); out.OK || !strings.Contains(out.Body, ": no.") {
			t.Errorf("killed at %s: ok=%v %s", point, out.OK, out.Body)
		}
		must(t, turn.Wait(within(t), "the end of ⏳", func(turn *client.Turn) bool { return !slices.Contains(turn.Marks(), "⏳") }))
		ctx := within(t)
		for s.count(t, "SELECT count(*) FROM fraktalia_proposal WHERE told=0 AND state<>'open'") != 0 {
			if ctx.Err() != nil {
				t.Fatal("what was told is not written down")
			}
			time.Sleep(50 * time.Millisecond)
		}
		if said := len(turn.Replies()); said != 2 { // that it waits, and the end
			t.Errorf("killed at %s: %d answers\n%s", point, said, mox.Transcript())
		}
		must(t, s.Process.Stop(within(t)))
	}
}

// Asked while the program was away, and then so much was said that the server's
// answer leaves the question out.
func askedBeforeMuchTalk(t *testing.T, s *solo, mox *client.Room) {
	ctx := patient(t)
	turn, err := mox.Say(ctx, "!forwards")
	must(t, err)
	for i := range 60 {
		_, err := mox.Say(ctx, fmt.Sprintf("and another thing, the %dth", i))
		must(t, err)
	}
	s.start(t)
	if out := ended(t, turn); !out.OK {
		t.Error(out.Body)
	}
	must(t, s.Process.Stop(ctx))
}

// Attack: the database is put back to before an approval, and the owner's old
// click and words come again with the sync, or are said again. It has run.
func olderProposals(t *testing.T, s *solo, mox *client.Room) {
	ctx := patient(t)
	s.start(t)
	clicked, _, shown := proposeTo(t, s.admin, mox, "!forward 9092 --for 1h")
	typed, number, _ := proposeTo(t, s.admin, mox, "!forward 9095 --for 1h")
	must(t, s.Process.Stop(ctx))
	backup := t.TempDir()
	copyDatabase(t, s.DataDir, backup)
	s.start(t)
	_, err := s.admin.React(ctx, shown.ID, "✅")
	must(t, err)
	if out := say(t, s.admin, "!approve "+number); !out.OK {
		t.Error(out.Body)
	}
	for _, turn := range []*client.Turn{clicked, typed} {
		if out := ended(t, turn); !out.OK {
			t.Error(out.Body)
		}
	}
	say(t, s.admin, "!unforward all")
	must(t, s.Process.Stop(ctx))
	copyDatabase(t, backup, s.DataDir)
	s.start(t)
	if _, err := s.admin.WaitBot(ctx, func(e client.Event) bool {
		return e.Type == event.EventMessage.Type && strings.Contains(e.Content.AsMessage().Body, "older copy")
	}); err != nil {
		t.Error(err)
	}
	if out := say(t, s.admin, "!approve "+number); out.OK {
		t.Errorf("it was approved twice: %s", out.Body)
	}
	if out := say(t, s.admin, "!forwards"); strings.Contains(out.Body, "9092") || strings.Contains(out.Body, "9095") {
		t.Errorf("what had run was run again:\n%s", out.Body)
	}
}
