package store

import (
	"context"
	"time"

	"go.mau.fi/util/dbutil"
)

// Permission is what an account may do without asking, limited in time or number.
type Permission struct {
	ID         int64
	UserID     string
	Capability string
	// Scope narrows it, e.g. to ports "9000-9009"; "" is as wide as a proposal may be.
	Scope string
	// Until is when it ends; zero where its number bounds it.
	Until time.Time
	// UsesLeft is how often it may still be used; negative is not bounded.
	UsesLeft int
	GivenBy  string
	GivenAt  time.Time
}

var scanPermission = dbutil.ConvertRowFn[Permission](func(row dbutil.Scannable) (p Permission, err error) {
	var until, givenAt int64
	err = row.Scan(&p.ID, &p.UserID, &p.Capability, &p.Scope, &until, &p.UsesLeft, &p.GivenBy, &givenAt)
	p.Until, p.GivenAt = fromMillis(until), fromMillis(givenAt)
	return p, err
})

// SavePermission records a new permission and returns its number.
func (s *Store) SavePermission(ctx context.Context, p Permission) (int64, error) {
	var until int64
	if !p.Until.IsZero() {
		until = millis(p.Until)
	}
	result, err := s.own.Exec(ctx, `INSERT INTO fraktalia_permission (user_id, capability, scope, until, uses_left, given_by, given_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, p.UserID, p.Capability, p.Scope, until, p.UsesLeft, p.GivenBy, millis(p.GivenAt))
	if err != nil {
		return 0, err
	}
	return result.LastInsertId()
}

// Permissions lists those that are in force, and forgets those that have ended.
func (s *Store) Permissions(ctx context.Context, now time.Time) ([]Permission, error) {
	if _, err := s.own.Exec(ctx, "DELETE FROM fraktalia_permission WHERE (until<>0 AND until<=$1) OR uses_left=0", millis(now)); err != nil {
		return nil, err
	}
	return scanPermission.NewRowIter(s.own.Query(ctx,
		"SELECT id, user_id, capability, scope, until, uses_left, given_by, given_at FROM fraktalia_permission ORDER BY id")).AsList()
}

// UsePermission takes one use of a permission; false says that it is not in
// force any more.
func (s *Store) UsePermission(ctx context.Context, id int64, now time.Time) (bool, error) {
	return changedOne(s.own.Exec(ctx, `UPDATE fraktalia_permission SET uses_left=uses_left-(uses_left>0)
		WHERE id=$1 AND uses_left<>0 AND (until=0 OR until>$2)`, id, millis(now)))
}

// DeletePermission takes a permission; false says that there was none.
func (s *Store) DeletePermission(ctx context.Context, id int64) (bool, error) {
	return changedOne(s.own.Exec(ctx, "DELETE FROM fraktalia_permission WHERE id=$1", id))
}
