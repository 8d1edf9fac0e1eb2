package store

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
)

// CopyDatabase writes a SQLite database to a new file while others read and
// write it: what is in the copy was there at one moment. Errors: fs.ErrNotExist
// where there is no such database.
func CopyDatabase(ctx context.Context, from, to string) error {
	if _, err := os.Stat(from); err != nil {
		return err
	}
	db, err := sql.Open("sqlite3", (&url.URL{Scheme: "file", Opaque: url.PathEscape(from), RawQuery: "mode=ro&_busy_timeout=10000"}).String())
	if err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	defer db.Close()
	// The copy is made with the process's own mask; it holds what people write.
	if err := os.WriteFile(to, nil, 0o600); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", to); err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	return nil
}
