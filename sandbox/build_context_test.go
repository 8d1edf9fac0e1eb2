package sandbox_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/githabideri/fraktalia/sandbox"
	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
)

// An owner's folder may hold anything: links go along as links, and what
// cannot be sent is told by its name.
func TestContextOfAnOwner(t *testing.T) {
	forBothBuilders(t, func(t *testing.T, e *sandbox.Engine, o sandbox.BuildOptions) {
		folder := t.TempDir()
		write := func(name, text string) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		write("Dockerfile", "this one is not taken")
		write("tool", "hello")
		if err := os.Symlink("tool", filepath.Join(folder, "link")); err != nil {
			t.Fatal(err)
		}
		o.Context = os.DirFS(folder)
		o.Dockerfile = "ARG BASE\nFROM ${BASE}\nLABEL io.fraktalia.test=" + o.Tag + "\nCOPY . /own/\n"
		result, err := e.Build(t.Context(), o, nil)
		if err != nil {
			t.Fatal(err)
		}
		if said := sandboxtest.Docker(t, "run", "--rm", "--network", "none", o.Tag, "sh", "-c", "readlink /own/link; cat /own/link"); said != "tool\nhello" {
			t.Errorf("the image says %q", said)
		}
		socket, err := net.Listen("unix", filepath.Join(folder, "sock"))
		if err != nil {
			t.Fatal(err)
		}
		defer socket.Close()
		_, err = e.Build(t.Context(), o, nil)
		var unsent *sandbox.ContextError
		if !errors.As(err, &unsent) || unsent.Path != "sock" {
			t.Errorf("error %v", err)
		}
		checkUntouched(t, e, o.Tag, result.Image.ID)
	})
}
