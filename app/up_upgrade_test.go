package app

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"

	"github.com/githabideri/fraktalia/openclaw/programs"
)

// earlierRelease is a data folder that works with another release of OpenClaw
// than the pinned one, whose programs are there.
func earlierRelease(t *testing.T) *localClaw {
	t.Helper()
	folder, data := filepath.Join(t.TempDir(), "openclaw-2026.9.5"), t.TempDir()
	about := filepath.Join(folder, "node_modules", "openclaw", "package.json")
	state := filepath.Join(data, "openclaw", "state")
	err := errors.Join(os.MkdirAll(filepath.Dir(about), 0o700), os.MkdirAll(state, 0o700), os.WriteFile(about, []byte(`{"version": "2026.9.5"}`), 0o600),
		os.WriteFile(filepath.Join(folder, "fraktalia-complete"), nil, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite3", filepath.Join(state, "openclaw.sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	record := fmt.Sprintf(`{"index": {"installRecords": {"matrix": {"installPath": %q}}}}`, filepath.Join(folder, "seed", "npm", "matrix"))
	_, err = db.Exec("CREATE TABLE config_machine_state (state_key TEXT, value_json TEXT); INSERT INTO config_machine_state VALUES ('plugins.installedIndex', ?)", record)
	if err != nil {
		t.Fatal(err)
	}
	log, _ := test.NewNullLogger()
	return &localClaw{data: data, whole: true, log: logrus.NewEntry(log), screen: newScreen(io.Discard)}
}

// A newer release that cannot be brought is always told of, whatever hinders it:
// no npm, or a cache folder that is not to be written to, as in a unit with the
// home read-only. The earlier one goes on; where there is none, that ends the start.
func TestWhatIsNotFetchedIsTold(t *testing.T) {
	readOnly := t.TempDir()
	if err := os.WriteFile(filepath.Join(readOnly, "fraktalia"), nil, 0o400); err != nil { // root may write to any folder
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ cache, path, want string }{
		"no folder": {readOnly, os.Getenv("PATH"), "OpenClaw " + programs.OpenClawVersion + " could not be put into " + filepath.Join(readOnly, "fraktalia", "openclaw-"+programs.OpenClawVersion) + ": not a directory."},
		"no npm":    {t.TempDir(), t.TempDir(), "OpenClaw comes from npm, which was not found."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("XDG_CACHE_HOME", test.cache)
			t.Setenv("PATH", test.path)
			c := earlierRelease(t)
			if err := c.fetch(t.Context()); err != nil {
				t.Fatalf("the earlier release does not go on: %v", err)
			}
			if c.programs.Version() != "2026.9.5" || c.unfetched == nil || !strings.HasPrefix(c.unfetched.Error(), test.want) {
				t.Errorf("%s goes on, and is told: %v", c.programs.Version(), c.unfetched)
			}
			t.Setenv("PATH", test.path) // the earlier one is in it now
			first := &localClaw{data: t.TempDir(), log: c.log, screen: c.screen}
			h := &homestead{log: c.log, claw: first}
			var told *exitError
			if err := h.stopped(first.fetch(t.Context())); !errors.As(err, &told) || !strings.HasPrefix(told.text, test.want) {
				t.Errorf("a first start ends with %v", err)
			}
		})
	}
}
