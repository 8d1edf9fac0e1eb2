package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"

	"github.com/githabideri/fraktalia/e2e/client"
	"github.com/githabideri/fraktalia/e2e/harness"
)

// line is what a doctor says of one part.
type line struct{ Part, Mark, Fact, Todo string }

// diagnosis is all that it says, by part.
type diagnosis map[string]line

// examine asks the doctor in the shell: what it says, and its exit status.
func examine(t *testing.T, d *harness.Deployment, args ...string) (diagnosis, int) {
	t.Helper()
	out, said, err := d.Shell(patient(t), nil, append([]string{"doctor", "--json"}, args...)...)
	var data struct {
		Well   bool
		Checks []line
	}
	if json.Unmarshal([]byte(out), &data) != nil || said != "" {
		t.Fatalf("%v\n%s\n%s", err, out, said)
	}
	status := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status = exit.ExitCode()
	}
	found := diagnosis{}
	for _, l := range data.Checks {
		found[l.Part] = l
	}
	if data.Well != (status == 0) || data.Well == slices.ContainsFunc(data.Checks, func(l line) bool { return l.Mark == "failed" }) {
		t.Errorf("status %d, well: %v\n%s", status, data.Well, out)
	}
	return found, status
}

// clinic is a deployment with the real OpenClaw, in which things are broken.
type clinic struct {
	*solo
	claw    string // OpenClaw's configuration
	healthy diagnosis
}

// TestDoctor breaks one part after another: its line is red and says what to
// do, and the others are as they were.
func TestDoctor(t *testing.T) {
	s := newSolo(t, "doctor")
	port, err := harness.FreePort()
	must(t, err)
	c := &clinic{solo: s}
	c.claw, err = s.UseOpenClaw(harness.OpenClawConfig(port), port)
	must(t, err)
	must(t, s.SetConfig("every: every 24h", `every: ""`))
	gateway, err := harness.StartOpenClaw(patient(t), c.claw, port)
	must(t, err)
	t.Cleanup(gateway.Stop)
	s.start(t, gateway.Env())
	must(t, s.AwaitSchema(within(t)))
	t.Run("backup", c.backup)
	t.Run("healthy", c.well)
	t.Run("in the room", c.inTheRoom)
	t.Run("forwards", c.forwards)
	t.Run("openclaw config", c.config)
	t.Run("engine", c.engine)
	t.Run("image", c.image)
	t.Run("containers", c.containers)
	t.Run("old backup", c.oldBackup)
	t.Run("homeserver", c.homeserver)
	t.Run("gateway", func(t *testing.T) {
		gateway.Stop()
		c.want(t, line{"openclaw gateway", "failed", "does not answer", "openclaw gateway run"})
	})
	t.Run("encryption", c.encryption)
	t.Run("nothing runs", c.nothingRuns)
}

func (c *clinic) backup(t *testing.T) {
	must(t, os.RemoveAll(filepath.Join(c.DataDir, "backups"))) // one was made at the first start
	if found, _ := examine(t, c.Deployment); found["backups"].Mark != "warning" || !strings.Contains(found["backups"].Todo, "fraktalia backup") {
		t.Errorf("without a backup: %+v", found["backups"])
	}
	if out := say(t, c.admin, "!backup"); !out.OK || !strings.Contains(out.Body, "fraktalia.db, fraktalia.yaml, homeserver.db") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
}

func (c *clinic) well(t *testing.T) {
	found, status := examine(t, c.Deployment)
	if status != 0 {
		t.Errorf("status %d", status)
	}
	for part, want := range map[string]line{
		"homeserver":       {Mark: "ok", Fact: "can do all that I can ask for"},
		"encryption":       {Mark: "ok", Fact: "my device is signed, 2 rooms encrypted, a message was encrypted and decrypted"},
		"database":         {Mark: "ok", Fact: "written and read back"},
		"disk and memory":  {Fact: "of memory free"},
		"docker":           {Mark: "ok", Fact: "a container ran"},
		"versions":         {Mark: "ok", Fact: "OpenClaw 2026.9.6"},
		"openclaw config":  {Mark: "ok", Fact: "2 agents"},
		"openclaw gateway": {Mark: "ok", Fact: "is ready, and has applied the configuration"},
		"isolation":        {}, // what this machine's engine has of networks is not ours
		"sandbox image":    {Mark: "warning", Fact: "is not built yet"},
		"containers":       {Mark: "ok", Fact: "of the image of now"},
		"forwards":         {Mark: "ok", Fact: "none"},
		"backups":          {Mark: "ok", Fact: "homeserver.db"},
	} {
		if l := found[part]; !strings.Contains(l.Fact, want.Fact) || want.Mark != "" && l.Mark != want.Mark || (l.Todo == "") != (l.Mark == "ok") {
			t.Errorf("%+v, want %+v", l, want)
		}
	}
	if len(found) != 13 {
		t.Errorf("%d parts: %v", len(found), slices.Sorted(maps.Keys(found)))
	}
	c.healthy = found
}

