// Package store keeps the program's own record in one SQLite file: the journal
// of commands, forwards, people, builds and a few settings. It holds tables,
// upgrades and queries, and no policy. The Matrix library keeps its keys and
// room state in the same file, so that a sync token and what came with it are
// one transaction.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"go.mau.fi/util/dbutil"
	// The driver "sqlite3-fk-wal": foreign keys, write-ahead log. Its
	// synchronous=NORMAL may lose the last commits when the machine loses
	// power; the bot then meets its own marks on the server and runs nothing
	// twice (issue 3, "a restored older database").
	_ "go.mau.fi/util/dbutil/litestream"
)

//go:embed upgrades/*.sql
var upgradeFiles embed.FS

// Store is the open database.
type Store struct {
	// DB is the whole file, for the Matrix library's own tables.
	DB *dbutil.Database
	// own is the part with our tables and their version.
	own *dbutil.Database
}

// ErrTooNew says that the file was written by a newer program.
var ErrTooNew = errors.New("the database was written by a newer version of this program")

// Open opens the file at path, makes it where it is missing (mode 0600) and
// upgrades it. A file of a newer program is refused with ErrTooNew.
func Open(ctx context.Context, path string) (*Store, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	file.Close()
	uri := (&url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: "_txlock=immediate&_secure_delete=on"}).String()
	db, err := dbutil.NewWithDialect(uri, "sqlite3-fk-wal")
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	s := &Store{DB: db, own: db.Child("fraktalia_version", upgrades(), nil)}
	if err := s.own.Upgrade(ctx); err != nil {
		db.Close()
		if errors.Is(err, dbutil.ErrUnsupportedDatabaseVersion) {
			return nil, fmt.Errorf("%w: %s", ErrTooNew, path)
		}
		return nil, fmt.Errorf("upgrade database %s: %w", path, err)
	}
	// Killed before it emptied the log, the program left legible what it had
	// hidden. Somebody else's reader may be in the way; that is no reason not to
	// start, and the next line with a secret in it empties the log, too.
	_ = s.EmptyLog(ctx)
	return s, nil
}

func upgrades() dbutil.UpgradeTable {
	return dbutil.BuildUpgradeTable().WithFSPath(upgradeFiles, "upgrades").Finish()
}

// Close closes the file.
func (s *Store) Close() error { return s.DB.Close() }

// InTransaction runs do so that all its writes happen or none.
func (s *Store) InTransaction(ctx context.Context, do func(context.Context) error) error {
	return s.own.DoTxn(ctx, nil, do)
}

// EmptyLog moves what was written into the file and empties the write-ahead
// log, in which values stay legible that were written over since. In the file
// itself SQLite writes zeros over them (secure_delete).
func (s *Store) EmptyLog(ctx context.Context) error {
	var busy, inLog, moved int
	err := s.own.QueryRow(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &inLog, &moved)
	if err == nil && busy != 0 {
		err = errors.New("somebody reads the database all the time")
	}
	if err != nil {
		return fmt.Errorf("empty the write-ahead log: %w", err)
	}
	return nil
}

// Setting reads a named value; "" where there is none.
func (s *Store) Setting(ctx context.Context, key string) (string, error) {
	var value string
	err := s.own.QueryRow(ctx, "SELECT value FROM fraktalia_setting WHERE key=$1", key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return value, err
}

// SetSetting writes a named value.
func (s *Store) SetSetting(ctx context.Context, key, value string) error {
	_, err := s.own.Exec(ctx, `INSERT INTO fraktalia_setting (key, value) VALUES ($1, $2)
		ON CONFLICT (key) DO UPDATE SET value=excluded.value`, key, value)
	return err
}

// Version is the number of the newest upgrade that the file has.
func (s *Store) Version(ctx context.Context) (int, error) {
	var version int
	err := s.own.QueryRow(ctx, "SELECT version FROM fraktalia_version").Scan(&version)
	return version, err
}

func millis(t time.Time) int64 { return t.UnixMilli() }

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
