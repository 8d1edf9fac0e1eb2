package backup_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/githabideri/fraktalia/backup"
)

func words(text string) func(context.Context, string) error {
	return func(_ context.Context, path string) error { return os.WriteFile(path, []byte(text), 0o644) }
}

func TestACopyIsWholeAndClosed(t *testing.T) {
	f := &backup.Folder{Path: filepath.Join(t.TempDir(), "backups"), Keep: 2, Sources: []backup.Source{
		{Name: "a", Copy: words("one")}, {Name: "none", Copy: backup.File("/nowhere/at/all")}, {Name: "b", Copy: words("three")}}}
	if _, ok, err := f.Last(); ok || err != nil {
		t.Fatalf("a folder that is not there has a copy: %v", err)
	}
	made, err := f.Make(context.Background())
	if err != nil || !slices.Equal(made.Files, []string{"a", "b"}) || made.Size != 8 {
		t.Fatalf("%+v, %v", made, err)
	}
	last, ok, err := f.Last()
	if err != nil || !ok || last.Path != made.Path || last.At.IsZero() {
		t.Errorf("%+v, %v, %v", last, ok, err)
	}
	for path, want := range map[string]fs.FileMode{f.Path: 0o700, made.Path: 0o700, filepath.Join(made.Path, "a"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

func TestTooManyGoOldestFirstAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"2026-01-01T00-00-00Z", "2026-01-02T00-00-00Z", "2026-01-03T00-00-00Z", "2026-01-04T00-00-00Z.part", "mine", "2026-notes"} {
		if err := os.MkdirAll(filepath.Join(dir, name, "x"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	f := &backup.Folder{Path: dir, Keep: 2, Sources: []backup.Source{{Name: "a", Copy: words("one")}}}
	made, err := f.Make(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	left, _ := os.ReadDir(dir)
	var names []string
	for _, entry := range left {
		names = append(names, entry.Name())
	}
	if want := []string{"2026-01-03T00-00-00Z", filepath.Base(made.Path), "2026-notes", "mine"}; !slices.Equal(names, want) {
		t.Errorf("left %v, want %v", names, want)
	}
}

// With the clock ahead once, or behind now, copies are ahead of now: they are not
// taken for the last, go before others, and never is it the new one that goes.
func TestCopiesOfATimeToCome(t *testing.T) {
	const ahead, later = "2999-01-01T00-00-00Z", "2999-01-02T00-00-00Z"
	for name, c := range map[string]struct {
		keep         int
		there, after []string // beside the one that is made
		last         string
	}{
		"one":            {3, []string{"2026-01-01T00-00-00Z", "2026-01-02T00-00-00Z", ahead}, []string{"2026-01-01T00-00-00Z", "2026-01-02T00-00-00Z"}, "2026-01-02T00-00-00Z"},
		"room enough":    {3, []string{"2026-01-01T00-00-00Z", ahead}, []string{"2026-01-01T00-00-00Z", ahead}, "2026-01-01T00-00-00Z"},
		"nothing else":   {2, []string{ahead, later}, []string{later}, ""},
		"one at a time":  {1, []string{ahead}, nil, ""},
		"and old things": {2, []string{"2026-01-01T00-00-00Z", "2026-01-02T00-00-00Z", ahead, later}, []string{"2026-01-02T00-00-00Z"}, "2026-01-02T00-00-00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, name := range c.there {
				if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			f := &backup.Folder{Path: dir, Keep: c.keep, Sources: []backup.Source{{Name: "a", Copy: words("one")}}}
			if last, ok, err := f.Last(); err != nil || ok != (c.last != "") || ok && filepath.Base(last.Path) != c.last {
				t.Errorf("the last is %+v, %v, %v", last, ok, err)
			}
			made, err := f.Make(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if last, ok, err := f.Last(); err != nil || !ok || last.Path != made.Path {
				t.Errorf("the last is not the new one: %+v, %v", last, err)
			}
			left, _ := os.ReadDir(dir)
			got := []string{}
			for _, entry := range left {
				got = append(got, entry.Name())
			}
			want := append([]string{filepath.Base(made.Path)}, c.after...)
			if slices.Sort(want); !slices.Equal(got, want) {
				t.Errorf("left %v, want %v", got, want)
			}
			told, err := f.Ahead()
			if err != nil || len(told) > 0 != slices.ContainsFunc(got, func(name string) bool { return name >= ahead }) {
				t.Errorf("ahead are %v, %v", told, err)
			}
		})
	}
}

// What cannot be copied whole leaves the copies as they were.
func TestAFailureLeavesNothing(t *testing.T) {
	dir, broken := t.TempDir(), errors.New("no space")
	f := &backup.Folder{Path: dir, Keep: 1, Sources: []backup.Source{{Name: "a", Copy: words("one")}}}
	before, err := f.Make(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	f.Sources = append(f.Sources, backup.Source{Name: "b", Copy: func(context.Context, string) error { return broken }})
	if _, err := f.Make(context.Background()); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	last, ok, err := f.Last()
	if left, _ := os.ReadDir(dir); !ok || err != nil || last.Path != before.Path || len(left) != 1 {
		t.Errorf("%+v, %v, %v; %d left", last, ok, err, len(left))
	}
}