// want has the doctor say so of one part, and of all others what it said when
// all was well; those that depend on it may not be known.
func (c *clinic) want(t *testing.T, want line, dependent ...string) {
	t.Helper()
	found, status := examine(t, c.Deployment)
	if l := found[want.Part]; l.Mark != want.Mark || !strings.Contains(l.Fact, want.Fact) || !strings.Contains(l.Todo, want.Todo) {
		t.Errorf("%+v, want %+v", l, want)
	}
	if (status == 1) != (want.Mark == "failed") {
		t.Errorf("status %d", status)
	}
	for part, before := range c.healthy {
		now := found[part]
		switch {
		case part == want.Part:
		case slices.Contains(dependent, part):
			if now.Mark != "warning" || !strings.Contains(now.Todo, "see ") {
				t.Errorf("%+v, want it to name %s", now, want.Part)
			}
		case now.Mark != before.Mark:
			t.Errorf("%+v was %s", now, before.Mark)
		}
	}
}

func (c *clinic) inTheRoom(t *testing.T) {
	out := say(t, c.admin, "!doctor")
	if !out.OK || !strings.HasPrefix(out.Body, "⚠️ Nothing is broken; ") || !strings.Contains(out.HTML, "<table>") || !strings.Contains(out.Body, "→ !rebuild-sandbox builds it") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	if len(out.Replies) != 1 || len(out.Replies[0].Edits) == 0 || !strings.Contains(out.Replies[0].Content.AsMessage().Body, "Tried ") {
		t.Errorf("%d answers; the lines did not appear one after another", len(out.Replies))
	}
}

func (c *clinic) forwards(t *testing.T) {
	for port, want := range map[string]line{
		"9091": {"forwards", "ok", "1 open, 1 answers", ""},
		"9093": {"forwards", "failed", "Nothing listens on 9093", "fraktalia unforward 9093 closes the port"},
	} {
		if out, said, err := c.Shell(within(t), nil, "forward", port); err != nil {
			t.Fatalf("%v\n%s\n%s", err, out, said)
		}
		c.want(t, want)
		if want.Mark == "failed" {
			if out := say(t, c.admin, "!doctor"); out.OK || slices.Contains(out.Marks, client.Yes) || !strings.HasPrefix(out.Body, "❌ 1 of 13 parts is not well.") {
				t.Errorf("ok=%v\n%s", out.OK, out.Body)
			}
		}
		if out, said, err := c.Shell(within(t), nil, "unforward", port); err != nil {
			t.Fatalf("%v\n%s\n%s", err, out, said)
		}
	}
}

func (c *clinic) config(t *testing.T) {
	whole, err := os.ReadFile(c.claw)
	must(t, err)
	must(t, os.WriteFile(c.claw, []byte(strings.Replace(string(whole), `name: "Mox"`, `nam: "Mox"`, 1)), 0o600))
	c.await(t, "openclaw gateway", "refuses that of now")
	c.want(t, line{"openclaw config", "failed", "nam", "mend it before the gateway starts again"}, "openclaw gateway")
	must(t, os.WriteFile(c.claw, append(whole, "}}"...), 0o600))
	c.want(t, line{"openclaw config", "failed", "is broken at line", "mend it before the gateway starts again"}, "openclaw gateway")
	must(t, os.WriteFile(c.claw, whole, 0o600))
	c.await(t, "openclaw gateway", "has applied the configuration")
}

// await repeats until a part's fact is so: OpenClaw needs a moment.
func (c *clinic) await(t *testing.T, part, fact string) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		found, _ := examine(t, c.Deployment)
		if strings.Contains(found[part].Fact, fact) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%+v, want %q", found[part], fact)
		}
	}
}

