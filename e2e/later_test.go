package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/e2e/client"
)

// A joining card goes by itself when its time has come, also when the bot was
// not running then.
func TestTheCardVanishesByItself(t *testing.T) {
	ctx := patient(t)
	s := newSolo(t, "card")
	s.start(t)
	turn, err := s.admin.Say(ctx, "!adduser nora")
	must(t, err)
	out, err := turn.Final(ctx)
	must(t, err)
	readCard(t, out.Body)
	if n := s.count(t, "SELECT count(*) FROM fraktalia_redaction WHERE due_at > ?", time.Now().Add(29*time.Minute).UnixMilli()); n != 2 { // the card and its picture
		t.Errorf("%d redactions are planned for half an hour from now, want 2", n)
	}
	must(t, s.Process.Stop(ctx))
	must(t, s.Exec(ctx, "UPDATE fraktalia_redaction SET due_at = ?", time.Now().Add(-time.Minute).UnixMilli()))
	s.start(t)
	must(t, turn.Wait(ctx, "the card's end", func(turn *client.Turn) bool { return redacted(turn.Replies()) == 2 }))
	for s.count(t, "SELECT count(*) FROM fraktalia_redaction") != 0 { // it is noted a moment after
		if ctx.Err() != nil {
			t.Fatal("the redaction is planned for ever")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// What waited for more than ten minutes is asked about first, and run once if
// the owner clicks yes.
func TestAnOldCommandIsAskedAbout(t *testing.T) {
	ctx := patient(t)
	s := newSolo(t, "old")
	for _, c := range []struct {
		line, click string
		ok          bool
	}{{"!forward 9097", client.Yes, true}, {"!forward 9098", client.No, false}} {
		s.start(t, "FRAKTALIA_CRASH_AT=journal.stored")
		turn, err := s.admin.Say(ctx, c.line)
		must(t, err)
		s.waitKilled(ctx, t)
		must(t, s.Exec(ctx, "UPDATE fraktalia_journal SET sent_at = ? WHERE state = 'new'", time.Now().Add(-25*time.Minute).UnixMilli()))
		s.start(t)
		question, err := turn.WaitQuestion(ctx)
		must(t, err)
		if !strings.Contains(question.Body, c.line) || !strings.Contains(question.Body, "25m") || isOpen(9097) && !c.ok {
			t.Errorf("asked: %s", question.Body)
		}
		_, err = s.admin.React(ctx, question.ID, c.click)
		must(t, err)
		out, err := turn.Final(ctx)
		must(t, err)
		if out.OK != c.ok {
			t.Errorf("%s after %s: ok=%v %s", c.line, c.click, out.OK, out.Body)
		}
		if c.ok {
			out := say(t, s.admin, "!unforward 9097")
			if !out.OK {
				t.Error(out.Body)
			}
		}
		must(t, s.Process.Stop(ctx))
	}
	if n := s.count(t, "SELECT count(*) FROM fraktalia_forward"); n != 0 {
		t.Errorf("%d forwards are left", n)
	}
}
