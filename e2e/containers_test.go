package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"image/png"
	"slices"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/event"

	"github.com/githabideri/fraktalia/e2e/client"
	"github.com/githabideri/fraktalia/e2e/harness"
)

// boxTag gives the base image a name of this test, which can be moved on to
// another image as a rebuild does.
func boxTag(t *testing.T) string {
	t.Helper()
	ctx := patient(t)
	base, err := shared.engine.Base(ctx)
	must(t, err)
	tag := "fraktalia-e2e-box-" + strings.ToLower(shared.run) + ":live"
	must(t, shared.engine.Tag(ctx, base, tag))
	t.Cleanup(func() { shared.engine.RemoveImage(within(t), tag) })
	return tag
}

// box starts an idle sandbox.
func box(t *testing.T, b harness.Box) *harness.Sandbox {
	t.Helper()
	s, err := shared.engine.StartBox(within(t), b)
	must(t, err)
	t.Cleanup(func() { shared.engine.RemoveSandbox(context.Background(), s) })
	return s
}

// begin has an agent start something that goes on.
func begin(t *testing.T, s *harness.Sandbox, words ...string) {
	t.Helper()
	_, err := shared.engine.Exec(within(t), s, true, words...)
	must(t, err)
}

// sayUntil repeats a line that only reads until its answer has a word: what an
// agent starts takes a moment.
func sayUntil(t *testing.T, line, word string) client.Outcome {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		out := say(t, shared.admin, line)
		if strings.Contains(out.Body, word) {
			return out
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not say %q:\n%s", line, word, out.Body)
		}
	}
}

func TestSandboxTable(t *testing.T) {
	tag := boxTag(t)
	s := box(t, harness.Box{Agent: "abacus", Image: tag, User: "1234:1234"})
	out := say(t, shared.admin, "!sandbox")
	if !out.OK || !strings.Contains(out.HTML, "<table>") || !strings.Contains(out.Body, "✅ "+tag) || !strings.Contains(out.Body, "1234:1234") || !strings.Contains(out.Body, "not used yet") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	begin(t, s, "sleep", "777")
	sayUntil(t, "!sandbox", "busy: sleep 777")
	must(t, shared.engine.Tag(within(t), shared.engine.PageImage(), tag))
	out = say(t, shared.admin, "!sandbox")
	if !strings.Contains(out.Body, "⚠️ older than "+tag) || !strings.Contains(out.Body, "1 container runs an older image. !recreate-sandbox") {
		t.Errorf("after a rebuild:\n%s", out.Body)
	}
	text, said, err := shared.Shell(within(t), nil, "sandbox", "--json")
	must(t, err)
	var data struct {
		Containers []struct {
			Agent, State, User string
			Stale, Measured    bool
			Memory             int64 `json:"memory_bytes"`
			Works              []string
		}
	}
	must(t, json.Unmarshal([]byte(text), &data))
	at := slices.IndexFunc(data.Containers, func(c struct {
		Agent, State, User string
		Stale, Measured    bool
		Memory             int64 `json:"memory_bytes"`
		Works              []string
	}) bool {
		return c.Agent == "abacus"
	})
	if at < 0 {
		t.Fatalf("abacus is not in\n%s\n%s", text, said)
	}
	if c := data.Containers[at]; !c.Stale || !c.Measured || c.Memory == 0 || c.State != "running" || !slices.Equal(c.Works, []string{"sleep 777"}) {
		t.Errorf("%+v", c)
	}
}

// The pictures are pictures, encrypted, and as large as they are said to be.
func TestSandboxPictures(t *testing.T) {
	ctx := patient(t)
	base, err := shared.engine.Base(ctx)
	must(t, err)
	must(t, shared.engine.Tag(ctx, base, shared.image()))
	t.Cleanup(func() { shared.engine.RemoveImage(within(t), shared.image()) })
	must(t, shared.Exec(ctx, `INSERT INTO fraktalia_build (id, tag, image_id, size, started_at, duration, started_by, outcome)
		VALUES (9001, $1, $2, 90, 1700000000000, 61000, 'x', 'done'), (9002, $1, '', 0, 1700000001000, 5000, 'x', 'failed')`,
		shared.image(), shared.engine.ImageID(ctx, shared.image())))
	must(t, shared.Exec(ctx, `INSERT INTO fraktalia_build_layer (build_id, position, name, step, cached, duration, size) VALUES (9001, 0, 'core', 'RUN x', 0, 1, 5000000)`))
	t.Cleanup(func() {
		must(t, shared.Exec(within(t), "DELETE FROM fraktalia_build_layer WHERE build_id = 9001"))
		must(t, shared.Exec(within(t), "DELETE FROM fraktalia_build WHERE id > 9000"))
	})
	out := say(t, shared.admin, "!sandbox")
	if !strings.Contains(out.Body, "core") || !strings.Contains(out.Body, "1m1s") || !strings.Contains(out.Body, "failed") {
		t.Errorf("%s", out.Body)
	}
	pictures := out.Files()
	if len(pictures) != 2 {
		t.Fatalf("%d pictures\n%s", len(pictures), out.Body)
	}
	for _, p := range pictures {
		if p.MsgType != event.MsgImage || p.File.File == nil || p.File.Info.MimeType != "image/png" {
			t.Errorf("%s: %+v", p.MsgType, p.File)
		}
		data, err := shared.owner.Download(ctx, p.File)
		must(t, err)
		picture, err := png.Decode(bytes.NewReader(data))
		must(t, err)
		if size := picture.Bounds().Size(); size.X != p.File.Info.Width || size.Y != p.File.Info.Height || size.X < 300 {
			t.Errorf("it is %v and said to be %d x %d", size, p.File.Info.Width, p.File.Info.Height)
		}
	}
}

