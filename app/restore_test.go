package app

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/mattn/go-sqlite3" // Synapse's database

	"github.com/githabideri/fraktalia/aside"
	"github.com/githabideri/fraktalia/backup"
	"github.com/githabideri/fraktalia/stack"
	"github.com/githabideri/fraktalia/store"
)

// synapseOf makes a database like Synapse's that says whose it is.
func synapseOf(t *testing.T, path, whose string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o700))
	db, err := sql.Open("sqlite3", path)
	must(t, err)
	defer db.Close()
	_, err = db.Exec("CREATE TABLE e2e_one_time_keys_json (x); CREATE TABLE whose (name); INSERT INTO whose VALUES (?)", whose)
	must(t, err)
}

func whose(t *testing.T, path string) (name string) {
	t.Helper()
	db, err := sql.Open("sqlite3", path)
	must(t, err)
	defer db.Close()
	must(t, db.QueryRow("SELECT name FROM whose").Scan(&name))
	return name
}

func write(t *testing.T, text string, parts ...string) {
	t.Helper()
	path := filepath.Join(parts...)
	must(t, os.MkdirAll(filepath.Dir(path), 0o700))
	must(t, os.WriteFile(path, []byte(text), 0o600))
}

// interrupted is a data folder whose upgrades of Synapse and OpenClaw were killed,
// and a backup of it from before.
func interrupted(t *testing.T) (data, from string) {
	t.Helper()
	data, from = filepath.Join(t.TempDir(), "data"), t.TempDir()
	db, err := store.Open(t.Context(), filepath.Join(from, "fraktalia.db"))
	must(t, err)
	must(t, db.Close())
	synapseOf(t, filepath.Join(from, "homeserver.db"), "the backup's")
	synapseOf(t, filepath.Join(data, "synapse", "homeserver.db"), "the newer Synapse's")
	synapseOf(t, filepath.Join(data, "synapse", "before-upgrade", "homeserver.db"), "the upgrade's copy")
	write(t, "half a copy", data, "synapse", "before-upgrade.new", "homeserver.db")
	write(t, "its journal", data, "synapse", "homeserver.db-journal")
	write(t, "key\n", data, "secrets", pickleKey)
	write(t, "kept", data, "openclaw-before-upgrade", "state", "x")
	write(t, "changed", data, "openclaw", "state", "x")
	write(t, "added", data, "openclaw", "credentials", "y")
	write(t, "{}", data, "openclaw", "openclaw.json")
	return data, from
}

// putBack restores, and returns where it says that what was there is.
func putBack(t *testing.T, data, from string) (asideFolder string) {
	t.Helper()
	var said bytes.Buffer
	if status := Main(t.Context(), "test", []string{"restore", from, "--data", data}, strings.NewReader(""), &said, &said); status != 0 {
		t.Fatalf("status %d\n%s", status, &said)
	}
	found, err := filepath.Glob(filepath.Join(data, backup.AsidePrefix+"*"))
	must(t, err)
	if len(found) != 1 || !strings.Contains(said.String(), "What was there before is in "+found[0]+".") {
		t.Fatalf("moved aside to %q\n%s", found, &said)
	}
	return found[0]
}

// holding wants files to have these words; "" is no file.
func holding(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, want := range files {
		if text, err := os.ReadFile(filepath.Join(dir, name)); string(text) != want || (err == nil) != (want != "") {
			t.Errorf("%s is %q, %v, not %q", name, text, err, want)
		}
	}
}

// What an interrupted upgrade has left is put back by the next start, and so
// must be out of its way when a backup's database has come.
func TestARestoredDatabaseOutlivesAnInterruptedUpgrade(t *testing.T) {
	data, from := interrupted(t)
	before := putBack(t, data, from)
	holding(t, filepath.Join(before, "synapse"), map[string]string{"homeserver.db-journal": "its journal", "before-upgrade.new/homeserver.db": "half a copy"})
	if got := whose(t, filepath.Join(data, "synapse", "homeserver.db")); got != "the backup's" {
		t.Errorf("the database is %s", got)
	}
	for _, path := range stack.WithDatabase() {
		if _, err := os.Lstat(filepath.Join(data, path)); err == nil {
			t.Errorf("%s is there still", path)
		}
	}
	for path, want := range map[string]string{"homeserver.db": "the newer Synapse's", "before-upgrade/homeserver.db": "the upgrade's copy"} {
		if got := whose(t, filepath.Join(before, "synapse", path)); got != want {
			t.Errorf("aside, %s is %s", path, got)
		}
	}
}

// OpenClaw's state, which is in no backup, is as it was before the upgrade, and
// nothing comes over a folder openclaw that is copied there later.
func TestARestoreEndsAnInterruptedUpgradeOfOpenClaw(t *testing.T) {
	data, from := interrupted(t)
	before := putBack(t, data, from)
	kept := (&localClaw{data: data}).before()
	holding(t, data, map[string]string{"openclaw/state/x": "kept", "openclaw/credentials/y": "", "openclaw/openclaw.json": "{}"})
	holding(t, before, map[string]string{"openclaw/state/x": "changed", "openclaw/credentials/y": "added"})
	if kept.Kept() {
		t.Error("the next start puts a copy over what is there")
	}

	data, from = interrupted(t) // and the folder openclaw is lost
	must(t, os.RemoveAll(filepath.Join(data, "openclaw")))
	before = putBack(t, data, from)
	if _, err := os.Stat(filepath.Join(data, "openclaw")); err == nil || (aside.Copy{Folder: filepath.Join(data, "openclaw-before-upgrade")}).Kept() {
		t.Errorf("something of OpenClaw is there: %v", err)
	}
	holding(t, before, map[string]string{"openclaw-before-upgrade/state/x": "kept"})
}
