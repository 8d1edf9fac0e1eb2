package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/e2e/client"
	"github.com/githabideri/fraktalia/e2e/harness"
)

// awaitGone waits until a sandbox is removed.
func awaitGone(t *testing.T, s *harness.Sandbox) {
	t.Helper()
	for end := time.Now().Add(patience); shared.engine.Exists(within(t), s); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s is still there", s.Name)
		}
	}
}

// A forward outlives its sandbox: it reaches the one that comes after.
func TestForwardOutlivesARecreate(t *testing.T) {
	ctx := within(t)
	first, err := shared.engine.StartSandbox(ctx, "rec", "before", "9093")
	must(t, err)
	if out := say(t, shared.admin, "!forward 9093 --agent rec"); !out.OK {
		t.Fatal(out.Body)
	}
	defer say(t, shared.admin, "!unforward 9093")
	fetchUntil(t, 9093, "before")
	out := say(t, shared.admin, "!recreate-sandbox rec")
	if !out.OK || !strings.Contains(out.Body, "Removed: rec (1 container)") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	awaitGone(t, first)
	again, err := shared.engine.StartSandbox(ctx, "rec", "after", "9093") // as OpenClaw does
	must(t, err)
	defer shared.engine.RemoveSandbox(ctx, again)
	fetchUntil(t, 9093, "after")
	if out := say(t, shared.admin, "!recreate-sandbox rex"); out.OK || !strings.Contains(out.Body, "Did you mean rec?") || !shared.engine.Exists(ctx, again) {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
}

func TestRecreateStale(t *testing.T) {
	ctx, tag := within(t), boxTag(t)
	old := box(t, harness.Box{Agent: "abacus", Image: tag})
	if out := say(t, shared.admin, "!recreate-sandbox"); !out.OK || !strings.Contains(out.Body, "No sandbox runs an older image.") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	must(t, shared.engine.Tag(ctx, shared.engine.PageImage(), tag))
	if out := say(t, shared.admin, "!recreate-sandbox"); !out.OK || !strings.Contains(out.Body, "Removed: abacus (1 container)") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	awaitGone(t, old)
	if !shared.engine.Exists(ctx, shared.sandbox) {
		t.Error("another sandbox went, too")
	}
}

// A busy sandbox stays until nothing runs in it, or until somebody says so.
func TestRecreateBusy(t *testing.T) {
	tag := boxTag(t)
	for name, then := range map[string]func(*client.Turn, client.Reply, *harness.Sandbox) (gone bool){
		"until it is idle": func(_ *client.Turn, _ client.Reply, s *harness.Sandbox) bool {
			_, err := shared.engine.Exec(within(t), s, false, "sh", "-c", `for p in /proc/[0-9]*; do [ "$(tr '\0' ' ' <$p/cmdline)" = 'sleep 888 ' ] && kill ${p#/proc/}; done 2>/dev/null`)
			must(t, err)
			return true
		},
		"until it is said": func(_ *client.Turn, question client.Reply, _ *harness.Sandbox) bool {
			_, err := shared.admin.React(within(t), question.ID, client.Yes)
			must(t, err)
			return true
		},
		"or not at all": func(_ *client.Turn, question client.Reply, _ *harness.Sandbox) bool {
			_, err := shared.admin.React(within(t), question.ID, client.No)
			must(t, err)
			return false
		},
		"or until the waiting is ended": func(turn *client.Turn, question client.Reply, _ *harness.Sandbox) bool {
			var answer client.Reply
			must(t, turn.Wait(within(t), "❌ under the answer", func(turn *client.Turn) bool {
				for _, answer = range turn.Replies() {
					if answer.ID != question.ID && slices.Contains(answer.Marks, client.No) {
						return true
					}
				}
				return false
			}))
			_, err := shared.admin.React(within(t), answer.ID, client.No)
			must(t, err)
			return false
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := within(t)
			s := box(t, harness.Box{Agent: "abacus", Image: tag})
			defer shared.engine.RemoveSandbox(ctx, s)
			begin(t, s, "sleep", "888")
			sayUntil(t, "!sandbox", "busy: sleep 888")
			turn, err := shared.admin.Say(ctx, "!recreate-sandbox abacus")
			must(t, err)
			question, err := turn.WaitQuestion(ctx)
			must(t, err)
			if !strings.Contains(question.Body, "abacus is busy: sleep 888") || !shared.engine.Exists(ctx, s) {
				t.Errorf("%s", question.Body)
			}
			gone := then(turn, question, s)
			out, err := turn.Final(ctx)
			must(t, err)
			told := slices.ContainsFunc(out.Replies, func(r client.Reply) bool { return strings.Contains(r.Body, "Removed: abacus") })
			if !out.OK || shared.engine.Exists(ctx, s) == gone || told != gone {
				t.Errorf("ok=%v, gone should be %v\n%+v", out.OK, gone, out.Replies)
			}
		})
	}
	s := box(t, harness.Box{Agent: "abacus", Image: tag})
	begin(t, s, "sleep", "888")
	if out, said, err := shared.Shell(within(t), nil, "recreate-sandbox", "abacus", "--now"); err != nil || shared.engine.Exists(within(t), s) {
		t.Errorf("%v\n%s\n%s", err, out, said)
	}
}

