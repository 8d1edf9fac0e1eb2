// Package sandboxtest starts stand-in sandbox containers on the real Docker
// engine, for tests. Its image is one static program imported as a tar, so
// that nothing is pulled. It makes and removes only what it made itself.
package sandboxtest

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// serial makes names unique within one test process.
var serial atomic.Int64

// UniqueName returns a name that no other test uses on this engine.
func UniqueName(prefix string) string {
	return fmt.Sprintf("%s-%d-%d", prefix, os.Getpid(), serial.Add(1))
}

// Docker runs the docker program and returns what it printed; it fails the
// test with the program's own words.
func Docker(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command("docker", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// Image imports the stand-in's image and returns its name.
func Image(t testing.TB) string {
	t.Helper()
	name := UniqueName("fraktalia-test-sandbox")
	load := exec.Command("docker", "import", "--change", `ENTRYPOINT ["/server"]`, "-", name)
	load.Stdin = bytes.NewReader(archive(t, build(t)))
	if out, err := load.CombinedOutput(); err != nil {
		t.Fatalf("docker import: %v\n%s", err, out)
	}
	t.Cleanup(func() { exec.Command("docker", "rmi", "-f", name).Run() })
	return name
}

func build(t testing.TB) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "server")
	compile := exec.Command("go", "build", "-o", file, "github.com/githabideri/fraktalia/sandbox/sandboxtest/server")
	compile.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("compile the stand-in sandbox's server: %v\n%s", err, out)
	}
	program, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

func archive(t testing.TB, program []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	if err := w.WriteHeader(&tar.Header{Name: "server", Mode: 0o755, Size: int64(len(program))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(program); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Sandbox says how to start a stand-in.
type Sandbox struct {
	Image   string
	Name    string   // "" for a unique one
	Agent   string   // "" for the sandbox that all agents share
	Network string   // "" for the engine's default bridge
	Options []string // more options of docker run
	Listen  []string // addresses inside, e.g. ":9005"
}

// Start runs a stand-in with OpenClaw's labels and returns its id; it is
// removed when the test ends.
func Start(t testing.TB, s Sandbox) string {
	t.Helper()
	if s.Name == "" {
		s.Name = UniqueName("fraktalia-test")
	}
	key := "shared"
	if s.Agent != "" {
		key = "agent:" + s.Agent + ":workspace:00"
	}
	args := []string{"run", "-d", "--name", s.Name, "--label", "openclaw.sandbox=1", "--label", "openclaw.sessionKey=" + key}
	if s.Network != "" {
		args = append(args, "--network", s.Network)
	}
	args = append(append(append(args, s.Options...), s.Image), s.Listen...)
	id := Docker(t, args...)
	t.Cleanup(func() { exec.Command("docker", "rm", "-f", s.Name).Run() })
	return id
}
