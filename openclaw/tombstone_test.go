package openclaw

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/openclaw/json5"
)

// The journal is the one that openclaw@2026.9.6 keeps in its state.
func TestTombstoned(t *testing.T) {
	path := filepath.Join(t.TempDir(), "openclaw.json")
	if buried, err := Tombstoned(t.Context(), path, "mox"); err != nil || buried {
		t.Errorf("without a state: %v %v", buried, err)
	}
	file := filepath.Join(filepath.Dir(path), "state", "openclaw.sqlite")
	if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite3", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, step := range []struct {
		does   string
		buried bool
	}{
		{"PRAGMA journal_mode=WAL", false},
		{"CREATE TABLE agent_deletion_journal (agent_id TEXT PRIMARY KEY, agent_dir TEXT, database_paths_json TEXT, cleanup_completed INTEGER, delete_files INTEGER)", false},
		{"INSERT INTO agent_deletion_journal VALUES ('mox', '/x', '[]', 1, 0)", true},
		{"DELETE FROM agent_deletion_journal", false},
	} {
		if _, err := db.Exec(step.does); err != nil {
			t.Fatal(err)
		}
		if buried, err := Tombstoned(t.Context(), path, "mox"); err != nil || buried != step.buried {
			t.Errorf("after %s: %v %v", step.does, buried, err)
		}
	}
}

// An account that joins nothing by itself joins the one room, and rooms to which
// nobody is bound are found and dropped.
func TestJoinAndUnboundRooms(t *testing.T) {
	config := configOf(t, "{ agents: { entries: { mox: {} } }, channels: { matrix: { autoJoin: 'off', groups: { '!old:h': {}, '#alias:h': {} } } } }\n")
	if rooms := config.UnboundRooms(); len(rooms) > 0 {
		t.Errorf("one agent for all rooms: %v", rooms)
	}
	bound := applied(t, config, Bind(BindRoom{AgentID: "mox", Room: "!new:h", Join: true, Settings: []json5.Member{{Key: "autoReply", Value: json5.BoolValue(true)}}}))
	text := string(bound.Document().Bytes())
	for _, want := range []string{"autoJoin: 'allowlist'", "autoJoinAllowlist: ['!new:h']", "'!new:h': { enabled: true, autoReply: true }"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	if rooms := bound.UnboundRooms(); len(rooms) != 1 || rooms[0] != "!old:h" {
		t.Errorf("unbound are %v", rooms)
	}
	if after := applied(t, bound, DropRooms("!old:h")); len(after.UnboundRooms()) > 0 || !strings.Contains(string(after.Document().Bytes()), "#alias:h") {
		t.Errorf("%s", after.Document().Bytes())
	}
}
