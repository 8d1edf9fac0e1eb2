package stack

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// An interrupted installation, an older release and a Python that is gone all
// mean: install anew. A complete one is left alone.
func TestInstalled(t *testing.T) {
	cache := DefaultCache()
	if err := Install(t.Context(), cache, "", func(Event) {}); err != nil {
		t.Fatal(err)
	}
	if !installed(t.Context(), cache) {
		t.Fatal("just installed, and not complete")
	}
	venv := filepath.Join(t.TempDir(), "venv")
	var steps []Step
	if err := Install(t.Context(), venv, cache, func(e Event) { steps = append(steps, e.Step) }); err != nil {
		t.Fatal(err)
	}
	if !installed(t.Context(), venv) || slices.Contains(steps, StepVenv) {
		t.Errorf("not taken over from the cache: %v", steps)
	}
	if out, err := exec.Command(filepath.Join(venv, "bin/python"), "-I", "-c", "import synapse; print(synapse.__file__)").Output(); err != nil || !strings.HasPrefix(string(out), venv) {
		t.Errorf("synapse of %s, %v", out, err)
	}
	for name, spoil := range map[string]func() error{
		"no stamp": func() error { return os.Remove(stampFile(venv)) },
		"other release": func() error {
			return os.WriteFile(stampFile(venv), []byte("python 3.11\nmatrix-synapse==1.0\n"), 0o600)
		},
		"no python": func() error { return os.Remove(filepath.Join(venv, "bin/python")) },
	} {
		if err := errors.Join(os.RemoveAll(venv), Install(t.Context(), venv, cache, func(Event) {}), spoil()); err != nil {
			t.Fatal(err)
		}
		if installed(t.Context(), venv) {
			t.Errorf("%s: counts as complete", name)
		}
	}
}

// A cache that others can write to is no cache: its programs would be run.
func TestCacheMustBePrivate(t *testing.T) {
	folder := t.TempDir()
	for mode, want := range map[os.FileMode]bool{0o700: true, 0o755: true, 0o775: false, 0o777: false} {
		if err := os.Chmod(folder, mode); err != nil {
			t.Fatal(err)
		}
		if got := private(folder); got != want {
			t.Errorf("mode %o: %v", mode, got)
		}
	}
}

// The script that installs ahead must leave what the program takes for
// complete, else its work is wasted.
func TestScriptWritesTheSameStamp(t *testing.T) {
	cache := DefaultCache()
	if err := Install(t.Context(), cache, "", func(Event) {}); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("../scripts/synapse")
	out, err := cmd.CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("the script does not see what is installed: %v %s", err, out)
	}
}

func TestInstallCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	venv := filepath.Join(t.TempDir(), "venv")
	if err := Install(ctx, venv, "", func(Event) {}); err == nil || installed(t.Context(), venv) {
		t.Errorf("error %v", err)
	}
}

// Pythons that do not do are stood in for by scripts that answer as they would.
func TestFindPython(t *testing.T) {
	for _, c := range []struct {
		name, script string
		check        func(error) bool
	}{
		{"too old", "#!/bin/sh\necho 3.9\n", func(err error) bool {
			var missing ErrNoPython
			return errors.As(err, &missing) && len(missing.Found) == 1 && strings.HasSuffix(missing.Found[0], "is 3.9")
		}},
		{"without ensurepip", "#!/bin/sh\necho 3.12\nexit 1\n", func(err error) bool {
			var missing ErrNoVenv
			return errors.As(err, &missing) && missing.Version == "3.12"
		}},
		{"good", "#!/bin/sh\necho 3.11\n", func(err error) bool { return err == nil }},
	} {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, "python3"), []byte(c.script), 0o700); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", folder)
		if _, err := findPython(t.Context(), "python3"); !c.check(err) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestPipProgress(t *testing.T) {
	var last Event
	progress := newPipProgress(func(e Event) {
		if e.Percent < last.Percent {
			t.Errorf("goes back from %d to %d", last.Percent, e.Percent)
		}
		last = e
	})
	progress.line("Collecting matrix-synapse==1.163.2")
	progress.line("  Downloading matrix_synapse-1.163.2.whl (12 MB)")
	progress.line("Collecting attrs!=21.1.0,>=19.2.0 (from matrix-synapse==1.163.2)")
	if last.Percent == 0 || last.Detail != "attrs" {
		t.Errorf("%+v", last)
	}
	for range 200 {
		progress.line("Collecting more")
	}
	progress.line("Installing collected packages: attrs, matrix-synapse")
	if last.Percent != collecting {
		t.Errorf("%+v", last)
	}
}
