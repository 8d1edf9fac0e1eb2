package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/e2e/client"
)

// Killed at a step of a command, the program does the command exactly once: a
// command that was not begun is run after the restart, one that was is told of
// and not run again, one that had ended is answered.
type crash struct {
	at string
	// ok is whether the command's mark is ✅ in the end.
	ok bool
	// done is how often its effect is there in the end.
	done int
}

// Each command has its own steps between the ones that all share.
var (
	forwardCrashes = []crash{
		{"journal.stored", true, 1}, {"journal.seen", true, 1}, {"journal.begun", false, 0},
		{"forward.saved", false, 1}, {"command.done", false, 1}, {"journal.ended", true, 1},
	}
	adduserCrashes = []crash{
		{"journal.stored", true, 1}, {"journal.seen", true, 1}, {"journal.begun", false, 0},
		// The account is there, and its record not: the owner is told.
		{"adduser.registered", false, 0},
		{"adduser.invited", false, 1}, {"command.done", false, 1}, {"journal.ended", true, 1},
	}
	rebuildCrashes = []crash{
		{"journal.stored", true, 1}, {"journal.seen", true, 1}, {"journal.begun", false, 0},
		{"rebuild.built", false, 1}, {"command.done", false, 1}, {"journal.ended", true, 1},
	}
)

func TestKilledAtEachStep(t *testing.T) {
	s := newSolo(t, "crash")
	t.Run("forward", func(t *testing.T) {
		for _, c := range forwardCrashes {
			s.crash(t, c, "!forward 9095", "SELECT count(*) FROM fraktalia_forward WHERE port=9095")
			s.undoForward(t, c)
		}
	})
	t.Run("adduser", func(t *testing.T) {
		for i, c := range adduserCrashes {
			name := "kim" + string(rune('a'+i))
			out := s.crash(t, c, "!adduser "+name, "SELECT count(*) FROM fraktalia_person WHERE user_id='@"+name+":fraktalia.test'")
			cards := 0
			for _, r := range out.Replies {
				if strings.Contains(r.Body, "Password: ") {
					cards++
				}
			}
			if c.ok && cards != 1 || cards > 1 {
				t.Errorf("%s: %d joining cards", c.at, cards)
			}
		}
	})
	t.Run("rebuild", func(t *testing.T) {
		t.Cleanup(func() { must(t, shared.engine.RemoveImage(within(t), shared.image())) })
		for _, c := range rebuildCrashes {
			before := s.count(t, "SELECT count(*) FROM fraktalia_build WHERE outcome='done'")
			c.done += before
			s.crash(t, c, "!rebuild-sandbox", "SELECT count(*) FROM fraktalia_build WHERE outcome='done'")
		}
	})
}

// crash kills the program at a step of line, starts it again, and checks how
// the command has ended.
func (s *solo) crash(t *testing.T, c crash, line, count string) client.Outcome {
	t.Helper()
	ctx := patient(t)
	s.start(t, "FRAKTALIA_CRASH_AT="+c.at)
	turn, err := s.admin.Say(ctx, line)
	must(t, err)
	s.waitKilled(ctx, t)
	s.start(t)
	out, err := turn.Final(ctx)
	must(t, err)
	if again := say(t, s.admin, "!help"); !again.OK {
		t.Errorf("%s: the bot is not well afterwards: %s", c.at, again.Body)
	}
	out, _ = turn.Now()
	if out.OK != c.ok || slices.Contains(out.Marks, client.No) == c.ok || countOf(out.Marks, client.Yes)+countOf(out.Marks, client.No) != 1 {
		t.Errorf("%s at %s: marks %v, want ok=%v\n%s", line, c.at, out.Marks, c.ok, out.Body)
	}
	if !c.ok && !strings.Contains(out.Body, "stopped while I ran") {
		t.Errorf("%s at %s: the owner is not told:\n%s", line, c.at, out.Body)
	}
	if n := s.count(t, count); n != c.done {
		t.Errorf("%s at %s: the effect is there %d times, want %d", line, c.at, n, c.done)
	}
	must(t, s.Process.Stop(ctx))
	return out
}

// undoForward makes the next case start from nothing.
func (s *solo) undoForward(t *testing.T, c crash) {
	t.Helper()
	if c.done == 0 {
		return
	}
	s.start(t)
	fetchUntil(t, 9095, "hello")
	if out := say(t, s.admin, "!unforward 9095"); !out.OK {
		t.Errorf("%s: %s", c.at, out.Body)
	}
	must(t, s.Process.Stop(within(t)))
}
