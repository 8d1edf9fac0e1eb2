package store

import (
	"context"
	"time"

	"go.mau.fi/util/dbutil"
)

// Forward is a port that shall be open, also after a restart.
type Forward struct {
	Port int
	UDP  bool
	// Target is the port inside the sandbox; 0 is the same.
	Target int
	// Agent is the agent whose sandbox it reaches; "" is the only one there is.
	Agent string
	// Reach says on which addresses, e.g. "loopback,lan"; "" is what the
	// configuration says.
	Reach         string
	ProxyProtocol bool
	// Lease is how long it lasts each time it is prolonged, and Until when it
	// ends; both are zero for one that stays.
	Lease time.Duration
	Until time.Time
	// Note is the message that told of the end to come; "" before it.
	Note string
	// Ended says that the lease is over and people may not have been told.
	Ended     bool
	CreatedBy string
	CreatedAt time.Time
}

const forwardColumns = `SELECT port, udp, target, agent, reach, proxy_protocol, lease, until, note, ended, created_by, created_at
	FROM fraktalia_forward `

var scanForward = dbutil.ConvertRowFn[Forward](func(row dbutil.Scannable) (f Forward, err error) {
	var lease, until, createdAt int64
	err = row.Scan(&f.Port, &f.UDP, &f.Target, &f.Agent, &f.Reach, &f.ProxyProtocol, &lease, &until, &f.Note, &f.Ended, &f.CreatedBy, &createdAt)
	f.Lease, f.Until, f.CreatedAt = time.Duration(lease)*time.Millisecond, fromMillis(until), fromMillis(createdAt)
	return f, err
})

// SaveForward remembers a forward; one for the same port is replaced.
func (s *Store) SaveForward(ctx context.Context, f Forward) error {
	until := int64(0)
	if !f.Until.IsZero() {
		until = millis(f.Until)
	}
	_, err := s.own.Exec(ctx, `INSERT OR REPLACE INTO fraktalia_forward
		(port, udp, target, agent, reach, proxy_protocol, lease, until, note, ended, created_by, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		f.Port, f.UDP, f.Target, f.Agent, f.Reach, f.ProxyProtocol, f.Lease.Milliseconds(), until, f.Note, f.Ended, f.CreatedBy, millis(f.CreatedAt))
	return err
}

// DeleteForward forgets the forward of a port.
func (s *Store) DeleteForward(ctx context.Context, port int, udp bool) error {
	_, err := s.own.Exec(ctx, "DELETE FROM fraktalia_forward WHERE port=$1 AND udp=$2", port, udp)
	return err
}

// Forwards lists the forwards that shall be open, by port.
func (s *Store) Forwards(ctx context.Context) ([]Forward, error) {
	return scanForward.NewRowIter(s.own.Query(ctx, forwardColumns+"WHERE ended=0 ORDER BY port, udp")).AsList()
}

// EndedForwards lists those whose lease is over, until they are told.
func (s *Store) EndedForwards(ctx context.Context) ([]Forward, error) {
	return scanForward.NewRowIter(s.own.Query(ctx, forwardColumns+"WHERE ended=1 ORDER BY port, udp")).AsList()
}

// ToldForward forgets a forward whose end has been told, unless the port has
// been forwarded anew since.
func (s *Store) ToldForward(ctx context.Context, f Forward) error {
	_, err := s.own.Exec(ctx, "DELETE FROM fraktalia_forward WHERE port=$1 AND udp=$2 AND ended=1 AND until=$3", f.Port, f.UDP, millis(f.Until))
	return err
}
