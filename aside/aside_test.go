package aside_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/githabideri/fraktalia/aside"
)

// What was changed, added and removed since the copy is as it was, with its
// modes; the copy is gone then.
func TestPutBack(t *testing.T) {
	dir := t.TempDir()
	c := aside.Copy{Folder: filepath.Join(dir, "before"), Of: filepath.Join(dir, "data"), Names: []string{"db", "db-wal", "state", "gone"}}
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(c.Of, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("db", "one")
	write("state/a/b", "two")
	write("kept", "mine")
	if err := c.Keep(); err != nil || !c.Kept() {
		t.Fatal(err)
	}
	write("db", "changed in place")
	write("db-wal", "new")
	write("gone/x", "new")
	write("state/a/c", "new")
	write("kept", "changed, too")
	if err := os.Remove(filepath.Join(c.Of, "state/a/b")); err != nil {
		t.Fatal(err)
	}
	if err := c.Keep(); err != nil { // the older one counts
		t.Fatal(err)
	}
	if err := c.PutBack(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"db": "one", "state/a/b": "two", "kept": "changed, too"} {
		path := filepath.Join(c.Of, name)
		got, err := os.ReadFile(path)
		info, _ := os.Stat(path)
		if err != nil || string(got) != want || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %q", name, err, got)
		}
	}
	for _, name := range []string{"db-wal", "gone", "state/a/c"} {
		if _, err := os.Stat(filepath.Join(c.Of, name)); !os.IsNotExist(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 || c.Kept() {
		t.Errorf("%v, %v", left, err)
	}
}

// Where no copy can be made nothing of one is left.
func TestNoCopy(t *testing.T) {
	dir := t.TempDir()
	c := aside.Copy{Folder: filepath.Join(dir, "no folder", "before"), Of: dir, Names: []string{"db"}}
	if err := os.WriteFile(filepath.Join(dir, "no folder"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var not aside.ErrNotKept
	if err := c.Keep(); !errors.As(err, &not) || not.Of != dir || c.Kept() {
		t.Errorf("%v", err)
	}
}
