package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"go.mau.fi/util/dbutil"
)

// Person is somebody to whom the program gave an account.
type Person struct {
	UserID  string
	AddedBy string
	AddedAt time.Time
}

// SavePerson records who was added by whom, and when.
func (s *Store) SavePerson(ctx context.Context, p Person) error {
	_, err := s.own.Exec(ctx, `INSERT INTO fraktalia_person (user_id, added_by, added_at) VALUES ($1, $2, $3)
		ON CONFLICT (user_id) DO UPDATE SET added_by=excluded.added_by, added_at=excluded.added_at`,
		p.UserID, p.AddedBy, millis(p.AddedAt))
	return err
}

// PersonOf finds the record of an account; ok is false where there is none.
func (s *Store) PersonOf(ctx context.Context, userID string) (p Person, ok bool, err error) {
	var addedAt int64
	err = s.own.QueryRow(ctx, "SELECT user_id, added_by, added_at FROM fraktalia_person WHERE user_id=$1", userID).
		Scan(&p.UserID, &p.AddedBy, &addedAt)
	if errors.Is(err, sql.ErrNoRows) {
		return p, false, nil
	}
	p.AddedAt = fromMillis(addedAt)
	return p, err == nil, err
}

// Redaction is a message of ours that shall vanish.
type Redaction struct {
	EventID string
	RoomID  string
	DueAt   time.Time
	// Subject is what the message is about: those about one thing vanish
	// together. "" for a message that is about nothing else.
	Subject string
}

// PlanRedaction remembers that a message shall vanish at its time. What is
// planned already stays as it is, but learns its subject: the plan may have
// been made from the server's echo, which does not tell that.
func (s *Store) PlanRedaction(ctx context.Context, r Redaction) error {
	_, err := s.own.Exec(ctx, `INSERT INTO fraktalia_redaction (event_id, room_id, due_at, subject) VALUES ($1, $2, $3, $4)
		ON CONFLICT (event_id) DO UPDATE SET subject=excluded.subject WHERE subject=''`, r.EventID, r.RoomID, millis(r.DueAt), r.Subject)
	return err
}

// Redactions lists what shall vanish, the soonest first.
func (s *Store) Redactions(ctx context.Context) ([]Redaction, error) {
	scan := dbutil.ConvertRowFn[Redaction](func(row dbutil.Scannable) (r Redaction, err error) {
		var dueAt int64
		err = row.Scan(&r.EventID, &r.RoomID, &dueAt, &r.Subject)
		r.DueAt = fromMillis(dueAt)
		return r, err
	})
	return scan.NewRowIter(s.own.Query(ctx, "SELECT event_id, room_id, due_at, subject FROM fraktalia_redaction ORDER BY due_at")).AsList()
}

// ForgetRedaction removes a message that has vanished.
func (s *Store) ForgetRedaction(ctx context.Context, eventID string) error {
	_, err := s.own.Exec(ctx, "DELETE FROM fraktalia_redaction WHERE event_id=$1", eventID)
	return err
}
