package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"go.mau.fi/util/dbutil"
)

// Role is what an account that is no owner was given.
type Role struct {
	UserID string
	// Role is "agent" or "friend".
	Role string
	// Agent is the id of OpenClaw's agent behind the account; "" for friends.
	Agent   string
	GivenBy string
	GivenAt time.Time
}

const roleColumns = "SELECT user_id, role, agent, given_by, given_at FROM fraktalia_role "

func scanRole(row dbutil.Scannable) (r Role, err error) {
	var givenAt int64
	err = row.Scan(&r.UserID, &r.Role, &r.Agent, &r.GivenBy, &givenAt)
	r.GivenAt = fromMillis(givenAt)
	return r, err
}

// SaveRole gives an account its role, in place of the one it had.
func (s *Store) SaveRole(ctx context.Context, r Role) error {
	_, err := s.own.Exec(ctx, `INSERT INTO fraktalia_role (user_id, role, agent, given_by, given_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (user_id) DO UPDATE SET role=excluded.role, agent=excluded.agent, given_by=excluded.given_by, given_at=excluded.given_at`,
		r.UserID, r.Role, r.Agent, r.GivenBy, millis(r.GivenAt))
	return err
}

// DeleteRole takes an account's role and its standing permissions.
func (s *Store) DeleteRole(ctx context.Context, userID string) error {
	return s.InTransaction(ctx, func(ctx context.Context) error {
		if _, err := s.own.Exec(ctx, "DELETE FROM fraktalia_permission WHERE user_id=$1", userID); err != nil {
			return err
		}
		_, err := s.own.Exec(ctx, "DELETE FROM fraktalia_role WHERE user_id=$1", userID)
		return err
	})
}

// RoleOf finds the role of an account; ok is false where it has none.
func (s *Store) RoleOf(ctx context.Context, userID string) (r Role, ok bool, err error) {
	r, err = scanRole(s.own.QueryRow(ctx, roleColumns+"WHERE user_id=$1", userID))
	if errors.Is(err, sql.ErrNoRows) {
		return Role{}, false, nil
	}
	return r, err == nil, err
}

// Roles lists the accounts that have one.
func (s *Store) Roles(ctx context.Context) ([]Role, error) {
	return dbutil.ConvertRowFn[Role](scanRole).NewRowIter(s.own.Query(ctx, roleColumns+"ORDER BY role, user_id")).AsList()
}
