package openclaw

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	_ "github.com/mattn/go-sqlite3" // OpenClaw's state is a SQLite file
)

// Tombstoned says whether OpenClaw's own `agents delete` has removed an agent of that id, by the state beside the
// configuration at path. Such an id takes no edit of the file: OpenClaw does not run the agent until its own
// `agents add` has made it. Where there is no such record, nothing is known, and the answer is no.
func Tombstoned(ctx context.Context, path, id string) (bool, error) {
	file := filepath.Join(filepath.Dir(path), "state", "openclaw.sqlite")
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	uri := (&url.URL{Scheme: "file", Opaque: url.PathEscape(file), RawQuery: "mode=ro&_busy_timeout=2000"}).String()
	db, err := sql.Open("sqlite3", uri)
	if err != nil {
		return false, fmt.Errorf("read OpenClaw's state: %w", err)
	}
	defer db.Close() //nolint:errcheck // it was only read
	var tables int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master WHERE name='agent_deletion_journal'").Scan(&tables); err != nil || tables == 0 {
		return false, unread(err)
	}
	var stones int
	err = db.QueryRowContext(ctx, "SELECT count(*) FROM agent_deletion_journal WHERE agent_id=?", id).Scan(&stones)
	return stones > 0, unread(err)
}

func unread(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("read OpenClaw's state: %w", err)
}
