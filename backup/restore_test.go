package backup_test

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/backup"
)

// shelf is a folder with files of these words in it.
func shelf(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// holds are the words of all files below a folder, by their paths; what was
// moved aside is below "aside".
func holds(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		if rest, ok := strings.CutPrefix(name, backup.AsidePrefix); ok {
			_, rest, _ = strings.Cut(rest, "/")
			name = "aside/" + rest
		}
		files[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

var places = []backup.Place{{Name: "a.yaml", Path: "a.yaml"}, {Name: "b.db", Path: "deep/b.db", With: []string{"deep/b.db-wal", "deep/b.db-shm"}}, {Name: "none", Path: "none"}}

func TestACopyIsPutBackAndWhatWasThereMovedAside(t *testing.T) {
	from := shelf(t, map[string]string{"a.yaml": "old a", "b.db": "old b", "other": "stays there"})
	to := shelf(t, map[string]string{"deep/b.db": "new b", "deep/b.db-wal": "its log", "none": "is in no copy", "mine": "mine"})
	done, err := backup.Restore(context.Background(), from, to, places)
	if err != nil || !slices.Equal(done.Files, []string{"a.yaml", "b.db"}) || done.Aside == "" {
		t.Fatalf("%+v, %v", done, err)
	}
	want := map[string]string{"a.yaml": "old a", "deep/b.db": "old b", "none": "is in no copy", "mine": "mine", "aside/deep/b.db": "new b", "aside/deep/b.db-wal": "its log"}
	if got := holds(t, to); !maps.Equal(got, want) {
		t.Errorf("there is %v", got)
	}
	if info, err := os.Stat(filepath.Join(to, "deep", "b.db")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	fresh := filepath.Join(t.TempDir(), "fresh")
	if done, err := backup.Restore(context.Background(), from, fresh, places); err != nil || done.Aside != "" || !maps.Equal(holds(t, fresh), map[string]string{"a.yaml": "old a", "deep/b.db": "old b"}) {
		t.Errorf("into a new folder: %+v, %v, %v", done, err, holds(t, fresh))
	}
}

// Killed in the middle, or where something cannot be read, what was there is
// there; said again, the rest is done.
func TestACopyThatCannotBeReadChangesNothing(t *testing.T) {
	from := shelf(t, map[string]string{"a.yaml": "old a", "b.db/is": "a folder"})
	before := map[string]string{"a.yaml": "new a", "deep/b.db": "new b"}
	to := shelf(t, before)
	if _, err := backup.Restore(context.Background(), from, to, places); err == nil || !maps.Equal(holds(t, to), before) {
		t.Fatalf("%v, there is %v", err, holds(t, to))
	}
	// As a kill leaves it between the file that is moved aside and the one that comes.
	to = shelf(t, map[string]string{"a.yaml": "old a", "a.yaml.restoring": "ol", "deep/b.db.restoring": "old b", "deep/b.db-wal": "its log", backup.AsidePrefix + "2026-11-26T11-31-30Z/deep/b.db": "new b"})
	from = shelf(t, map[string]string{"a.yaml": "old a", "b.db": "old b"})
	if _, err := backup.Restore(context.Background(), from, to, places); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"a.yaml": "old a", "deep/b.db": "old b", "aside/a.yaml": "old a", "aside/deep/b.db": "new b", "aside/deep/b.db-wal": "its log"}
	if got := holds(t, to); !maps.Equal(got, want) {
		t.Errorf("there is %v", got)
	}
}
