package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/e2e/client"
)

func TestRebuildSandbox(t *testing.T) {
	ctx := patient(t)
	t.Cleanup(func() {
		if shared.engine.ImageID(within(t), shared.image()) != "" {
			must(t, shared.engine.RemoveImage(within(t), shared.image()))
		}
	})
	turn, err := shared.admin.Say(ctx, "!rebuild-sandbox")
	must(t, err)
	out, err := turn.Final(ctx)
	must(t, err)
	if !out.OK || !strings.Contains(out.Body, shared.image()) {
		t.Fatalf("ok=%v\n%s", out.OK, out.Body)
	}
	if shared.engine.ImageID(ctx, shared.image()) == "" {
		t.Error("there is no image of that name")
	}
	checkProgress(t, out)
	checkLog(t, out)
	if status := say(t, shared.admin, "!status"); !strings.Contains(status.Body, shared.image()) {
		t.Errorf("!status does not know the image:\n%s", status.Body)
	}
	t.Run("its relay", relayInTheImage)
	t.Run("stopped by a click", cancelRebuild)
}

// checkProgress looks at how the answer was edited: one message, at most one
// edit each 1.5 s by the server's clock, and a percentage on the way.
func checkProgress(t *testing.T, out client.Outcome) {
	t.Helper()
	answers := slices.DeleteFunc(slices.Clone(out.Replies), func(r client.Reply) bool { return r.File != nil })
	if len(answers) != 1 {
		t.Fatalf("%d answers", len(answers))
	}
	last := answers[0].Sent
	percent := strings.Contains(answers[0].Content.AsMessage().Body, "%")
	for _, edit := range answers[0].Edits {
		if gap := edit.Sent.Sub(last); gap < 1400*time.Millisecond {
			t.Errorf("an edit after %s", gap)
		}
		last = edit.Sent
		percent = percent || strings.Contains(edit.Content.AsMessage().Body, "%")
	}
	if out.Took > 10*time.Second && !percent {
		t.Error("no percentage was shown while it was built")
	}
}

func checkLog(t *testing.T, out client.Outcome) {
	t.Helper()
	files := out.Files()
	if len(files) != 1 || !strings.HasSuffix(files[0].Body, ".log") || files[0].File.File == nil {
		t.Fatalf("%d files; want one log, encrypted", len(files))
	}
	text, err := shared.owner.Download(within(t), files[0].File)
	must(t, err)
	if len(text) < 100 {
		t.Errorf("the log is %q", text)
	}
}

func cancelRebuild(t *testing.T) {
	ctx := patient(t)
	before := shared.engine.ImageID(ctx, shared.image())
	turn, err := shared.admin.Say(ctx, "!rebuild-sandbox --no-cache")
	must(t, err)
	var offer client.Reply
	must(t, turn.Wait(ctx, "❌ under the answer", func(turn *client.Turn) bool {
		for _, r := range turn.Replies() {
			offer = r
			if slices.Contains(r.Marks, client.No) {
				return true
			}
		}
		return false
	}))
	if again := say(t, shared.admin, "!rebuild-sandbox"); again.OK || !strings.Contains(again.Body, "already") {
		t.Errorf("a second build at the same time: ok=%v\n%s", again.OK, again.Body)
	}
	if _, err := shared.admin.React(ctx, offer.ID, client.No); err != nil {
		t.Fatal(err)
	}
	out, err := turn.Final(ctx)
	must(t, err)
	if out.OK || !strings.Contains(out.Body, "Stopped") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	if after := shared.engine.ImageID(ctx, shared.image()); after != before {
		t.Errorf("the image has changed from %s to %s", before, after)
	}
}