func (c *clinic) engine(t *testing.T) {
	must(t, shared.engine.Down())
	defer func() { must(t, shared.engine.Up()) }()
	c.want(t, line{"docker", "failed", "does not answer", "systemctl start docker"}, "sandbox image", "containers", "isolation")
}

// image has an image in the place of the sandbox's that OpenClaw could not use.
func (c *clinic) image(t *testing.T) {
	must(t, shared.engine.Tag(within(t), shared.engine.PageImage(), shared.image()))
	c.want(t, line{"sandbox image", "failed", "it does not start", "rebuild-sandbox builds it anew"})
	base, err := shared.engine.Base(patient(t))
	must(t, err)
	must(t, shared.engine.Tag(within(t), base, shared.image()))
	c.want(t, line{"sandbox image", "failed", "it failed: python3", "fraktalia rebuild-sandbox"})
	must(t, shared.engine.RemoveImage(within(t), shared.image()))
}

func (c *clinic) containers(t *testing.T) {
	tag := boxTag(t)
	s := box(t, harness.Box{Agent: "abacus", Image: tag})
	c.want(t, line{"containers", "ok", "the oldest", ""})
	must(t, shared.engine.Tag(within(t), shared.engine.PageImage(), tag))
	c.want(t, line{"containers", "warning", "older than their image: abacus", "fraktalia recreate-sandbox"})
	must(t, shared.engine.RemoveSandbox(within(t), s))
}

func (c *clinic) oldBackup(t *testing.T) {
	made, err := filepath.Glob(filepath.Join(c.DataDir, "backups", "2*"))
	if err != nil || len(made) != 1 {
		t.Fatalf("%v, %v", made, err)
	}
	old := filepath.Join(c.DataDir, "backups", "2020-01-02T03-04-05Z")
	must(t, os.Rename(made[0], old))
	c.want(t, line{"backups", "failed", "the last is ", "fraktalia backup"})
	must(t, os.Rename(old, made[0]))
	damage(t, filepath.Join(made[0], "fraktalia.db"))
	c.want(t, line{"backups", "failed", "cannot be read", "makes another"})
	must(t, os.RemoveAll(made[0]))
	if out, said, err := c.Shell(within(t), nil, "backup"); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, said)
	}
}

// damage overwrites pages of a database, but the first.
func damage(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	for at := 4096; at < len(text); at += 2 * 4096 {
		copy(text[at:], strings.Repeat("damaged ", 64))
	}
	must(t, os.WriteFile(path, text, 0o600))
}

func (c *clinic) homeserver(t *testing.T) {
	must(t, c.StopHomeserver())
	c.want(t, line{"homeserver", "failed", c.Listen() + " does not answer", "see that it runs"}, "encryption")
	must(t, c.StartHomeserver(within(t)))
}

// encryption takes the signature off the bot's device, as a server could; the
// next start puts it there again, as the doctor says.
func (c *clinic) encryption(t *testing.T) {
	must(t, c.Process.Stop(within(t)))
	must(t, c.StopHomeserver())
	must(t, c.ExecHomeserver(within(t), "DELETE FROM e2e_cross_signing_signatures WHERE user_id=$1 AND target_device_id<>''", c.BotUserID))
	must(t, c.StartHomeserver(within(t)))
	c.start(t) // signs it again
	if found, _ := examine(t, c.Deployment); found["encryption"].Mark != "ok" {
		t.Errorf("after a start: %+v", found["encryption"])
	}
	must(t, c.StopHomeserver())
	must(t, c.ExecHomeserver(within(t), "DELETE FROM e2e_cross_signing_signatures WHERE user_id=$1", c.BotUserID))
	must(t, c.StartHomeserver(within(t)))
	if found, _ := examine(t, c.Deployment); found["encryption"].Mark != "failed" || !strings.Contains(found["encryption"].Todo, "start fraktalia again") {
		t.Errorf("unsigned: %+v", found["encryption"])
	}
}