func TestSandboxLogs(t *testing.T) {
	tag := boxTag(t)
	box(t, harness.Box{Agent: "abacus", Image: tag})
	if out := say(t, shared.admin, "!sandbox logs abacus"); !out.OK || !strings.Contains(out.Body, "has written nothing") {
		t.Errorf("%v %s", out.OK, out.Body)
	}
	for line, want := range map[string]string{
		"!sandbox logs abacas":  "There is no sandbox of abacas. Did you mean abacus?",
		"!sandbox logs nothing": "There are those of abacus, mox.",
		"!sandbox logs":         "There are 2 sandboxes; say whose: abacus, mox.",
	} {
		if out := say(t, shared.admin, line); out.OK || !strings.Contains(out.Body, want) {
			t.Errorf("%s: ok=%v\n%s", line, out.OK, out.Body)
		}
	}
	box(t, harness.Box{Agent: "abacus", Image: tag, Name: "two"})
	if out := say(t, shared.admin, "!sandbox logs abacus"); out.OK || !strings.Contains(out.Body, "abacus has 2 sandboxes; name one of them: fraktalia-e2e-") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
}

func TestRunInSandbox(t *testing.T) {
	s := box(t, harness.Box{Agent: "abacus", Image: boxTag(t), User: "1234:4321"})
	for line, want := range map[string]struct {
		ok   bool
		says string
	}{
		`!sandbox run abacus -- id -u; id -g; echo "a  b" | tr a c`:  {true, "1234\n4321\nc  b"},
		`!sandbox run abacus -- echo out; echo err >&2; exit 3`:      {false, "exit status 3"},
		`!sandbox run abacus -- no-such-program`:                     {false, "no such program"},
		`!sandbox run abacus -- true`:                                {true, "It wrote nothing."},
		`!sandbox run --limit 1s abacus -- sleep 555`:                {false, "did not end in time"},
		`!sandbox run mox -- ls`:                                     {false, "cannot be executed"}, // an image without a shell
		`!sandbox run abacus -- echo $0 --help --json`:               {true, "--help --json"},
		`!sandbox run abacas -- ls`:                                  {false, "Did you mean abacus?"},
		"!sandbox run abacus -- printf 'tab\\there \\033[2Jcleared'": {true, "here �[2Jcleared"},
	} {
		if out := say(t, shared.admin, line); out.OK != want.ok || !strings.Contains(out.Body, want.says) {
			t.Errorf("%s\nok=%v\n%s", line, out.OK, out.Body)
		}
	}
	noneLeft(t, s, "sleep 555")
	if n, err := shared.Count(within(t), "SELECT count(*) FROM fraktalia_journal WHERE outcome LIKE '%4321%'"); err != nil || n != 0 {
		t.Errorf("%d outcomes keep what was written, %v", n, err)
	}
	t.Run("stopped by a click", func(t *testing.T) { cancelRun(t, s) })
	t.Run("more than anybody reads", func(t *testing.T) { floodRun(t, s) })
	t.Run("from the shell", func(t *testing.T) { shellRun(t) })
	must(t, shared.engine.Pause(within(t), s))
	if out := say(t, shared.admin, "!sandbox run abacus -- ls"); out.OK || !strings.Contains(out.Body, "is paused") {
		t.Errorf("%s", out.Body)
	}
	must(t, shared.engine.Unpause(within(t), s))
	must(t, shared.engine.StopSandbox(within(t), s))
	if out := say(t, shared.admin, "!sandbox run abacus -- ls"); out.OK || !strings.Contains(out.Body, "does not run (exited)") {
		t.Errorf("%s", out.Body)
	}
}

