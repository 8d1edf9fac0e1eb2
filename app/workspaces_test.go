package app

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/config"
)

// What agents have left is found by the names that OpenClaw gives, and nothing
// that is in use; what a program has open stays.
func TestRemains(t *testing.T) {
	a := newHouse(t)
	w := newWorkspaces(a, config.Config{Data: t.TempDir()})
	must(t, os.WriteFile(a.path, []byte("{ agents: { ownership: 'explicit', entries: { mox: {}, mix: {} } } }"), 0o600))
	home := filepath.Dir(a.path)
	for _, folder := range []string{"workspace-gone", "workspace-mix", "workspace-mix.removed-20260101-000000", "workspace-gone/deep", "agents/gone/agent", "agents/mix", "other"} {
		must(t, os.MkdirAll(filepath.Join(home, folder), 0o700))
	}
	must(t, os.Symlink("/", filepath.Join(home, "workspace-link")))
	find := func() (found []string) {
		t.Helper()
		left, err := w.Remains([]string{"mix", "mox", "main"})
		must(t, err)
		for _, one := range left {
			found = append(found, strings.TrimPrefix(one.Path, home+"/")+" of "+one.Agent)
		}
		return found
	}
	want := []string{"workspace-gone of gone", "workspace-mix.removed-20260101-000000 of mix", "agents/gone of gone"}
	if found := find(); !slices.Equal(found, want) {
		t.Errorf("found %q", found)
	}
	held, err := os.Create(filepath.Join(home, "agents/gone/agent/openclaw-agent.sqlite"))
	must(t, err)
	record := command.Remains{Agent: "gone", Path: filepath.Join(home, "agents/gone"), Records: true}
	if err := w.EraseRemains(record, []string{"mix"}); !errors.As(err, new(*command.RecordsOpen)) {
		t.Error(err)
	}
	must(t, held.Close())
	must(t, w.EraseRemains(record, []string{"mix"}))
	if err := w.EraseRemains(command.Remains{Agent: "mix", Path: filepath.Join(home, "workspace-mix")}, []string{"mix"}); err == nil {
		t.Error("a workspace in use was deleted")
	}
	if found := find(); !slices.Equal(found, want[:2]) {
		t.Errorf("found %q", found)
	}
}

// A new agent's workspace lies where OpenClaw would look for it, and belongs to
// whom the sandbox runs as.
func TestPlannedWorkspace(t *testing.T) {
	a := newHouse(t)
	home := filepath.Dir(a.path)
	w := newWorkspaces(a, config.Config{Data: t.TempDir(), Sandbox: config.Sandbox{User: "1234:1234"}, OpenClaw: config.OpenClaw{Config: a.path}, Owners: []string{"@o:h"}})
	plan, err := w.PlanWorkspace(t.Context(), command.Newcomer{ID: "new", Name: "New", Room: "R"})
	must(t, err)
	if plan.Path != filepath.Join(home, "workspace-new") || plan.User != "1234:1234" || plan.Owner.UID != os.Geteuid() || plan.Owner.GID != 1234 || plan.Owner.Mode != 0o2770 || plan.Files["AGENTS.md"] == "" {
		t.Errorf("%+v", plan)
	}
	must(t, os.Mkdir(plan.Path, 0o700))
	if _, err := w.PlanWorkspace(t.Context(), command.Newcomer{ID: "new"}); !errors.As(err, new(*command.WorkspaceTaken)) {
		t.Error(err)
	}
	must(t, os.WriteFile(filepath.Join(w.config.Data, "persona", "SOUL.md"), []byte("{{.No}}"), 0o600))
	if _, err := w.PlanWorkspace(t.Context(), command.Newcomer{ID: "other"}); !errors.As(err, new(*command.BadTemplate)) {
		t.Error(err)
	}
}
