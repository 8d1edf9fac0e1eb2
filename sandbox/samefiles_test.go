package sandbox_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/githabideri/fraktalia/sandbox"
)

// An engine on this machine sees its files; a folder that it has under another
// content, or not at all, is none of them.
func TestSameFiles(t *testing.T) {
	engine, err := sandbox.Connect("")
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "mark"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		folder, file string
		want         bool
	}{{folder, "mark", true}, {folder, "other", false}, {filepath.Join(folder, "none"), "mark", false}} {
		if got, err := engine.SameFiles(t.Context(), c.folder, c.file); err != nil || got != c.want {
			t.Errorf("%s in %s: %v, %v; want %v", c.file, c.folder, got, err, c.want)
		}
	}
}
