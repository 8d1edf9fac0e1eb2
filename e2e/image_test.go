package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/e2e/client"
)

// TestSandboxImage walks through the life of an image in one deployment: what
// is in it is chosen, it is built, everything goes wrong that can, and each
// time the live image and what runs on it are as they were.
func TestSandboxImage(t *testing.T) {
	s := newSolo(t, "image")
	must(t, s.SetConfig(`fragment: ""`, "fragment: own.Dockerfile"))
	w := &workshop{solo: s, fragment: filepath.Join(s.DataDir, "own.Dockerfile")}
	t.Cleanup(func() { w.removeImages(t) })
	w.write(t, "ENV FRAKTALIA_TEST=first\n")
	s.start(t)
	t.Run("packages", w.packages)
	t.Run("built", w.built)
	if t.Failed() {
		return
	}
	t.Run("stale containers are offered", w.stale)
	t.Run("rolled back", w.rolledBack)
	t.Run("refused", w.refused)
	t.Run("killed", w.killed)
}

// workshop is a deployment whose owner has instructions of their own.
type workshop struct {
	*solo
	fragment string
}

func (w *workshop) write(t *testing.T, text string) {
	t.Helper()
	must(t, os.WriteFile(w.fragment, []byte(text), 0o644))
}

func (w *workshop) live(t *testing.T) string {
	return shared.engine.ImageID(within(t), shared.image())
}

func (w *workshop) removeImages(t *testing.T) {
	for _, tag := range []string{"", "-previous", "-candidate"} {
		if shared.engine.ImageID(within(t), shared.image()+tag) != "" {
			must(t, shared.engine.RemoveImage(within(t), shared.image()+tag))
		}
	}
}

// say types a line and waits for as long as a build may take.
func (w *workshop) say(t *testing.T, line string) client.Outcome {
	t.Helper()
	turn, err := w.admin.Say(patient(t), line)
	must(t, err)
	out, err := turn.Final(patient(t))
	must(t, err)
	return out
}

func (w *workshop) packages(t *testing.T) {
	for _, step := range []struct {
		line string
		ok   bool
		want string
	}{
		{"!packages add ripgerp", false, "has no package ripgerp, but ripgrep"},
		{"!packages add texlive-base", false, "--anyway"},
		{"!packages profile chat", true, "was web"},
		{"!packages add tree sl", true, "Added: sl. In it already: tree."},
		{"!packages", true, "sl"},
		{"!undo", true, "Taken back"},
		{"!undo", true, "The packages are web now."},
		{"!packages profile chat", true, "was web"},
	} {
		if out := w.say(t, step.line); out.OK != step.ok || !strings.Contains(out.Body, step.want) {
			t.Errorf("%s: ok=%v\n%s", step.line, out.OK, out.Body)
		}
	}
	text, err := os.ReadFile(filepath.Join(w.DataDir, "packages.yaml"))
	if err != nil || !strings.HasSuffix(string(text), "\nprofile: chat\n") {
		t.Errorf("%v\n%s", err, text)
	}
}

func (w *workshop) built(t *testing.T) {
	out := w.say(t, "!rebuild-sandbox")
	if !out.OK || w.live(t) == "" {
		t.Fatalf("ok=%v\n%s", out.OK, out.Body)
	}
	for _, want := range []string{"Tested: shell, user, python3 3.", "git", "network"} {
		if !strings.Contains(out.Body, want) {
			t.Errorf("no %q in\n%s", want, out.Body)
		}
	}
	if n := w.count(t, "SELECT count(*) FROM fraktalia_build_layer WHERE name='python' AND size>1000000"); n == 0 {
		t.Error("the layers were not recorded")
	}
	for _, step := range []struct{ line, want string }{{"!help", "tests passed; as it was chosen"}, {"!packages add sl", "packages were chosen otherwise since"}, {"!undo", "as it was chosen"}} {
		w.say(t, step.line)
		if out := w.say(t, "!doctor"); !strings.Contains(out.Body, step.want) {
			t.Errorf("after %s: no %q in\n%s", step.line, step.want, out.Body)
		}
	}
	if list := w.say(t, "!packages"); strings.Contains(list.Body, "⏳") || !strings.Contains(list.Body, "✅") {
		t.Errorf("the image is built, and the list says\n%s", list.Body)
	}
}

func (w *workshop) stale(t *testing.T) {
	ctx := patient(t)
	box, err := shared.engine.StartSandboxOf(ctx, "mox", shared.image())
	must(t, err)
	before := w.live(t)
	w.write(t, "ENV FRAKTALIA_TEST=second\n")
	turn, err := w.admin.Say(ctx, "!rebuild-sandbox")
	must(t, err)
	question, err := turn.WaitQuestion(ctx)
	must(t, err)
	if !strings.Contains(question.Body, box.Name) {
		t.Errorf("asked: %s", question.Body)
	}
	if w.live(t) == before {
		t.Error("the live image is the old one")
	}
	if !shared.engine.Runs(ctx, box) {
		t.Error("the container was ended before anybody said so")
	}
	_, err = w.admin.React(ctx, question.ID, client.Yes)
	must(t, err)
	out, err := turn.Final(ctx)
	must(t, err)
	if !out.OK || shared.engine.Runs(ctx, box) {
		t.Errorf("ok=%v, the old container runs: %v\n%s", out.OK, shared.engine.Runs(ctx, box), out.Body)
	}
}

