package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Killed at a step of a change, the file is the old one or the new one, and
// what was written is in the history and can be taken back.
func TestKilledWhileTheConfigurationChanges(t *testing.T) {
	t.Parallel() // it has a homeserver of its own
	s := newSolo(t, "clawcrash")
	path := clawFile(t, s.DataDir, clawHouse)
	changed := strings.Replace(clawHouse, "'4g'", "'8g'", 1)
	for i, c := range []struct {
		crash
		text string
	}{
		{crash{"journal.stored", true, 1}, changed}, {crash{"journal.begun", false, 0}, clawHouse}, {crash{"config.begun", false, 1}, clawHouse},
		{crash{"config.written", false, 1}, changed}, {crash{"command.done", false, 1}, changed}, {crash{"journal.ended", true, 1}, changed},
	} {
		must(t, os.WriteFile(path, []byte(clawHouse), 0o600))
		before := s.count(t, "SELECT count(*) FROM fraktalia_config_edit")
		c.done += before
		s.crash(t, c.crash, "!agent mox set sandbox.docker.memory 8g", "SELECT count(*) FROM fraktalia_config_edit")
		wantClaw(t, path, c.text)
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*.tmp")); len(left) > 0 {
			t.Errorf("%s left %v", c.at, left)
		}
		if c.text != changed {
			continue
		}
		s.start(t)
		number := s.count(t, "SELECT max(id) FROM fraktalia_config_edit")
		if out := say(t, s.admin, fmt.Sprintf("!config undo %d", number)); !out.OK {
			t.Errorf("case %d, %s: %s", i, c.at, out.Body)
		}
		wantClaw(t, path, clawHouse)
		must(t, s.Process.Stop(within(t)))
	}
}