// noneLeft waits until no such program runs in a sandbox.
func noneLeft(t *testing.T, s *harness.Sandbox, what string) {
	t.Helper()
	out := ""
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		var err error
		out, err = shared.engine.Exec(within(t), s, false, "sh", "-c", `for p in /proc/[0-9]*; do tr '\0' ' ' <$p/cmdline; echo; done 2>/dev/null`)
		must(t, err)
		if !strings.Contains(out, what) {
			return
		}
	}
	t.Errorf("%s still runs:\n%s", what, out)
}

func cancelRun(t *testing.T, s *harness.Sandbox) {
	ctx := within(t)
	turn, err := shared.admin.Say(ctx, "!sandbox run abacus -- echo begun; sleep 666")
	must(t, err)
	var offer client.Reply
	must(t, turn.Wait(ctx, "its output, and ❌ under it", func(turn *client.Turn) bool {
		for _, offer = range turn.Replies() {
			if slices.Contains(offer.Marks, client.No) && strings.Contains(offer.Body, "begun") {
				return true
			}
		}
		return false
	}))
	_, err = shared.admin.React(ctx, offer.ID, client.No)
	must(t, err)
	out, err := turn.Final(ctx)
	must(t, err)
	if out.OK || !strings.Contains(out.Body, "Stopped, as you said.") || !strings.Contains(out.Body, "begun") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	noneLeft(t, s, "sleep 666")
}

func floodRun(t *testing.T, s *harness.Sandbox) {
	out := say(t, shared.admin, "!sandbox run abacus -- yes")
	if out.OK || !strings.Contains(out.Body, "wrote more than 67.11MB") || len(out.Files()) != 1 {
		t.Errorf("ok=%v, %d files\n%s", out.OK, len(out.Files()), out.Body)
	}
	noneLeft(t, s, "yes")
	out = say(t, shared.admin, "!sandbox run abacus -- seq 1 5000")
	if !out.OK || !strings.Contains(out.Body, "\n5000") || strings.Contains(out.Body, "\n1\n") || len(out.Files()) != 1 {
		t.Fatalf("ok=%v, %d files\n%s", out.OK, len(out.Files()), out.Body)
	}
	text, err := shared.owner.Download(within(t), out.Files()[0].File)
	must(t, err)
	if !strings.HasPrefix(string(text), "1\n2\n") || !strings.HasSuffix(string(text), "\n5000\n") {
		t.Errorf("the file has %d bytes", len(text))
	}
	out = say(t, shared.admin, "!sandbox run abacus -- head -c 3000 /bin/true")
	if !out.OK || !strings.Contains(out.Body, "It is no text.") || len(out.Files()) != 1 || !strings.HasSuffix(out.Files()[0].Body, ".bin") {
		t.Errorf("ok=%v, %d files\n%s", out.OK, len(out.Files()), out.Body)
	}
}

func shellRun(t *testing.T) {
	for _, test := range []struct {
		words     []string
		well      bool
		out, said string
	}{
		{[]string{"sandbox", "run", "abacus", "--", "printf", "%s|", "a b", "c"}, true, "a b|c|", ""},
		{[]string{"sandbox", "run", "abacus", "--", "echo one | tr o 0"}, true, "0ne", ""},
		{[]string{"sandbox", "run", "abacus", "--", "sh", "-c", "echo oh; exit 4"}, false, "", "exit status 4"},
		{[]string{"sandbox", "run", "abacus", "ls"}, false, "", "Put -- in front of the command."},
	} {
		out, said, err := shared.Shell(within(t), nil, test.words...)
		if (err == nil) != test.well || !strings.Contains(out, test.out) || !strings.Contains(said, test.said) {
			t.Errorf("%q: %v\n%s\n%s", test.words, err, out, said)
		}
	}
}

func TestPruneTakesOldImagesOnly(t *testing.T) {
	ctx := within(t)
	if out := say(t, shared.admin, "!sandbox prune"); !out.OK || !strings.Contains(out.Body, "no old image") {
		t.Errorf("%s", out.Body)
	}
	var ids []string
	for _, word := range []string{"one", "two"} {
		id, err := shared.engine.OldImage(ctx, word)
		must(t, err)
		ids = append(ids, id)
	}
	for _, key := range []string{client.No, client.Yes} {
		turn, err := shared.admin.Say(ctx, "!sandbox prune")
		must(t, err)
		question, err := turn.WaitQuestion(ctx)
		must(t, err)
		if !strings.Contains(question.Body, "Remove 2 old images?") || !strings.Contains(question.Body, ids[0][7:19]) {
			t.Errorf("%s", question.Body)
		}
		_, err = shared.admin.React(ctx, question.ID, key)
		must(t, err)
		if out, err := turn.Final(ctx); err != nil || !out.OK {
			t.Errorf("%v %s", err, out.Body)
		}
		for _, id := range ids {
			if there := shared.engine.ImageID(ctx, id) != ""; there != (key == client.No) {
				t.Errorf("after %s: there is %v", key, there)
			}
		}
	}
}
