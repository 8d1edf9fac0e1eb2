package store

import (
	"context"
	"time"

	"go.mau.fi/util/dbutil"
)

// Undecrypted is an event whose room key has not arrived yet.
type Undecrypted struct {
	EventID   string
	RoomID    string
	SessionID string
	// Event is the whole event as JSON.
	Event    string
	SentAt   time.Time
	StoredAt time.Time
	// Told says that people know of it.
	Told bool
}

const undecryptedColumns = "SELECT event_id, room_id, session_id, event, sent_at, stored_at, told FROM fraktalia_undecrypted "

var scanUndecrypted = dbutil.ConvertRowFn[Undecrypted](func(row dbutil.Scannable) (u Undecrypted, err error) {
	var sentAt, storedAt int64
	err = row.Scan(&u.EventID, &u.RoomID, &u.SessionID, &u.Event, &sentAt, &storedAt, &u.Told)
	u.SentAt, u.StoredAt = fromMillis(sentAt), fromMillis(storedAt)
	return u, err
})

// KeepUndecrypted remembers an event until its key comes.
func (s *Store) KeepUndecrypted(ctx context.Context, u Undecrypted) error {
	_, err := s.own.Exec(ctx, `INSERT INTO fraktalia_undecrypted (event_id, room_id, session_id, event, sent_at, stored_at)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (event_id) DO NOTHING`,
		u.EventID, u.RoomID, u.SessionID, u.Event, millis(u.SentAt), millis(time.Now()))
	return err
}

// UndecryptedOf lists the events that wait for one session; "" lists all.
func (s *Store) UndecryptedOf(ctx context.Context, sessionID string) ([]Undecrypted, error) {
	return scanUndecrypted.NewRowIter(s.own.Query(ctx,
		undecryptedColumns+"WHERE session_id=$1 OR $1='' ORDER BY stored_at", sessionID)).AsList()
}

// TellUndecrypted marks an event as told to people.
func (s *Store) TellUndecrypted(ctx context.Context, eventID string) error {
	_, err := s.own.Exec(ctx, "UPDATE fraktalia_undecrypted SET told=1 WHERE event_id=$1", eventID)
	return err
}

// ForgetUndecrypted removes an event: read, or too old to wait for.
func (s *Store) ForgetUndecrypted(ctx context.Context, eventID string) error {
	_, err := s.own.Exec(ctx, "DELETE FROM fraktalia_undecrypted WHERE event_id=$1", eventID)
	return err
}
