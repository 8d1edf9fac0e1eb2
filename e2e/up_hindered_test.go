package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/e2e/client"
	"github.com/githabideri/fraktalia/e2e/harness"
)

// What hinders a part of the first set-up is told in one sentence, at the terminal
// and to the owner who comes, and all else goes on: here the machine has no memory
// for a build, and is in no tailnet. Mended, it is a house like others; and a key
// of the model that is wrong later is told, too.
func TestTheFirstSetUpIsHindered(t *testing.T) {
	ctx := patient(t)
	h := &house{agent: strings.ToLower("poor" + shared.run[:4])}
	dir := filepath.Join(shared.dir, "poor")
	must(t, os.MkdirAll(dir, 0o700))
	h.image = "fraktalia-e2e-" + h.agent + ":test"
	h.engine = ownEngine(ctx, t, dir, "poor", h.image)
	var err error
	h.Whole, err = harness.NewWhole(ctx, shared.Binary, dir, h.agent, h.image, h.engine.Env())
	must(t, err)
	t.Cleanup(func() { must(t, h.Down(within(t))) })
	memory := newMeminfo(t, dir)
	h.Binary = memory.wrap(t, shared.Binary)
	memory.set(t, "300000 kB")
	must(t, h.UpWithOpenClaw(ctx, "--tailscale", "yes"))
	h.admin = ownerIn(ctx, t, h.Deployment)
	for _, sentence := range []string{
		"The sandbox image was not built, and without it the agent does not answer: Only 307.2MB of memory are free on the engine's machine, and a build should have 536.9MB. " +
			"Stop something that you can spare, or say fraktalia rebuild-sandbox --anyway. !rebuild-sandbox builds it later.",
		"This machine is in no tailnet: install Tailscale and log in (tailscale up), or, where its socket is elsewhere, name that in tailscale.socket.",
	} {
		if said := h.Process.Said(); !strings.Contains(said, sentence) {
			t.Errorf("the terminal has no %q:\n%s", sentence, said)
		}
		_, err := h.admin.WaitBot(ctx, func(e client.Event) bool { return says(e, sentence) })
		must(t, err)
	}
	shown, err := h.admin.WaitBot(ctx, func(e client.Event) bool { return says(e, "I have tried every part after the first set-up") })
	must(t, err)
	for _, want := range []string{"❌ 1 of 15 parts is not well.", h.image + " is not built, and " + h.agent + " cannot work without it", "→ !rebuild-sandbox builds it", "→ see sandbox image"} {
		if body := shown.Content.AsMessage().Body; !strings.Contains(body, want) {
			t.Errorf("the first doctor says nothing of %q:\n%s", want, body)
		}
	}
	memory.set(t, "3000000 kB")
	h.says(t, "!rebuild-sandbox")
	h.chat, err = h.admin.Client().Enter(ctx, h.ChatRoom, h.BotUserID)
	must(t, err)
	h.asks(ctx, t, h.chat, `say: "here I am"`, "here I am")
	t.Run("a wrong key", func(t *testing.T) { h.wrongKey(ctx, t) })
}

// wrongKey has the model refuse the key after a restart.
func (h *house) wrongKey(ctx context.Context, t *testing.T) {
	must(t, h.Process.Stop(ctx))
	must(t, os.WriteFile(filepath.Join(h.DataDir, "secrets", "model-key"), []byte("another\n"), 0o600))
	must(t, h.SetConfig("answer_within: 3m", "answer_within: 20s"))
	must(t, h.Up(ctx))
	found, status := examine(t, h.Deployment, "--deep")
	if l := found["agent "+h.agent]; status != 1 || l.Mark != "failed" || !strings.Contains(l.Todo, "model") {
		t.Errorf("status %d, %+v", status, l)
	}
}

// meminfo is what the program is told of the machine's memory: a file in the place
// of the kernel's, as containers have it.
type meminfo struct{ path string }

func newMeminfo(t *testing.T, dir string) meminfo {
	t.Helper()
	return meminfo{filepath.Join(dir, "meminfo")}
}

// set says how much is available.
func (m meminfo) set(t *testing.T, available string) {
	t.Helper()
	text, err := os.ReadFile("/proc/meminfo")
	must(t, err)
	changed := regexp.MustCompile(`(?m)^(MemAvailable: +).*$`).ReplaceAll(text, []byte("${1}"+available))
	file, err := os.OpenFile(m.path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644) // in place: it is mounted
	must(t, err)
	_, err = file.Write(changed)
	must(t, err)
	must(t, file.Close())
}

// wrap is a program that runs another one with this memory.
func (m meminfo) wrap(t *testing.T, binary string) string {
	t.Helper()
	path := m.path + "-" + filepath.Base(binary)
	script := fmt.Sprintf("#!/bin/sh\nexec unshare --mount --propagation private sh -c 'mount --bind %s /proc/meminfo && exec \"$0\" \"$@\"' %s \"$@\"\n", m.path, binary)
	must(t, os.WriteFile(path, []byte(script), 0o755))
	return path
}
