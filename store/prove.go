package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"

	// The driver "sqlite3", which changes nothing of a file that it opens for
	// reading; the one of Open sets the write-ahead log up.
	_ "github.com/mattn/go-sqlite3"
	"go.mau.fi/util/dbutil"
)

// Standing is what was found of a database file.
type Standing struct {
	Version int
	Newest  int      // the version that this program makes of it
	Size    int64    // bytes
	Log     int64    // bytes of the write-ahead log beside it
	Damage  []string // what is wrong inside; none where it is whole
	Device  string   // the bot's, whose keys are in it; "" where it never logged in
}

// mostDamage bounds what is told of a damaged file.
const mostDamage = 3

// Inspect reads the file at path through, whoever has it open, and changes
// nothing.
func Inspect(ctx context.Context, path string) (s Standing, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return s, fmt.Errorf("inspect the database: %w", err)
	}
	s.Size, s.Newest = info.Size(), len(upgrades())
	if log, err := os.Stat(path + "-wal"); err == nil {
		s.Log = log.Size()
	}
	db, err := sql.Open("sqlite3", (&url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: "mode=ro&_busy_timeout=5000"}).String())
	if err != nil {
		return s, fmt.Errorf("inspect the database: %w", err)
	}
	defer db.Close()
	if s.Damage, err = damage(ctx, db); err != nil {
		return s, fmt.Errorf("inspect the database: %w", err)
	}
	if len(s.Damage) == 0 {
		err = db.QueryRowContext(ctx, "SELECT version FROM fraktalia_version").Scan(&s.Version)
		_ = db.QueryRowContext(ctx, "SELECT device_id FROM crypto_account").Scan(&s.Device) // no row, or no table yet
	}
	return s, err
}

// damage has SQLite look at every page and every index.
func damage(ctx context.Context, db *sql.DB) ([]string, error) {
	scan := dbutil.ConvertRowFn[string](func(row dbutil.Scannable) (line string, err error) { return line, row.Scan(&line) })
	rows, err := db.QueryContext(ctx, fmt.Sprintf("PRAGMA integrity_check(%d)", mostDamage))
	if err != nil {
		return nil, err
	}
	list, err := scan.NewRowIter(rows, nil).AsList()
	if err == nil && len(list) == 1 && list[0] == "ok" {
		return nil, nil
	}
	return list, err
}

// ErrLostWrite says that what was written is not what is read.
var ErrLostWrite = errors.New("what was written is not what is read")

// ProveWrite writes a value and reads it back, in a transaction that is kept.
func (s *Store) ProveWrite(ctx context.Context, value string) error {
	const key = "doctor"
	return s.InTransaction(ctx, func(ctx context.Context) error {
		if err := s.SetSetting(ctx, key, value); err != nil {
			return err
		}
		read, err := s.Setting(ctx, key)
		if err == nil && read != value {
			err = ErrLostWrite
		}
		return err
	})
}
