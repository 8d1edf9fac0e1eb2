package e2e

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/e2e/harness"
)

// setUpSteps are where the first set-up is killed, in their order: each start
// goes on from where the one before was killed, so that what takes long is done
// once.
var setUpSteps = []string{
	"up.registered.bot-password", "up.configured", "up.agent.registered", "up.wished",
	"bot.loggedin", "bot.identity.published", "bot.made.admin_room",
	"up.openclaw.configured", "up.workspace", "up.agent.added", "up.settled", "rebuild.built",
}

// Killed at any step of its first set-up, up goes on where it was: nothing is
// there twice, nothing is left over, and no secret lies anywhere but among the
// secrets.
func TestTheFirstSetUpIsKilled(t *testing.T) {
	ctx := patient(t)
	h := &house{agent: strings.ToLower("twice" + shared.run[:4])}
	dir := filepath.Join(shared.dir, "twice")
	must(t, os.MkdirAll(dir, 0o700))
	h.image = "fraktalia-e2e-" + h.agent + ":test"
	h.engine = ownEngine(ctx, t, dir, "twice", h.image)
	var err error
	h.Whole, err = harness.NewBareWhole(ctx, shared.crashy, dir, h.agent, h.engine.Env())
	must(t, err)
	t.Cleanup(func() { must(t, h.Down(within(t))) })
	stray := h.stray(ctx, t)
	for _, at := range setUpSteps {
		begun := time.Now()
		h.killedAt(ctx, t, at, h.UpWithOpenClaw)
		t.Logf("%s: %.1f s", at, time.Since(begun).Seconds())
		if at == "up.configured" {
			must(t, h.Apart(h.image))
		}
	}
	// The owner is shown how all is, once, although the program is killed as soon as
	// it was said.
	plain := h.Env
	h.Env = append(slices.Clone(plain), "FRAKTALIA_CRASH_AT=up.doctor.told")
	must(t, h.UpWithOpenClaw(ctx))
	h.admin = ownerIn(ctx, t, h.Deployment)
	must(t, h.Process.WaitKilled(ctx))
	h.Env = plain
	must(t, h.Up(ctx)) // nobody has to say it all again
	h.chat, err = h.admin.Client().Enter(ctx, h.ChatRoom, h.BotUserID)
	must(t, err)
	h.asks(ctx, t, h.chat, `say: "still one of each"`, "still one of each")
	h.oneOfEach(ctx, t)
	if h.engine.Exists(ctx, stray) {
		t.Error("the container of the folder that is gone is still there")
	}
	h.shownOnce(ctx, t)
	h.secretsAreKept(t)
}

// stray is a container that an earlier set-up in the same folder has left: its
// workspace was removed under it.
func (h *house) stray(ctx context.Context, t *testing.T) *harness.Sandbox {
	t.Helper()
	workspace := filepath.Join(h.DataDir, "openclaw", "workspace-"+h.agent)
	must(t, os.MkdirAll(workspace, 0o700))
	base, err := shared.engine.Base(ctx)
	must(t, err)
	left, err := h.engine.StartBox(ctx, harness.Box{Agent: h.agent, Image: base, Binds: []string{workspace + ":/workspace"}})
	must(t, err)
	must(t, os.RemoveAll(filepath.Dir(workspace)))
	return left
}

// killedAt has up come to a step and die there.
func (h *house) killedAt(ctx context.Context, t *testing.T, at string, up func(context.Context, ...string) error) {
	t.Helper()
	plain := h.Env
	h.Env = append(slices.Clone(plain), "FRAKTALIA_CRASH_AT="+at)
	defer func() { h.Env = plain }()
	if err := up(ctx); err == nil {
		t.Fatalf("it came up, and never to %s", at)
	}
	if err := h.Process.WaitKilled(ctx); err != nil {
		t.Fatalf("%s: %v\n%s", at, err, h.LastWords())
	}
}

// oneOfEach wants everything that a set-up makes to be there once.
func (h *house) oneOfEach(ctx context.Context, t *testing.T) {
	t.Helper()
	for query, want := range map[string]int{
		"SELECT count(*) FROM users": 3,
		"SELECT count(*) FROM rooms": 2,
		"SELECT count(*) FROM devices WHERE user_id='" + string(h.BotUserID) + "' AND NOT hidden": 1,
	} {
		if n, err := h.CountHomeserver(ctx, query); err != nil || n != want {
			t.Errorf("%s: %d, %v, want %d", query, n, err, want)
		}
	}
	if n, err := h.Count(ctx, "SELECT count(*) FROM fraktalia_role"); err != nil || n != 1 {
		t.Errorf("%d roles, %v", n, err)
	}
	found, _ := examine(t, h.Deployment)
	if l := found["openclaw config"]; l.Mark != "ok" || !strings.Contains(l.Fact, "1 agent, 1 binding") {
		t.Errorf("%+v", l)
	}
	for pattern, want := range map[string]int{"openclaw/workspace-*": 1, "secrets/agent-*": 1, "*/*.new": 0, "*/.wish*": 0, ".fraktalia-*": 0, "openclaw/.open*-*": 0} {
		if there, _ := filepath.Glob(filepath.Join(h.DataDir, pattern)); len(there) != want {
			t.Errorf("%s: %q, want %d", pattern, there, want)
		}
	}
	if h.engine.ImageID(ctx, h.image) == "" || h.engine.ImageID(ctx, h.image+"-candidate") != "" {
		t.Error("the image is not there, or its candidate still is")
	}
}

// shownOnce waits for the record that the doctor's answer was shown.
func (h *house) shownOnce(ctx context.Context, t *testing.T) {
	t.Helper()
	for due := true; due; {
		text, err := os.ReadFile(filepath.Join(h.DataDir, "openclaw", "wish.json"))
		must(t, err)
		var wish struct {
			Due bool `json:"doctor_due"`
		}
		must(t, json.Unmarshal(text, &wish))
		due = wish.Due
		select {
		case <-ctx.Done():
			t.Fatal("the doctor's answer stays due")
		case <-time.After(100 * time.Millisecond):
		}
	}
	say(t, h.admin, "!help") // all that was said before is here now
	shown := 0
	for _, e := range h.admin.FromBot() {
		if says(e, "I have tried every part after the first set-up") {
			shown++
		}
	}
	if shown != 1 {
		t.Errorf("the doctor's answer was shown %d times", shown)
	}
}

// secretsAreKept looks for each secret in every other file of the data folder.
func (h *house) secretsAreKept(t *testing.T) {
	t.Helper()
	secrets := map[string]string{"the first password": h.Password}
	for _, name := range []string{"bot-password", "agent-" + h.agent, "openclaw-token", "model-key", "recovery-key", "pickle-key"} {
		path := filepath.Join(h.DataDir, "secrets", name)
		text, err := os.ReadFile(path)
		must(t, err)
		secrets[name] = strings.TrimSpace(string(text))
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	must(t, filepath.WalkDir(h.DataDir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || filepath.Dir(path) == filepath.Join(h.DataDir, "secrets") {
			return err
		}
		text, err := os.ReadFile(path)
		for name, secret := range secrets {
			if strings.Contains(string(text), secret) {
				t.Errorf("%s is in %s", name, path)
			}
		}
		return err
	}))
}
