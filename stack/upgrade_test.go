package stack

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/mattn/go-sqlite3" // to look into Synapse's database

	"github.com/sirupsen/logrus"
)

// olderRelease is a Synapse before the pinned one.
const olderRelease = "1.160.0"

// olderSynapse is a real one, kept in the user's cache.
func olderSynapse(t *testing.T) string {
	t.Helper()
	venv := filepath.Join(filepath.Dir(DefaultCache()), "tests", "synapse-"+olderRelease)
	if works(t.Context(), venv) {
		return venv
	}
	interpreter, err := findPython(t.Context(), pythonNames()...)
	if err != nil {
		t.Fatal(err)
	}
	pins := strings.ReplaceAll(constraints, "matrix-synapse=="+SynapseVersion, "matrix-synapse=="+olderRelease)
	run := func(name string, args ...string) {
		t.Helper()
		if err := runTool(t.Context(), StepPackages, nil, name, args...); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.RemoveAll(venv), os.MkdirAll(filepath.Dir(venv), 0o700)); err != nil {
		t.Fatal(err)
	}
	run(interpreter.path, "-I", "-m", "venv", venv)
	list := filepath.Join(venv, "constraints.txt")
	if err := os.WriteFile(list, []byte(pins), 0o600); err != nil {
		t.Fatal(err)
	}
	run(filepath.Join(venv, "bin", "python"), "-I", "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--constraint", list, "matrix-synapse=="+olderRelease)
	if err := os.WriteFile(stampFile(venv), []byte("python "+interpreter.version+"\n"+pins), 0o600); err != nil {
		t.Fatal(err)
	}
	return venv
}

// oldHouse is a data folder that was run with the older Synapse.
func oldHouse(t *testing.T) (data string, options Options) {
	t.Helper()
	older := olderSynapse(t)
	if err := Install(t.Context(), DefaultCache(), "", func(Event) {}); err != nil {
		t.Fatal(err)
	}
	data = filepath.Join(t.TempDir(), "data")
	if err := os.MkdirAll(filepath.Join(data, "synapse"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(older, filepath.Join(data, "synapse", "venv")); err != nil {
		t.Fatal(err)
	}
	options = Options{Data: data, Listen: "127.0.0.1:0", ServerName: "test.example", Cache: DefaultCache(), Log: quiet()}
	offline := options
	offline.Cache = ""
	t.Setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
	t.Setenv("PIP_RETRIES", "0")
	s := run(t, offline)
	var install ErrInstall
	if u := s.Upgrade(); u == nil || u.From != olderRelease || u.To != SynapseVersion || !errors.As(u.Err, &install) {
		t.Errorf("no network for the newer one: %+v", u)
	}
	wantRelease(t, s, olderRelease)
	return data, options
}

func quiet() *logrus.Entry {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return logrus.NewEntry(log)
}

// run brings a stack up, and takes it down with the test.
func run(t *testing.T, options Options) *Stack {
	t.Helper()
	s := New(options)
	if err := s.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// wantRelease stops a stack after asking which Synapse it runs.
func wantRelease(t *testing.T, s *Stack, want string) {
	t.Helper()
	out, err := exec.Command(filepath.Join(s.venv, "bin", "python"), "-I", "-c", "import importlib.metadata; print(importlib.metadata.version('matrix-synapse'))").Output()
	if err != nil || strings.TrimSpace(string(out)) != want {
		t.Errorf("it runs %s, not %s: %v", out, want, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// query asks Synapse's database.
func query(t *testing.T, data, question string) (answer string) {
	t.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(data, "synapse", "homeserver.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(question).Scan(&answer); err != nil && !errors.Is(err, sql.ErrNoRows) {
		t.Fatal(err)
	}
	return answer
}

const schema = "SELECT version FROM schema_version"

// A newer Synapse comes beside the older one, goes on with its database, answers, and
// takes its place at the next start.
func TestSynapseIsUpgraded(t *testing.T) {
	data, options := oldHouse(t)
	s := run(t, options)
	if u := s.Upgrade(); u == nil || u.From != olderRelease || u.Err != nil {
		t.Errorf("%+v", u)
	}
	wantRelease(t, s, SynapseVersion)
	s = run(t, options)
	if s.Upgrade() != nil || s.venv != s.layout.venv() {
		t.Errorf("%+v, in %s", s.Upgrade(), s.venv)
	}
	wantRelease(t, s, SynapseVersion)
	for _, left := range []string{"venv-next", "before-upgrade"} {
		if _, err := os.Lstat(filepath.Join(data, "synapse", left)); !os.IsNotExist(err) {
			t.Errorf("%s: %v", left, err)
		}
	}
}

// A newer Synapse that comes to the database and does not come up is taken back,
// with what it did there; so is one that was killed at it.
func TestASynapseThatDoesNotComeUpIsTakenBack(t *testing.T) {
	data, options := oldHouse(t)
	before := query(t, data, schema)
	options.Cache = spoiled(t, data)
	s := run(t, options)
	var exited ErrExited
	if u := s.Upgrade(); u == nil || !errors.As(u.Err, &exited) || exited.Code != 7 {
		t.Errorf("%+v", u)
	}
	wantRelease(t, s, olderRelease)
	if after := query(t, data, schema); after != before || query(t, data, spoiledTable) != "" {
		t.Errorf("the database's version is %s, not %s, with %q", after, before, query(t, data, spoiledTable))
	}

	options.Cache = DefaultCache()
	if err := os.RemoveAll(s.layout.nextVenv()); err != nil {
		t.Fatal(err)
	}
	killed := New(options)
	if err := killed.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(killed.layout.before().Keep(), os.WriteFile(filepath.Join(data, "synapse", "homeserver.db"), []byte("half of it"), 0o600), killed.Close()); err != nil {
		t.Fatal(err)
	}
	s = run(t, options)
	if u := s.Upgrade(); u == nil || u.Err != nil {
		t.Errorf("%+v", u)
	}
	wantRelease(t, s, SynapseVersion)
}

const spoiledTable = "SELECT name FROM sqlite_master WHERE name = 'spoiled'"

// spoiled is an installation of the pinned Synapse that writes into the database
// and ends with status 7.
func spoiled(t *testing.T, data string) string {
	t.Helper()
	venv := filepath.Join(t.TempDir(), "spoiled")
	if err := Install(context.Background(), venv, DefaultCache(), func(Event) {}); err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(venv, "lib", "python*", "site-packages", "synapse", "app", "homeserver.py"))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	script := "import sqlite3, sys\ndb = sqlite3.connect('" + filepath.Join(data, "synapse", "homeserver.db") + "')\ndb.execute('CREATE TABLE spoiled (x)')\ndb.commit()\nsys.exit(7)\n"
	// It is a hard link into the real installation.
	if err := errors.Join(os.Remove(found[0]), os.WriteFile(found[0], []byte(script), 0o600)); err != nil {
		t.Fatal(err)
	}
	caches, _ := filepath.Glob(filepath.Join(filepath.Dir(found[0]), "__pycache__", "homeserver.*"))
	for _, cached := range caches {
		if err := os.Remove(cached); err != nil {
			t.Fatal(err)
		}
	}
	return venv
}