func (w *workshop) rolledBack(t *testing.T) {
	second := w.live(t)
	out := w.say(t, "!rollback-sandbox")
	first := w.live(t)
	if !out.OK || first == second {
		t.Fatalf("ok=%v\n%s", out.OK, out.Body)
	}
	if out := w.say(t, "!undo"); !out.OK || w.live(t) != second {
		t.Errorf("ok=%v, live %s, want %s\n%s", out.OK, w.live(t), second, out.Body)
	}
}

// refused has builds that cannot be: none of them moves the live tag.
func (w *workshop) refused(t *testing.T) {
	ctx := patient(t)
	box, err := shared.engine.StartSandboxOf(ctx, "mox", shared.image())
	must(t, err)
	before := w.live(t)
	for _, c := range []struct{ fragment, want string }{
		{"# mine\nRUNN true\n", "line 2 of your own instructions"},
		{"RUN echo wrong; exit 3\n", "exit code 3"},
		{"RUN rm /usr/bin/jq\n", "failed 1 of its tests"},
		{"RUN apt-get install -y texlive-base\n", "--anyway"},
		{"RUN apt-get update && apt-get install -y no-such-package\n", "no package no-such-package"},
	} {
		w.write(t, c.fragment)
		out := w.say(t, "!rebuild-sandbox")
		if out.OK || !strings.Contains(out.Body, c.want) || strings.Contains(out.Body, "internal error") {
			t.Errorf("%q: ok=%v\n%s", c.fragment, out.OK, out.Body)
		}
		if w.live(t) != before || !shared.engine.Runs(ctx, box) {
			t.Fatalf("%q: the live image is %s, was %s; its container runs: %v", c.fragment, w.live(t), before, shared.engine.Runs(ctx, box))
		}
		if id := shared.engine.ImageID(ctx, shared.image()+"-candidate"); id != "" {
			t.Errorf("%q: the candidate is left: %s", c.fragment, id)
		}
	}
	must(t, shared.engine.RemoveSandbox(ctx, box))
	must(t, os.Remove(w.fragment))
	if out := w.say(t, "!rebuild-sandbox"); out.OK || !strings.Contains(out.Body, w.fragment+" cannot be used") {
		t.Errorf("without its fragment: ok=%v\n%s", out.OK, out.Body)
	}
	must(t, w.Process.Stop(ctx))
}

// killed ends the program with kill -9 at the places of a build; after the
// restart people are told, and what was left is gone.
func (w *workshop) killed(t *testing.T) {
	ctx := patient(t)
	before, alerts := w.live(t), map[id.EventID]bool{}
	for _, place := range []string{"rebuild.step", "rebuild.candidate", "rebuild.tested"} {
		w.write(t, "ENV FRAKTALIA_TEST="+place+"\nRUN sleep 2\n")
		w.start(t, "FRAKTALIA_CRASH_AT="+place)
		turn, err := w.admin.Say(ctx, "!rebuild-sandbox")
		must(t, err)
		w.waitKilled(ctx, t)
		if place != "rebuild.step" && shared.engine.ImageID(ctx, shared.image()+"-candidate") == "" {
			t.Errorf("%s: there was no candidate to clean up", place)
		}
		w.start(t)
		out, err := turn.Final(ctx)
		must(t, err)
		if out.OK || !strings.Contains(out.Body, "stopped while I ran") {
			t.Errorf("%s: ok=%v\n%s", place, out.OK, out.Body)
		}
		told := func(e client.Event) bool {
			return e.Type == event.EventMessage.Type && !alerts[e.ID] &&
				strings.Contains(e.Content.AsMessage().Body, "was being built when I was killed. The image in use is as it was")
		}
		alert, err := w.admin.WaitBot(ctx, told)
		if err != nil {
			t.Errorf("%s: the owner is not told: %v", place, err)
		}
		alerts[alert.ID] = true
		if w.live(t) != before {
			t.Fatalf("%s: the live image has changed", place)
		}
		if left := shared.engine.ImageID(ctx, shared.image()+"-candidate"); left != "" {
			t.Errorf("%s: the candidate is left: %s", place, left)
		}
		if n := w.count(t, "SELECT count(*) FROM fraktalia_build WHERE outcome='running'"); n != 0 {
			t.Errorf("%s: %d builds are said to run", place, n)
		}
		must(t, w.Process.Stop(ctx))
	}
	w.start(t)
	if out := w.say(t, "!rebuild-sandbox"); !out.OK || w.live(t) == before {
		t.Errorf("afterwards: ok=%v\n%s", out.OK, out.Body)
	}
	must(t, w.Process.Stop(ctx))
}