// Killed half-way, the program says so, and saying it again does the rest.
func TestKilledWhileRecreating(t *testing.T) {
	s := newSolo(t, "recreate")
	tag := boxTag(t)
	boxes := []*harness.Sandbox{box(t, harness.Box{Agent: "cr1", Image: tag}), box(t, harness.Box{Agent: "cr2", Image: tag})}
	must(t, shared.engine.Tag(within(t), shared.engine.PageImage(), tag))
	s.start(t, "FRAKTALIA_CRASH_AT=recreate.one")
	turn, err := s.admin.Say(within(t), "!recreate-sandbox")
	must(t, err)
	must(t, s.Process.WaitKilled(within(t)))
	if shared.engine.Exists(within(t), boxes[0]) || !shared.engine.Exists(within(t), boxes[1]) {
		t.Error("it was not killed between the two")
	}
	s.start(t)
	out, err := turn.Final(within(t))
	must(t, err)
	if out.OK || !strings.Contains(out.Body, "say it again for the rest") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	if again := say(t, s.admin, "!recreate-sandbox"); !again.OK || !strings.Contains(again.Body, "Removed: cr2 (1 container)") {
		t.Errorf("ok=%v\n%s", again.OK, again.Body)
	}
	awaitGone(t, boxes[1])
	t.Run("killed while a command runs", func(t *testing.T) { killedWhileRunning(t, s) })
}

// killedWhileRunning has the program killed while a command of the owner's runs
// in a sandbox: it is told of, and not run again.
func killedWhileRunning(t *testing.T, s *solo) {
	b := box(t, harness.Box{Agent: "cr3", Image: boxTag(t)})
	turn, err := s.admin.Say(within(t), "!sandbox run cr3 -- echo once >>/tmp/runs; echo begun; sleep 333")
	must(t, err)
	must(t, turn.Wait(within(t), "its output", func(turn *client.Turn) bool {
		return slices.ContainsFunc(turn.Replies(), func(r client.Reply) bool { return strings.Contains(r.Body, "begun") })
	}))
	s.Process.Kill()
	s.start(t)
	out, err := turn.Final(within(t))
	must(t, err)
	if out.OK || !strings.Contains(out.Body, "What it ran may still run") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	runs, err := shared.engine.Exec(within(t), b, false, "cat", "/tmp/runs")
	must(t, err)
	if strings.Count(runs, "once") != 1 {
		t.Errorf("it ran %d times", strings.Count(runs, "once"))
	}
}
