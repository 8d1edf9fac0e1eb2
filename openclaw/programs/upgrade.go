package programs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	_ "github.com/mattn/go-sqlite3" // OpenClaw's state is a SQLite file
)

// Of is the installation that a state folder of OpenClaw works with, by the
// record of its Matrix plugin; false where that is of none of ours. Nobody may
// write to the folder meanwhile.
func Of(ctx context.Context, state string) (Programs, bool, error) {
	record, err := pluginRecord(ctx, state)
	if err != nil || record == nil {
		return Programs{}, false, err
	}
	var matrix struct {
		InstallPath string `json:"installPath"`
	}
	if err := json.Unmarshal(record, &matrix); err != nil {
		return Programs{}, false, fmt.Errorf("read the record of OpenClaw's Matrix plugin: %w", err)
	}
	dir, _, ours := strings.Cut(matrix.InstallPath, string(filepath.Separator)+"seed"+string(filepath.Separator))
	return Programs{dir: dir}, ours, nil
}

// Take has a state folder of OpenClaw work with the plugin that is installed
// here; all else in it, OpenClaw itself brings up to date when it starts.
func (p Programs) Take(ctx context.Context, state string) error {
	record, err := pluginRecord(ctx, p.seed())
	if err != nil {
		return err
	}
	if record == nil {
		return fmt.Errorf("no record of the Matrix plugin in %s", p.seed())
	}
	db, err := openState(state, "rw")
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // a failed commit is told
	_, err = db.ExecContext(ctx, "UPDATE config_machine_state SET value_json = json_set(value_json, '$.index.installRecords.matrix', json(?)) WHERE state_key = ?", string(record), indexKey)
	if err != nil {
		return fmt.Errorf("record OpenClaw's Matrix plugin: %w", err)
	}
	return nil
}

// Dir is the folder of the installation.
func (p Programs) Dir() string { return p.dir }

// Version is the release of OpenClaw that is installed; "" where none is complete.
func (p Programs) Version() string {
	text, err := os.ReadFile(filepath.Join(filepath.Dir(p.OpenClaw()), "package.json"))
	if _, incomplete := os.Stat(filepath.Join(p.dir, stampName)); err != nil || incomplete != nil {
		return ""
	}
	var about struct{ Version string }
	if json.Unmarshal(text, &about) != nil {
		return ""
	}
	return about.Version
}

// indexKey is where OpenClaw keeps its record of plugins.
const indexKey = "plugins.installedIndex"

// pluginRecord reads what a state folder knows of the Matrix plugin's
// installation; nil where it knows of none.
func pluginRecord(ctx context.Context, state string) (json.RawMessage, error) {
	if _, err := os.Stat(stateFile(state)); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	db, err := openState(state, "rw") // a file in WAL mode cannot be read without writing beside it
	if err != nil {
		return nil, err
	}
	defer db.Close() //nolint:errcheck // it was only read
	var record sql.NullString
	err = db.QueryRowContext(ctx, "SELECT json_extract(value_json, '$.index.installRecords.matrix') FROM config_machine_state WHERE state_key = ?", indexKey).Scan(&record)
	switch {
	case errors.Is(err, sql.ErrNoRows) || err == nil && !record.Valid:
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read the record of OpenClaw's plugins in %s: %w", state, err)
	}
	return json.RawMessage(record.String), nil
}

func stateFile(state string) string { return filepath.Join(state, "state", "openclaw.sqlite") }

func openState(state, mode string) (*sql.DB, error) {
	uri := (&url.URL{Scheme: "file", Opaque: url.PathEscape(stateFile(state)), RawQuery: "mode=" + mode + "&_busy_timeout=2000"}).String()
	db, err := sql.Open("sqlite3", uri)
	if err != nil {
		return nil, fmt.Errorf("open OpenClaw's state: %w", err)
	}
	return db, nil
}
