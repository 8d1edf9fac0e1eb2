package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/config"
	"github.com/githabideri/fraktalia/stack/stacktest"
	"github.com/githabideri/fraktalia/store"
)

// A copy of a time to come, made while the clock was wrong, is no reason to make
// none for years, nor to say that all is well.
func TestACopyOfATimeToComeEndsNoBackups(t *testing.T) {
	c := config.Default()
	c.Data, c.Backups.Folder = t.TempDir(), filepath.Join(t.TempDir(), "backups")
	c.File = filepath.Join(c.Data, "fraktalia.yaml")
	db, err := store.Open(t.Context(), filepath.Join(c.Data, "fraktalia.db"))
	must(t, err)
	must(t, db.Close())
	b := newBackups(c, stacktest.Quiet())
	examine := func(mark command.Mark, fact string) {
		t.Helper()
		if f := command.ProveBackups(t.Context(), b, "!backup"); f.Mark != mark || !strings.Contains(f.Fact, fact) || (f.Todo == "") != (mark == command.Well) {
			t.Errorf("the doctor finds %+v", f)
		}
	}
	ahead := filepath.Join(c.Backups.Folder, "2999-01-01T00-00-00Z")
	must(t, os.MkdirAll(ahead, 0o700))
	examine(command.NotWell, "none but of a time to come: "+ahead)
	must(t, os.Mkdir(filepath.Join(c.Backups.Folder, "2026-01-01T00-00-00Z"), 0o700))
	examine(command.NotWell, "old")
	if !b.due() {
		t.Error("with a copy of long ago and one of a time to come none is due")
	}
	_, err = b.Make(t.Context())
	must(t, err)
	if b.due() {
		t.Error("one is due that has just been made")
	}
	examine(command.Unsure, "one is of a time to come: "+ahead)
	must(t, os.Remove(ahead))
	examine(command.Well, "old: fraktalia.db")
}
