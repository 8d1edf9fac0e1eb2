package harness

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
)

// Count asks the program's own database for one number.
func (d *Deployment) Count(ctx context.Context, query string, args ...any) (n int, err error) {
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(d.DataDir, "fraktalia.db")+"?mode=ro&_busy_timeout=10000")
	if err != nil {
		return 0, fmt.Errorf("open the program's database: %w", err)
	}
	defer db.Close()
	if err := db.QueryRowContext(ctx, query, args...).Scan(&n); err != nil {
		return 0, fmt.Errorf("%s: %w", query, err)
	}
	return n, nil
}

// Exec changes the program's own database, which must not run meanwhile.
func (d *Deployment) Exec(ctx context.Context, query string, args ...any) error {
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(d.DataDir, "fraktalia.db")+"?_busy_timeout=10000")
	if err != nil {
		return fmt.Errorf("open the program's database: %w", err)
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, query, args...); err != nil {
		return fmt.Errorf("%s: %w", query, err)
	}
	return nil
}

// StoredEvent is an event as the homeserver keeps it: what anybody with its
// disk can read.
type StoredEvent struct {
	Room, Type, Sender, JSON string
	State                    bool
}

// StoredEvents reads every event of sender out of Synapse's own database.
func (d *Deployment) StoredEvents(ctx context.Context, sender string) ([]StoredEvent, error) {
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(d.DataDir, "synapse", "homeserver.db")+"?mode=ro&_busy_timeout=10000")
	if err != nil {
		return nil, fmt.Errorf("open Synapse's database: %w", err)
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, `SELECT e.room_id, e.type, e.sender, j.json, e.state_key IS NOT NULL
		FROM events e JOIN event_json j USING (event_id) WHERE e.sender = ?`, sender)
	if err != nil {
		return nil, fmt.Errorf("read Synapse's database: %w", err)
	}
	defer rows.Close()
	var events []StoredEvent
	for rows.Next() {
		var e StoredEvent
		if err := rows.Scan(&e.Room, &e.Type, &e.Sender, &e.JSON, &e.State); err != nil {
			return nil, fmt.Errorf("read Synapse's database: %w", err)
		}
		events = append(events, e)
	}
	return events, rows.Err()
}

// CountAccounts counts the accounts whose ids begin so in Synapse's own
// database.
func (d *Deployment) CountAccounts(ctx context.Context, begin string) (n int, err error) {
	return d.CountHomeserver(ctx, "SELECT count(*) FROM users WHERE name LIKE ? || '%'", begin)
}

// CountHomeserver asks Synapse's own database for one number.
func (d *Deployment) CountHomeserver(ctx context.Context, query string, args ...any) (n int, err error) {
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(d.DataDir, "synapse", "homeserver.db")+"?mode=ro&_busy_timeout=10000")
	if err != nil {
		return 0, fmt.Errorf("open Synapse's database: %w", err)
	}
	defer db.Close()
	if err := db.QueryRowContext(ctx, query, args...).Scan(&n); err != nil {
		return 0, fmt.Errorf("read Synapse's database: %w", err)
	}
	return n, nil
}

// CountRooms counts the rooms with this id that Synapse has.
func (d *Deployment) CountRooms(ctx context.Context, id string) (n int, err error) {
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(d.DataDir, "synapse", "homeserver.db")+"?mode=ro&_busy_timeout=10000")
	if err != nil {
		return 0, fmt.Errorf("open Synapse's database: %w", err)
	}
	defer db.Close()
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM rooms WHERE room_id=?", id).Scan(&n); err != nil {
		return 0, fmt.Errorf("read Synapse's database: %w", err)
	}
	return n, nil
}

// ExecHomeserver changes Synapse's own database, which must not run meanwhile.
func (d *Deployment) ExecHomeserver(ctx context.Context, query string, args ...any) error {
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(d.DataDir, "synapse", "homeserver.db")+"?_busy_timeout=10000")
	if err != nil {
		return fmt.Errorf("open Synapse's database: %w", err)
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, query, args...); err != nil {
		return fmt.Errorf("%s: %w", query, err)
	}
	return nil
}
