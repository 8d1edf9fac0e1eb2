package app

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/config"
	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/openclaw/json5"
	"github.com/githabideri/fraktalia/store"
	"github.com/githabideri/fraktalia/workspace"
)

const house = `{
  meta: {},
  gateway: { mode: 'local', auth: { token: 'of-the-file' } },
  agents: { ownership: 'explicit', entries: { mox: { workspace: './shared/mox' }, max: { workspace: '~/../..' }, mix: {} } }, // all
}
`

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newHouse has no bot, no engine, and a gateway where nobody listens.
func newHouse(t *testing.T) *agents {
	t.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	folder := t.TempDir()
	path := filepath.Join(folder, "openclaw.json")
	must(t, os.WriteFile(path, []byte(house), 0o600))
	c := config.Config{Data: folder, OpenClaw: config.OpenClaw{Config: path, Gateway: "http://127.0.0.1:1"}}
	return newAgents(c, nil, nil, func(context.Context, openclaw.Event) {}, logrus.NewEntry(log))
}

// A workspace is moved or deleted only where nothing else is in it.
func TestAsideKeepsWhatBelongsToOthers(t *testing.T) {
	a := newHouse(t)
	home := filepath.Dir(a.path)
	agent := func(id, workspace string) openclaw.Agent {
		entry := json5.ObjectValue()
		if workspace != "" {
			entry = json5.ObjectValue(json5.Member{Key: "workspace", Value: json5.StringValue(workspace)})
		}
		return openclaw.Agent{ID: id, Value: entry}
	}
	for _, folder := range []string{"work/mox/notes", "workspace-mix"} {
		must(t, os.MkdirAll(filepath.Join(home, folder), 0o700))
	}
	must(t, os.Symlink(home, filepath.Join(home, "link")))
	others := []openclaw.Agent{agent("max", filepath.Join(home, "work/mox"))}
	for name, one := range map[string]openclaw.Agent{
		"the configuration's folder": agent("x", home), "the root": agent("x", "/"), "home": agent("x", "~/"), "a link to it": agent("x", filepath.Join(home, "link")),
		"another agent's": agent("x", filepath.Join(home, "work/mox")), "what holds another's": agent("x", filepath.Join(home, "work")),
		"none": agent("x", ""), "a relative one": agent("x", "work/mox/notes"),
	} {
		var kept *command.WorkspaceKept
		if path, _, err := a.AsideOf(one, others); !errors.As(err, &kept) {
			t.Errorf("%s: %s, %v", name, path, err)
		}
	}
	if _, err := os.Stat(filepath.Join(home, "work/mox/notes")); err != nil {
		t.Fatal(err)
	}
	for _, one := range []openclaw.Agent{agent("mix", ""), agent("y", filepath.Join(home, "work/mox/notes"))} {
		path, aside, err := a.AsideOf(one, others)
		must(t, err)
		must(t, workspace.Move(path, aside))
		if err := workspace.Move(path, aside); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", path, err)
		}
		must(t, os.Mkdir(path, 0o700))
		if err := workspace.Move(aside, path); !errors.Is(err, os.ErrExist) {
			t.Errorf("%s was replaced: %v", path, err)
		}
	}
}

// The record and the backups beside the file bring a content back, to the byte,
// and nothing is touched where either is not what it was.
func TestRestoreHoldsContentsAgainstTheRecord(t *testing.T) {
	a, ctx := newHouse(t), context.Background()
	settings, err := a.Load()
	must(t, err)
	plan, err := settings.Plan(openclaw.RemoveAgent("mix"))
	must(t, err)
	var files []store.ConfigFile
	outcome, err := a.Commit(ctx, plan, func(changes []openclaw.Change, asking bool) {
		if asking {
			t.Error("there is no gateway to ask")
		}
		for _, c := range changes {
			files = append(files, store.ConfigFile{Path: c.Path, Before: contentHash(c.Before), After: contentHash(c.After), Backup: c.Backup})
		}
	})
	var down *openclaw.GatewayDownError
	if err != nil || outcome.Verdict != openclaw.Unknown || !errors.As(outcome.Err, &down) {
		t.Fatalf("%+v %v", outcome, err)
	}
	quiet := func([]openclaw.Change, bool) {}
	tampered := append([]store.ConfigFile{}, files...)
	tampered[0].Before = contentHash([]byte("other"))
	var gone *command.BackupGone
	if _, err := a.Restore(ctx, tampered, quiet); !errors.As(err, &gone) {
		t.Errorf("a backup that was changed: %v", err)
	}
	after, err := os.ReadFile(a.path)
	must(t, err)
	must(t, os.WriteFile(a.path, append(after, "// mine\n"...), 0o600))
	var conflict *openclaw.ConflictError
	if _, err := a.Restore(ctx, files, quiet); !errors.As(err, &conflict) {
		t.Errorf("a file that was changed: %v", err)
	}
	must(t, os.WriteFile(a.path, after, 0o600))
	_, err = a.Restore(ctx, files, quiet)
	must(t, err)
	if text, _ := os.ReadFile(a.path); string(text) != house {
		t.Errorf("restored\n%s", text)
	}
}

func TestGatewayTokenComesFromTheFileThatIsNamed(t *testing.T) {
	a := newHouse(t)
	t.Setenv("OPENCLAW_GATEWAY_TOKEN", "")
	t.Setenv("CLAW_TOKEN", "of-the-environment")
	named := filepath.Join(t.TempDir(), "token")
	must(t, os.WriteFile(named, []byte("named\n"), 0o600))
	for want, c := range map[string]config.OpenClaw{
		"named": {Config: a.path, GatewayTokenFile: named}, "of-the-file": {Config: a.path},
	} {
		if token, err := gatewayToken(c)(); err != nil || token != want {
			t.Errorf("%q %v, want %s", token, err, want)
		}
	}
	must(t, os.WriteFile(a.path, []byte(strings.Replace(house, "of-the-file", "${CLAW_TOKEN}", 1)), 0o600))
	if token, err := gatewayToken(config.OpenClaw{Config: a.path})(); err != nil || token != "of-the-environment" {
		t.Errorf("%q %v", token, err)
	}
}

// What the program writes itself is no alert; what others take away is one.
func TestOwnChangesAreNoAlert(t *testing.T) {
	events := make(chan openclaw.Event, 8)
	a := newHouse(t)
	a.guard = openclaw.NewGuard(a.path, 20*time.Millisecond, func(_ context.Context, e openclaw.Event) { events <- e }, a.log)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.guard.Run(ctx) }()
	time.Sleep(100 * time.Millisecond)
	settings, err := a.Load()
	must(t, err)
	plan, err := settings.Plan(openclaw.RemoveAgent("mix"))
	must(t, err)
	_, err = a.Commit(ctx, plan, func([]openclaw.Change, bool) {})
	must(t, err)
	time.Sleep(300 * time.Millisecond)
	must(t, os.WriteFile(a.path, []byte(strings.Replace(house, "mox: { workspace: './shared/mox' }, ", "", 1)), 0o600))
	select {
	case e := <-events:
		if strings.Join(e.LostAgents, " ") != "mox" || !strings.Contains(rosterAlert(e, a.path).Text(), "These agents are gone: mox.") {
			t.Errorf("%+v", e)
		}
	case <-time.After(10 * time.Second):
		t.Error("no alert")
	}
	stop()
	must(t, <-ended)
}
