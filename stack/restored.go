package stack

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	_ "github.com/mattn/go-sqlite3" // Synapse's database is a SQLite file
)

// WithDatabase are the files and folders of a data folder, relative to it, that
// belong to Synapse's database as it is there and mean nothing to another that comes
// in its place. What is left of an upgrade that was interrupted is one of them: the
// next start would put that database back.
func WithDatabase() (paths []string) {
	before := layout{}.before()
	for _, name := range before.Names[1:] {
		paths = append(paths, filepath.Join(before.Of, name))
	}
	return append(paths, before.Traces()...)
}

// ForgetOneTimeKeys makes Synapse's database fit for a start after it, or the
// bot's, was put back from a copy; nothing may run on it. One-time keys in it may
// have been given out after the copy was made, and a device throws its half of a
// key away with the first message; or the bot does not know the newest of its own.
// Given out (again), they would let a new device speak to people who cannot read
// it. Without any, all devices upload new ones at once, as they do whenever the
// server has few (Matrix client-server API, device_one_time_keys_count in /sync).
// Where there is no such database nothing is done.
func ForgetOneTimeKeys(ctx context.Context, data string) (err error) {
	path := filepath.Join(data, "synapse", "homeserver.db")
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	db, err := sql.Open("sqlite3", (&url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: "mode=rw&_busy_timeout=10000"}).String())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, "DELETE FROM e2e_one_time_keys_json"); err != nil {
		return fmt.Errorf("forget the one-time keys in %s: %w", path, err)
	}
	return nil
}
