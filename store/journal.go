package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"go.mau.fi/util/dbutil"
)

// State is how far a command has come.
type State string

// A command is new until a worker takes it, running until it ended, and then
// done or failed. Interrupted says that the program ended while it ran;
// dropped, that it was never begun and never will be.
const (
	New         State = "new"
	Running     State = "running"
	Done        State = "done"
	Failed      State = "failed"
	Interrupted State = "interrupted"
	Dropped     State = "dropped"
)

// Command is one row of the journal.
type Command struct {
	ID      int64
	EventID string
	RoomID  string
	Sender  string
	Line    string
	SentAt  time.Time
	State   State
	Outcome string
	Undo    string
	// Proposal is the number of the proposal whose approval made this row; 0
	// where somebody typed it.
	Proposal int64
	// Answers is the event that an approved row answers; "" is EventID.
	Answers string
	// Undone says that it was taken back.
	Undone bool
	// ApprovedBy is who approved it; "" where nobody had to.
	ApprovedBy string
}

const commandColumns = `SELECT id, event_id, room_id, sender, line, sent_at, state, outcome, undo, proposal, answers, approved_by, undone
	FROM fraktalia_journal `

var scanCommand = dbutil.ConvertRowFn[Command](func(row dbutil.Scannable) (c Command, err error) {
	var sentAt int64
	err = row.Scan(&c.ID, &c.EventID, &c.RoomID, &c.Sender, &c.Line, &sentAt, &c.State, &c.Outcome, &c.Undo, &c.Proposal, &c.Answers, &c.ApprovedBy, &c.Undone)
	c.SentAt = fromMillis(sentAt)
	return c, err
})

// AddCommand writes a new row, in c.State or else New, and returns its id; an
// event that has one already is left alone, and fresh is false.
func (s *Store) AddCommand(ctx context.Context, c Command) (id int64, fresh bool, err error) {
	if c.State == "" {
		c.State = New
	}
	result, err := s.own.Exec(ctx, `INSERT INTO fraktalia_journal (event_id, room_id, sender, line, sent_at, stored_at, state, answered, proposal, answers, approved_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (event_id) DO NOTHING`,
		c.EventID, c.RoomID, c.Sender, c.Line, millis(c.SentAt), millis(time.Now()), c.State, c.State == Dropped, c.Proposal, c.Answers, c.ApprovedBy)
	if err != nil {
		return 0, false, fmt.Errorf("write journal: %w", err)
	}
	if rows, err := result.RowsAffected(); err != nil || rows == 0 {
		return 0, false, err
	}
	id, err = result.LastInsertId()
	return id, true, err
}

// OpenCommands lists the rows whose sender has not had the answer, oldest first.
func (s *Store) OpenCommands(ctx context.Context) ([]Command, error) {
	return scanCommand.NewRowIter(s.own.Query(ctx, commandColumns+"WHERE answered=0 ORDER BY id")).AsList()
}

// CommandOf finds the row of an event; ok is false where there is none.
func (s *Store) CommandOf(ctx context.Context, eventID string) (c Command, ok bool, err error) {
	rows, err := scanCommand.NewRowIter(s.own.Query(ctx, commandColumns+"WHERE event_id=$1", eventID)).AsList()
	if err != nil || len(rows) == 0 {
		return Command{}, false, err
	}
	return rows[0], true, nil
}

// CommandAudited finds the command behind a row of the audit that tells how it
// ended; ok is false where there is none.
func (s *Store) CommandAudited(ctx context.Context, seq int64) (c Command, ok bool, err error) {
	rows, err := scanCommand.NewRowIter(s.own.Query(ctx, commandColumns+
		"WHERE id=(SELECT command_id FROM fraktalia_audit WHERE seq=$1 AND act=$2)", seq, Done)).AsList()
	if err != nil || len(rows) == 0 {
		return Command{}, false, err
	}
	return rows[0], true, nil
}

// BeginCommand takes a new row for running; false says that it is not new
// any more, and must not be run.
func (s *Store) BeginCommand(ctx context.Context, id int64) (bool, error) {
	result, err := s.own.Exec(ctx, "UPDATE fraktalia_journal SET state=$1, begun_at=$2 WHERE id=$3 AND state=$4",
		Running, millis(time.Now()), id, New)
	return changedOne(result, err)
}

// RecordLine replaces the line of a row by what may be kept of it.
func (s *Store) RecordLine(ctx context.Context, id int64, line string) error {
	_, err := s.own.Exec(ctx, "UPDATE fraktalia_journal SET line=$1 WHERE id=$2", line, id)
	return err
}

// EndCommand closes a row with its outcome, a sentence for the record, and the
// command line that undoes it, and adds it to the audit. The row's line must be
// one that may be kept by then.
func (s *Store) EndCommand(ctx context.Context, id int64, state State, outcome, undo string) error {
	return s.InTransaction(ctx, func(ctx context.Context) error {
		now := time.Now()
		_, err := s.own.Exec(ctx, "UPDATE fraktalia_journal SET state=$1, ended_at=$2, outcome=$3, undo=$4 WHERE id=$5",
			state, millis(now), outcome, undo, id)
		if err != nil {
			return err
		}
		rows, err := scanCommand.NewRowIter(s.own.Query(ctx, commandColumns+"WHERE id=$1", id)).AsList()
		if err != nil || len(rows) == 0 {
			return err
		}
		c := rows[0]
		return s.note(ctx, AuditRow{At: now, Act: string(state), CommandID: id, Sender: c.Sender, ApprovedBy: c.ApprovedBy, RoomID: c.RoomID,
			Line: c.Line, Outcome: firstLine(outcome), Undo: undo})
	})
}

// firstLine is enough of an outcome for the audit; the journal has all of it.
func firstLine(text string) string {
	const most = 300
	text, _, _ = strings.Cut(text, "\n")
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most])
	}
	return text
}

// AnsweredCommand notes that the sender has had the answer.
func (s *Store) AnsweredCommand(ctx context.Context, id int64) error {
	_, err := s.own.Exec(ctx, "UPDATE fraktalia_journal SET answered=1 WHERE id=$1", id)
	return err
}

func changedOne(result sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	rows, err := result.RowsAffected()
	return rows == 1, err
}
