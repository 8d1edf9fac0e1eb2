package shell

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"

	"github.com/githabideri/fraktalia/openclaw"
)

// run runs one line of the shell.
func run(t *testing.T, home string, args ...string) (out string, status int, err error) {
	t.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	checker := openclaw.NewChecker(t.TempDir(), func() (string, error) { return "", errors.New("no openclaw here") }, logrus.NewEntry(log))
	cmd := Command(func(name string) string { return map[string]string{"OPENCLAW_STATE_DIR": home}[name] }, checker)
	var stdout bytes.Buffer
	cmd.SetOut(&stdout)
	cmd.SetErr(io.Discard)
	cmd.SetArgs(args)
	err = cmd.ExecuteContext(context.Background())
	return stdout.String(), ExitStatus(err), err
}

func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const house = "// the house\n{\n  meta: {},\n  agents: {\n    entries: {\n      mox: { model: 'a/b', n: NaN }, // the first\n    },\n  },\n}\n"

func TestShell(t *testing.T) {
	for _, c := range []struct {
		name   string
		args   []string
		status int
		out    string // printed, or part of the error
		after  string // the file; empty: unchanged
	}{
		{"get a string", []string{"get", "agents.entries.mox.model"}, 0, "a/b\n", ""},
		{"get as JSON", []string{"get", "agents.entries.mox", "--json"}, 0, "{\n  \"model\": \"a/b\",\n  \"n\": null\n}\n", ""},
		{"get as it is written", []string{"get", "agents.entries.mox"}, 0, "{ model: 'a/b', n: NaN }\n", ""},
		{"get everything", []string{"get"}, 0, house, ""},
		{"get nothing", []string{"get", "agents.entries.mix"}, 1, "did you mean mox?", ""},
		{"set", []string{"set", "agents.entries.mox.model", "c/d"}, 0, "-      mox: { model: 'a/b', n: NaN }, // the first\n+      mox: { model: 'c/d', n: NaN }, // the first\n", strings.Replace(house, "a/b", "c/d", 1)},
		{"set a negative number", []string{"set", "agents.entries.mox.n", "-5"}, 0, "+      mox: { model: 'a/b', n: -5 }", strings.Replace(house, "NaN", "-5", 1)},
		{"set the same", []string{"set", "agents.entries.mox.model", "a/b"}, 0, "nothing to change\n", ""},
		{"dry run", []string{"set", "agents.entries.mox.model", "c/d", "--dry-run"}, 0, "c/d", ""},
		{"unset", []string{"unset", "agents.entries.mox.n"}, 0, "-", strings.Replace(house, ", n: NaN", "", 1)},
		{"unset what is not there", []string{"unset", "agents.entries.mox.m"}, 1, `no key "m"`, ""},
		{"an unknown top-level key", []string{"set", "agent.x", "1"}, 1, "did you mean agents?", ""},
		{"meta must stay", []string{"unset", "meta"}, 1, "puts its last good copy back", ""},
		{"validate", []string{"validate"}, 0, "only top-level keys", ""},
		{"no value", []string{"set", "a"}, 2, "usage: ", ""},
		{"no such flag", []string{"set", "a", "b", "--frob"}, 2, "--frob", ""},
		{"no such path", []string{"get", "a..b"}, 2, "not valid", ""},
		{"help", []string{"set", "--help"}, 0, "Set a value", ""},
		{"no such file", []string{"get", "--file", "/nonexistent/x.json"}, 1, "no such file", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			home := t.TempDir()
			path := write(t, home, "openclaw.json", house)
			out, status, err := run(t, home, c.args...)
			if err != nil {
				out += err.Error()
			}
			if status != c.status || !strings.Contains(out, c.out) {
				t.Errorf("status %d, want %d; printed %q (%v), want %q in it", status, c.status, out, err, c.out)
			}
			after, want := c.after, house
			if after != "" {
				want = after
			}
			if data, err := os.ReadFile(path); err != nil || string(data) != want {
				t.Errorf("the file holds %q (%v), want %q", data, err, want)
			}
		})
	}
}

// TestAnyJSON5File edits a file that is not OpenClaw's.
func TestAnyJSON5File(t *testing.T) {
	path := write(t, t.TempDir(), "other.json5", "{ zork: 1 } // c\n")
	if out, status, err := run(t, "", "set", "gnu.x", "[1, 'a']", "-f", path); status != 0 {
		t.Fatal(out, err)
	}
	if out, _, _ := run(t, "", "diff", "--file", path); !strings.Contains(out, "+{ zork: 1, gnu:") {
		t.Errorf("the difference is %q", out)
	}
	if out, status, _ := run(t, "", "validate", "--file", path); status != 0 || out != "valid JSON5\n" {
		t.Errorf("validate: %d %q", status, out)
	}
	write(t, filepath.Dir(path), "other.json5", "{ zork: 1\n gnu: 2 }")
	if _, status, err := run(t, "", "set", "a", "1", "--file", path); status != 1 || !strings.Contains(err.Error(), "line 2, column 2") {
		t.Errorf("a malformed file: %d %v", status, err)
	}
}
