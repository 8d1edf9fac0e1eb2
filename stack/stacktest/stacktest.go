// Package stacktest gives tests a real Synapse: the pinned release, installed
// once into the user's cache folder, on a free port of this machine, in a
// folder that goes with the test. It will not pretend: where Synapse cannot be
// installed the test fails and says why.
package stacktest

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"

	"github.com/githabideri/fraktalia/stack"
)

// Server is a running homeserver.
type Server struct {
	Address      string // e.g. "http://127.0.0.1:41233"
	ServerName   string
	SharedSecret string // makes accounts
	Data         string // the data folder
}

// Link puts the shared installation, made on first use, into a data folder, so
// that bringing up a homeserver there downloads nothing.
func Link(t testing.TB, data string) {
	t.Helper()
	cache := stack.DefaultCache()
	if cache == "" {
		t.Fatal("there is no cache folder for Synapse: HOME is not set")
	}
	if err := stack.Install(t.Context(), cache, "", func(stack.Event) {}); err != nil {
		t.Fatalf("Synapse for tests cannot be installed: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(data, "synapse"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(cache, filepath.Join(data, "synapse", "venv")); err != nil {
		t.Fatal(err)
	}
}

// Start brings up a homeserver and stops it when the test ends. extra is YAML
// that overrides its configuration; "" for none.
func Start(t testing.TB, extra string) *Server {
	t.Helper()
	data := Folder(t)
	Link(t, data)
	if extra != "" {
		if err := os.WriteFile(filepath.Join(data, "synapse", "homeserver.local.yaml"), []byte(extra), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := stack.New(stack.Options{Data: data, Listen: "127.0.0.1:0", ServerName: "test.example", Log: Quiet()})
	if err := s.Prepare(t.Context()); err != nil {
		t.Fatalf("prepare Synapse: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatalf("start Synapse: %v", err)
	}
	secret, err := os.ReadFile(s.SecretFile())
	if err != nil {
		t.Fatal(err)
	}
	return &Server{Address: s.Address(), ServerName: s.ServerName(), SharedSecret: strings.TrimSpace(string(secret)), Data: data}
}

// Folder is a fresh data folder, in memory where the machine has /dev/shm:
// a database on a busy disk makes tests slow.
func Folder(t testing.TB) string {
	t.Helper()
	base := ""
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		base = "/dev/shm"
	}
	data, err := os.MkdirTemp(base, "fraktalia-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(data) })
	return data
}

// Quiet is a log that nobody reads.
func Quiet() *logrus.Entry {
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	return logrus.NewEntry(logger)
}
