package workspace

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is made needs no mending, whoever works in it beside its owner.
func TestMadeWorkspaceNeedsNoMending(t *testing.T) {
	for name, c := range map[string]struct {
		owner State
		guest int
	}{
		"one user":  {State{UID: 1000, GID: 1000, Mode: 0o750}, -1},
		"two users": {State{UID: 1001, GID: 1000, Mode: 0o2770}, 1000},
		"root":      {State{UID: 0, GID: 0, Mode: 0o750}, 0},
	} {
		path := filepath.Join(t.TempDir(), "mox")
		made := New{Path: path, Owner: c.owner, Files: map[string]string{"AGENTS.md": "a", "skills/x/SKILL.md": "b"}}
		if err := made.Make(); err != nil {
			t.Fatalf("%s: %v (these tests run as root)", name, err)
		}
		plan, err := Look(t.Context(), Folder{Path: path, GuestUID: c.guest, GuestGID: c.guest})
		if err != nil || len(plan.Changes) > 0 || plan.LeftAll > 0 || plan.Seen != 5 {
			t.Errorf("%s: %v %+v", name, err, plan)
		}
		if text, err := Read(path, "AGENTS.md", 10); err != nil || string(text) != "a" {
			t.Errorf("%s: %v %s", name, err, text)
		}
		if err := Discard(path); err != nil {
			t.Error(err)
		}
		if left, _ := os.ReadDir(filepath.Dir(path)); len(left) > 0 {
			t.Errorf("%s leaves %v", name, left)
		}
	}
}

// Nothing that is there is touched, and nothing half is left.
func TestMakeAllOrNothing(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "mox")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (New{Path: path}).Make(); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "mine" {
		t.Errorf("%v %s", err, text)
	}
	other := New{Path: filepath.Join(folder, "max"), Owner: State{UID: os.Geteuid(), GID: os.Getegid(), Mode: 0o700}, Files: map[string]string{"../out.md": "x"}}
	if err := other.Make(); err == nil || !strings.Contains(err.Error(), "outside") {
		t.Error(err)
	}
	if left, _ := os.ReadDir(folder); len(left) != 1 {
		t.Errorf("left are %v", left)
	}
}

// A link, a pipe or too much text in a workspace leads nowhere.
func TestReadIsNotLedAway(t *testing.T) {
	folder := t.TempDir()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := errors.Join(os.WriteFile(secret, []byte("secret"), 0o600), os.Symlink(secret, filepath.Join(folder, "link")),
		os.WriteFile(filepath.Join(folder, "long"), make([]byte, 100), 0o600), os.Mkdir(filepath.Join(folder, "folder"), 0o700)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"link", "long", "folder", "none", "../" + filepath.Base(filepath.Dir(secret)) + "/secret"} {
		if text, err := Read(folder, name, 99); err == nil {
			t.Errorf("%s: %q", name, text)
		}
	}
	if err := Remove(folder, "link"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(secret); err != nil {
		t.Error(err)
	}
}
