package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"maunium.net/go/mautrix/event"

	"github.com/githabideri/fraktalia/e2e/client"
	"github.com/githabideri/fraktalia/e2e/harness"
)

// tenant is the user who owns the workspaces of these tests.
const tenant = 12345

// claws is a configuration of OpenClaw with mox's workspace at path.
func claws(path string) string {
	return fmt.Sprintf(`{ meta: {}, agents: { ownership: 'explicit', entries: {
	mox: { workspace: '%s', sandbox: { mode: 'all', docker: { user: '12345:12345' } } },
	max: { workspace: '%s' },
	home: { workspace: '~/.', sandbox: { mode: 'all' } },
	apart: { workspace: '%s', sandbox: { mode: 'all', docker: { user: '777:777' } } },
} } }
`, path, path, path)
}

// tenancy makes a workspace with what host and container disagree on.
func tenancy(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(shared.dir, name)
	must(t, os.MkdirAll(filepath.Join(path, ".ssh"), 0o755))
	must(t, os.Chown(path, tenant, tenant))
	for _, file := range []struct {
		name  string
		owner int
	}{{"left", 0}, {"closed", tenant}, {".ssh/id_rsa", 0}} {
		file.name = filepath.Join(path, file.name)
		must(t, os.WriteFile(file.name, []byte("content\n"), 0o600))
		must(t, os.Chown(file.name, file.owner, file.owner))
		must(t, os.Chmod(file.name, 0o600))
	}
	return path
}

// wantMode compares a file's owner and permissions.
func wantMode(t *testing.T, path string, owner uint32, mode os.FileMode) {
	t.Helper()
	info, err := os.Lstat(path)
	must(t, err)
	if got := info.Sys().(*syscall.Stat_t).Uid; got != owner || info.Mode().Perm() != mode {
		t.Errorf("%s is %d's with %o, want %d's with %o", path, got, info.Mode().Perm(), owner, mode)
	}
}

func TestFixPermissions(t *testing.T) {
	ws := tenancy(t, "tenancy")
	left, closed, key := filepath.Join(ws, "left"), filepath.Join(ws, "closed"), filepath.Join(ws, ".ssh", "id_rsa")
	clawFile(t, shared.DataDir, claws(ws))
	s := box(t, harness.Box{Agent: "mox", Name: "tenant", Image: boxTag(t), User: "12345:12345", Binds: []string{ws + ":/workspace"}})
	inside := func() string {
		out, err := shared.engine.Exec(within(t), s, false, "cat", "/workspace/left")
		must(t, err)
		return out
	}
	if out := inside(); !strings.Contains(out, "Permission denied") {
		t.Fatalf("the sandbox can read what root left: %s", out)
	}
	out := say(t, shared.admin, "!fix-permissions mox --dry-run")
	if !out.OK || !strings.Contains(out.Body, "2 of 3 files and folders to be mended") || !strings.Contains(out.Body, "root left it") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	wantMode(t, left, 0, 0o600)
	out = say(t, shared.admin, "!fix-permissions mox")
	if !out.OK || !strings.Contains(out.Body, "2 of 3 files and folders mended") || !strings.Contains(out.HTML, "<table>") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	wantMode(t, left, tenant, 0o640)
	wantMode(t, closed, tenant, 0o640)
	wantMode(t, key, 0, 0o600)
	if out := inside(); !strings.Contains(out, "content") {
		t.Errorf("the sandbox still cannot read it: %s", out)
	}
	if out := say(t, shared.admin, "!fix-permissions mox"); !out.OK || !strings.Contains(out.Body, "all well") {
		t.Errorf("a second time: %s", out.Body)
	}
	if out := say(t, shared.admin, "!undo"); !out.OK || !strings.Contains(out.Body, "2 of 2 files are as they were before") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	wantMode(t, left, 0, 0o600)
	wantMode(t, closed, tenant, 0o600)
	for line, want := range map[string]string{
		"!fix-permissions moxx":              "There is no agent moxx. Did you mean mox?",
		"!fix-permissions max":               "max has no workspace that it shares with a sandbox",
		"!fix-permissions home":              "not looked at, because it holds",
		"!fix-permissions apart":             `runs as 777:777, which share no group: set sandbox.docker.user of the agent to "12345:12345"`,
		"!fix-permissions --back ../../etc":  "is not remembered any more",
		"!fix-permissions mox --dry-run now": `"now" is one word too many.`,
	} {
		if out := say(t, shared.admin, line); !strings.Contains(out.Body, want) {
			t.Errorf("%s\n%s", line, out.Body)
		}
	}
	text, _, err := shared.Shell(within(t), nil, "fix-permissions", "mox", "--dry-run", "--json")
	if err != nil || !strings.Contains(text, `"path": "left"`) {
		t.Errorf("%v\n%s", err, text)
	}
}

// Killed before the first change, nothing is changed; the program says so, and
// saying it again mends.
func TestKilledWhilePermissionsAreMended(t *testing.T) {
	d := newSolo(t, "mend")
	ws := tenancy(t, "tenancy-crash")
	clawFile(t, d.DataDir, claws(ws))
	d.start(t, "FRAKTALIA_CRASH_AT=permissions.recorded")
	turn, err := d.admin.Say(within(t), "!fix-permissions mox")
	must(t, err)
	must(t, d.Process.WaitKilled(within(t)))
	wantMode(t, filepath.Join(ws, "left"), 0, 0o600)
	d.start(t)
	out, err := turn.Final(within(t))
	must(t, err)
	if out.OK || !strings.Contains(out.Body, "say it again for the rest") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	if out := say(t, d.admin, "!fix-permissions mox"); !out.OK {
		t.Error(out.Body)
	}
	wantMode(t, filepath.Join(ws, "left"), tenant, 0o640)
	t.Run("by itself", func(t *testing.T) { mendsByItself(t, d) })
}

// mendsByItself has the program look without being asked: the room hears of it.
func mendsByItself(t *testing.T, d *solo) {
	must(t, d.Process.Stop(within(t)))
	ws := tenancy(t, "tenancy-crash")
	must(t, d.SetConfig(`fix_permissions: ""`, "fix_permissions: every 1m"))
	d.start(t)
	_, err := d.admin.WaitBot(within(t), func(e client.Event) bool {
		return e.Type == event.EventMessage.Type && strings.Contains(e.Content.AsMessage().Body, "I mended 2 files in the agents' workspaces")
	})
	must(t, err)
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		info, err := os.Lstat(filepath.Join(ws, "closed"))
		must(t, err)
		if info.Mode().Perm() == 0o640 || time.Now().After(end) {
			break
		}
	}
	wantMode(t, filepath.Join(ws, "left"), tenant, 0o640)
	wantMode(t, filepath.Join(ws, ".ssh", "id_rsa"), 0, 0o600)
}
