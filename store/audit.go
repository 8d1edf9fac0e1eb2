package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.mau.fi/util/dbutil"
)

// AuditRow is one act in the record that is only ever added to.
type AuditRow struct {
	Seq int64
	At  time.Time
	// Act is a State of the journal (done, failed, interrupted, dropped), or
	// proposed, approved, denied, expired.
	Act        string
	CommandID  int64
	Sender     string
	ApprovedBy string
	RoomID     string
	// Line is the command without what may be a secret.
	Line    string
	Outcome string
	Undo    string
	// Before is the hash of the row before; "" for the first.
	Before string
	Hash   string
}

// sum is the row's hash: over the row before and all that this one says.
func (a AuditRow) sum() string {
	// A JSON array: no two rows are written alike.
	text, _ := json.Marshal([]any{a.Before, a.Seq, millis(a.At), a.Act, a.CommandID, a.Sender, a.ApprovedBy, a.RoomID, a.Line, a.Outcome, a.Undo})
	hash := sha256.Sum256(text)
	return hex.EncodeToString(hash[:])
}

// note adds a row; the caller holds a transaction, so that none comes between.
func (s *Store) note(ctx context.Context, a AuditRow) error {
	err := s.own.QueryRow(ctx, "SELECT seq, hash FROM fraktalia_audit ORDER BY seq DESC LIMIT 1").Scan(&a.Seq, &a.Before)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("read the audit: %w", err)
	}
	a.Seq++
	_, err = s.own.Exec(ctx, `INSERT INTO fraktalia_audit (seq, at, act, command_id, sender, approved_by, room_id, line, outcome, undo, before, hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		a.Seq, millis(a.At), a.Act, a.CommandID, a.Sender, a.ApprovedBy, a.RoomID, a.Line, a.Outcome, a.Undo, a.Before, a.sum())
	if err != nil {
		return fmt.Errorf("write the audit: %w", err)
	}
	return nil
}

const auditColumns = "SELECT seq, at, act, command_id, sender, approved_by, room_id, line, outcome, undo, before, hash FROM fraktalia_audit "

var scanAudit = dbutil.ConvertRowFn[AuditRow](func(row dbutil.Scannable) (a AuditRow, err error) {
	var at int64
	err = row.Scan(&a.Seq, &at, &a.Act, &a.CommandID, &a.Sender, &a.ApprovedBy, &a.RoomID, &a.Line, &a.Outcome, &a.Undo, &a.Before, &a.Hash)
	a.At = fromMillis(at)
	return a, err
})

// AuditFilter chooses rows of the audit; its zero value is all of them.
type AuditFilter struct {
	// By is a part of the account that asked or decided.
	By string
	// Command is the first word of the lines, without "!".
	Command string
	Since   time.Time
	// Most bounds the rows, newest first; 0 is all.
	Most int
}

// Audit lists rows, the newest first.
func (s *Store) Audit(ctx context.Context, f AuditFilter) ([]AuditRow, error) {
	if f.Most == 0 {
		f.Most = -1
	}
	var since int64
	if !f.Since.IsZero() {
		since = millis(f.Since)
	}
	return scanAudit.NewRowIter(s.own.Query(ctx, auditColumns+`WHERE ($1='' OR instr(sender, $1)>0 OR instr(approved_by, $1)>0)
		AND ($2='' OR ltrim(line, '!')=$2 OR ltrim(line, '!') LIKE $3 ESCAPE '\') AND at>=$4 ORDER BY seq DESC LIMIT $5`,
		f.By, f.Command, like.Replace(f.Command)+" %", since, f.Most)).AsList()
}

var like = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// AuditBrokenError says at which row the chain does not hold.
type AuditBrokenError struct{ Seq int64 }

func (e *AuditBrokenError) Error() string {
	return fmt.Sprintf("the audit does not hold at row %d", e.Seq)
}

// VerifyAudit recomputes the whole chain and returns its length and last hash.
// It finds rows that were changed, removed or put in between; rows cut off at
// the end show only against a hash that was kept elsewhere. Error:
// *AuditBrokenError.
func (s *Store) VerifyAudit(ctx context.Context) (n int64, last string, err error) {
	err = scanAudit.NewRowIter(s.own.Query(ctx, auditColumns+"ORDER BY seq")).Iter(func(a AuditRow) (bool, error) {
		n++
		if a.Seq != n || a.Before != last || a.sum() != a.Hash {
			return false, &AuditBrokenError{Seq: n}
		}
		last = a.Hash
		return true, nil
	})
	return n, last, err
}
