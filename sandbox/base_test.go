package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/sandbox"
	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
)

// ownBase are options for a base of this test alone.
func ownBase(t *testing.T) sandbox.BaseOptions {
	t.Helper()
	o := sandbox.BaseOptions{
		Ref:        "debian:bookworm-slim",
		Substitute: sandboxtest.UniqueName("fraktalia-test-base") + ":made",
		TempDir:    t.TempDir(),
	}
	t.Cleanup(func() {
		if sandboxtest.Docker(t, "image", "ls", "-q", o.Substitute) != "" {
			sandboxtest.Docker(t, "image", "rm", "-f", o.Substitute)
		}
	})
	return o
}

func TestMakeBase(t *testing.T) {
	e, o := engine(t), ownBase(t)
	var last time.Duration
	made, err := e.MakeBase(t.Context(), o, func(p sandbox.Progress) {
		if p.Elapsed-last > 5*time.Second || p.Name == "" {
			t.Errorf("silent from %s until %+v", last, p)
		}
		last = p.Elapsed
	})
	if err != nil {
		t.Fatal(err)
	}
	if made.Ref != o.Substitute || made.Origin != sandbox.BaseMade {
		t.Errorf("made %+v", made)
	}
	checkBase(t, e, o)
	kept, err := e.EnsureBase(t.Context(), sandbox.BaseOptions{Ref: "fraktalia.invalid/none:x", Substitute: o.Substitute}, nil)
	if err != nil || kept.Ref != o.Substitute || kept.Origin != sandbox.BaseKept {
		t.Errorf("kept %+v, %v", kept, err)
	}
}

func checkBase(t *testing.T, e *sandbox.Engine, o sandbox.BaseOptions) {
	t.Helper()
	found, err := e.ImageInfo(t.Context(), o.Substitute)
	if err != nil || found.Labels[sandbox.ImageLabel] != "base" || found.Size > 150<<20 || time.Since(found.Created) > time.Hour {
		t.Errorf("image %+v, %v", found, err)
	}
	left := sandboxtest.Docker(t, "run", "--rm", "--network", "none", o.Substitute, "sh", "-c",
		"test -s /usr/share/doc/bash/copyright; find /usr/share/man /usr/share/locale /var/lib/apt/lists /var/cache/apt -type f ! -name lock")
	if left != "" {
		t.Errorf("the image keeps %s", left)
	}
	if entries, err := os.ReadDir(o.TempDir); err != nil || len(entries) > 0 {
		t.Errorf("left in the temporary folder: %v %v", entries, err)
	}
}

func TestCancelledMakeBaseTidiesUp(t *testing.T) {
	e, o := engine(t), ownBase(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := e.MakeBase(ctx, o, func(p sandbox.Progress) {
		if strings.Contains(p.Line, "extracting archives") {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if id := imageID(t, e, o.Substitute); id != "" {
		t.Errorf("a cancelled base is there: %s", id)
	}
	if processRuns(t, o.TempDir) {
		t.Error("a process of the cancelled making still runs")
	}
	if entries, err := os.ReadDir(o.TempDir); err != nil || len(entries) > 0 {
		t.Errorf("left in the temporary folder: %v %v", entries, err)
	}
}

// What mmdebstrap may do wrong, played by a script in its place.
func TestBadMmdebstrap(t *testing.T) {
	for name, test := range map[string]struct {
		script string
		want   string // in the error's text
	}{
		"empty tar":       {"head -c 10240 /dev/zero", "10240 bytes"},
		"nothing":         {"exit 0", "0 bytes"},
		"fails at once":   {"echo E: no such mirror >&2; exit 25", "exit status 25: E: no such mirror"},
		"fails mid-write": {"head -c 40000000 /dev/zero; echo E: disk is full >&2; exit 1", "exit status 1: E: disk is full"},
	} {
		t.Run(name, func(t *testing.T) {
			e, o := engine(t), ownBase(t)
			programs := t.TempDir()
			script := "#!/bin/sh\nPATH=/usr/bin:/bin\n" + test.script + "\n"
			if err := os.WriteFile(filepath.Join(programs, "mmdebstrap"), []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
			path := os.Getenv("PATH")
			t.Setenv("PATH", programs)
			_, err := e.MakeBase(t.Context(), o, nil)
			t.Setenv("PATH", path)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q in it", err, test.want)
			}
			if id := imageID(t, e, o.Substitute); id != "" {
				t.Errorf("it was imported all the same: %s", id)
			}
		})
	}
}

func TestNoBaseSaysWhy(t *testing.T) {
	e, o := engine(t), ownBase(t)
	path := os.Getenv("PATH")
	t.Setenv("PATH", t.TempDir())
	_, err := e.MakeBase(t.Context(), o, nil)
	t.Setenv("PATH", path)
	if !errors.Is(err, sandbox.ErrNoMmdebstrap) {
		t.Errorf("error %v", err)
	}
	_, err = e.EnsureBase(t.Context(), sandbox.BaseOptions{Ref: "fraktalia.invalid/debian:bookworm"}, nil)
	var failed *sandbox.BaseError
	if !errors.As(err, &failed) || failed.Pull == nil || !errors.Is(failed.Make, sandbox.ErrNotDebian) {
		t.Errorf("error %v", err)
	}
}

// TestDownloadsStayOut checks what an image keeps of apt's work, on the base
// that the machine has.
func TestDownloadsStayOut(t *testing.T) {
	e := engine(t)
	o := sandbox.BuildOptions{Base: base(t, e), Tag: uniqueTag(t)}
	o.Context = dockerfile(o.Tag, "RUN apt-get update && apt-get install -y --no-install-recommends tree && rm -rf /var/lib/apt/lists/*")
	var log bytes.Buffer
	o.Log = &log
	if _, err := e.Build(t.Context(), o, nil); err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	left := sandboxtest.Docker(t, "run", "--rm", "--network", "none", o.Tag, "sh", "-c",
		"tree --version >/dev/null; find /var/cache/apt /var/lib/apt/lists /usr/share/man -type f ! -name lock")
	if left != "" {
		t.Errorf("the image keeps %s", left)
	}
}