// nothingRuns asks without a program: its line is red, and what can be tried
// is tried all the same.
func (c *clinic) nothingRuns(t *testing.T) {
	must(t, c.Process.Stop(within(t)))
	found, status := examine(t, c.Deployment)
	if status != 1 || found["fraktalia"].Mark != "failed" || !strings.Contains(found["fraktalia"].Todo, "fraktalia up") {
		t.Errorf("status %d, %+v", status, found["fraktalia"])
	}
	for _, part := range []string{"configuration", "homeserver", "database", "docker", "versions", "openclaw config", "backups"} {
		if found[part].Mark != "ok" {
			t.Errorf("%+v", found[part])
		}
	}
	must(t, c.StopHomeserver())
	if found, _ := examine(t, c.Deployment); found["homeserver"].Mark != "warning" || found["database"].Mark != "ok" {
		t.Errorf("%+v, %+v", found["homeserver"], found["database"])
	}
	whole, err := os.ReadFile(filepath.Join(c.DataDir, "fraktalia.db"))
	must(t, err)
	damage(t, filepath.Join(c.DataDir, "fraktalia.db"))
	if found, _ := examine(t, c.Deployment); found["database"].Mark != "failed" || !strings.Contains(found["database"].Todo, "last backup") || found["docker"].Mark != "ok" {
		t.Errorf("%+v", found["database"])
	}
	must(t, os.WriteFile(filepath.Join(c.DataDir, "fraktalia.db"), whole, 0o600))
	must(t, c.SetConfig("owners:", "ownres:"))
	if found, _ := examine(t, c.Deployment); found["configuration"].Mark != "failed" || !strings.Contains(found["configuration"].Fact, `no key "ownres"`) || len(found) != 2 {
		t.Errorf("%+v", found)
	}
	must(t, c.SetConfig("ownres:", "owners:"))
}

// examined wants the doctor to find the whole house well: a message of its own
// goes through room, model, agent and sandbox, and comes back as a file.
func (h *house) examined(t *testing.T) {
	t.Helper()
	found, _ := examine(t, h.Deployment, "--deep")
	for part, want := range map[string]string{
		"agent " + h.agent:  "wrote a file in openclaw-sbx-",
		"openclaw gateway":  "has applied the configuration",
		"openclaw config":   "1 agent",
		"openclaw preloads": "",
		"versions":          "OpenClaw 2026.9.6",
		"encryption":        "2 rooms encrypted",
	} {
		if l := found[part]; l.Mark != "ok" || !strings.Contains(l.Fact, want) {
			t.Errorf("%s: %+v, want %q", part, l, want)
		}
	}
	for part, l := range found {
		if l.Mark == "failed" && part != "isolation" { // the engine's network and rules are everybody's here
			t.Errorf("%+v", l)
		}
	}
}

// examinedByItself wants the house to have been tried after its first set-up, by
// itself: the owner who comes reads in the admin room what !doctor would say, and
// it is green; the terminal has had the outcome.
func (h *house) examinedByItself(t *testing.T) {
	t.Helper()
	ctx := patient(t)
	shown, err := h.admin.WaitBot(ctx, func(e client.Event) bool { return says(e, "I have tried every part after the first set-up") })
	must(t, err)
	body := shown.Content.AsMessage().Body
	if !strings.Contains(body, "✅ All 15 parts are well.") || !strings.Contains(shown.Content.AsMessage().FormattedBody, "<table>") {
		t.Errorf("the first doctor says\n%s", body)
	}
	for _, want := range []string{"agent " + h.agent, "wrote a file in openclaw-sbx-", "no agent's sandbox has a network", "homeserver.db"} {
		if !strings.Contains(body, want) {
			t.Errorf("the first doctor says nothing of %q:\n%s", want, body)
		}
	}
	if said := h.Process.Said(); !strings.Contains(said, "\n!doctor --deep: All 15 parts are well.") {
		t.Errorf("the terminal has\n%s", said)
	}
	h.cleared(ctx, t)
}

// cleared wants question and answer of the check gone from the chat room, where
// people who come later could not read them.
func (h *house) cleared(ctx context.Context, t *testing.T) {
	t.Helper()
	for {
		said, err := h.chat.Client().Raw().Messages(ctx, h.chat.ID, "", "", mautrix.DirectionBackward, nil, 50)
		must(t, err)
		left, removed := 0, 0
		for _, e := range said.Chunk {
			switch {
			case e.Sender != h.BotUserID:
			case e.Type == event.EventRedaction:
				removed++
			case e.Type == event.EventEncrypted && e.Unsigned.RedactedBecause == nil:
				left++
			}
		}
		if left == 0 && removed >= 2 {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("of the check %d messages stay in the chat room, %d were removed", left, removed)
		case <-time.After(200 * time.Millisecond):
		}
	}
}
