package store

import (
	"context"
	"strings"
	"time"

	"go.mau.fi/util/dbutil"
)

// Guest is somebody who is being given access, until they are in their rooms.
type Guest struct {
	UserID string
	// Party names the command that adds them: those of one list are told of together.
	Party   string
	AddedBy string
	BegunAt time.Time
	Rooms   []string
	// Token names the registration token that they were given, without being it;
	// "" for somebody whose account was made for them.
	Token      string
	TokenUntil time.Time
	// ShownAt is when their card was shown; until then nobody has their password.
	ShownAt time.Time
	// SeenAt is when they had logged in, JoinedAt when they were in all rooms.
	SeenAt, JoinedAt time.Time
	// Told is what of this people have been told.
	Told string
	// Notice is the message that tells it.
	Notice string
}

const guestColumns = "SELECT user_id, party, added_by, begun_at, rooms, token, token_until, shown_at, seen_at, joined_at, told, notice FROM fraktalia_guest "

var scanGuest = dbutil.ConvertRowFn[Guest](func(row dbutil.Scannable) (g Guest, err error) {
	var begun, until, shown, seen, joined int64
	var rooms string
	err = row.Scan(&g.UserID, &g.Party, &g.AddedBy, &begun, &rooms, &g.Token, &until, &shown, &seen, &joined, &g.Told, &g.Notice)
	g.BegunAt, g.TokenUntil, g.ShownAt, g.SeenAt, g.JoinedAt = fromMillis(begun), fromMillis(until), fromMillis(shown), fromMillis(seen), fromMillis(joined)
	g.Rooms = strings.Fields(rooms)
	return g, err
})

// SaveGuest writes a guest down; an earlier record of theirs is replaced.
func (s *Store) SaveGuest(ctx context.Context, g Guest) error {
	_, err := s.own.Exec(ctx, `INSERT INTO fraktalia_guest
		(user_id, party, added_by, begun_at, rooms, token, token_until, shown_at, seen_at, joined_at, told, notice)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (user_id) DO UPDATE SET
		party=excluded.party, added_by=excluded.added_by, begun_at=excluded.begun_at, rooms=excluded.rooms, token=excluded.token,
		token_until=excluded.token_until, shown_at=excluded.shown_at, seen_at=excluded.seen_at, joined_at=excluded.joined_at,
		told=excluded.told, notice=excluded.notice`,
		g.UserID, g.Party, g.AddedBy, stamp(g.BegunAt), strings.Join(g.Rooms, " "), g.Token, stamp(g.TokenUntil),
		stamp(g.ShownAt), stamp(g.SeenAt), stamp(g.JoinedAt), g.Told, g.Notice)
	return err
}

// stamp is a time as it is stored: 0 for none.
func stamp(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return millis(t)
}

// GuestOf finds a guest; ok is false where there is none.
func (s *Store) GuestOf(ctx context.Context, userID string) (g Guest, ok bool, err error) {
	list, err := scanGuest.NewRowIter(s.own.Query(ctx, guestColumns+"WHERE user_id=$1", userID)).AsList()
	if err != nil || len(list) == 0 {
		return Guest{}, false, err
	}
	return list[0], true, nil
}

// Guests lists all guests, the first who were begun first.
func (s *Store) Guests(ctx context.Context) ([]Guest, error) {
	return scanGuest.NewRowIter(s.own.Query(ctx, guestColumns+"ORDER BY begun_at, user_id")).AsList()
}

// ShowGuests notes that the cards of guests were shown.
func (s *Store) ShowGuests(ctx context.Context, userIDs []string, at time.Time) error {
	return s.InTransaction(ctx, func(ctx context.Context) error {
		for _, user := range userIDs {
			if _, err := s.own.Exec(ctx, "UPDATE fraktalia_guest SET shown_at=$1 WHERE user_id=$2", millis(at), user); err != nil {
				return err
			}
		}
		return nil
	})
}

// Arrive notes when a guest had logged in and when they were in their rooms,
// zero for not yet. One whose record is gone stays gone.
func (s *Store) Arrive(ctx context.Context, userID string, seen, joined time.Time) error {
	_, err := s.own.Exec(ctx, "UPDATE fraktalia_guest SET seen_at=$1, joined_at=$2 WHERE user_id=$3", stamp(seen), stamp(joined), userID)
	return err
}

// ForgetGuest removes the record of a guest: they are in, or gone.
func (s *Store) ForgetGuest(ctx context.Context, userID string) error {
	_, err := s.own.Exec(ctx, "DELETE FROM fraktalia_guest WHERE user_id=$1", userID)
	return err
}

// People lists those to whom the program gave an account.
func (s *Store) People(ctx context.Context) ([]Person, error) {
	scan := dbutil.ConvertRowFn[Person](func(row dbutil.Scannable) (p Person, err error) {
		var addedAt int64
		err = row.Scan(&p.UserID, &p.AddedBy, &addedAt)
		p.AddedAt = fromMillis(addedAt)
		return p, err
	})
	return scan.NewRowIter(s.own.Query(ctx, "SELECT user_id, added_by, added_at FROM fraktalia_person ORDER BY added_at, user_id")).AsList()
}

// ForgetPerson removes the record of an account that is closed.
func (s *Store) ForgetPerson(ctx context.Context, userID string) error {
	_, err := s.own.Exec(ctx, "DELETE FROM fraktalia_person WHERE user_id=$1", userID)
	return err
}

// Vanish brings the end of all messages about a subject forward to now.
func (s *Store) Vanish(ctx context.Context, subject string) error {
	_, err := s.own.Exec(ctx, "UPDATE fraktalia_redaction SET due_at=0 WHERE subject=$1 AND subject<>''", subject)
	return err
}

// TellParty notes what was told of the guests of one command, and by which
// message.
func (s *Store) TellParty(ctx context.Context, party, told, notice string) error {
	_, err := s.own.Exec(ctx, "UPDATE fraktalia_guest SET told=$1, notice=$2 WHERE party=$3", told, notice, party)
	return err
}
