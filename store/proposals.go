package store

import (
	"context"
	"fmt"
	"time"

	"go.mau.fi/util/dbutil"
)

// ProposalState is how far a proposal has come.
type ProposalState string

// A proposal is open until somebody decides or its time is over.
const (
	Pending  ProposalState = "open"
	Approved ProposalState = "approved"
	Denied   ProposalState = "denied"
	Expired  ProposalState = "expired"
)

// Proposal is a command that waits for an owner's word.
type Proposal struct {
	ID int64
	// CommandID is the journal's row of the question.
	CommandID int64
	Sender    string
	// RoomID is where it was asked, AskedIn the event.
	RoomID, AskedIn string
	// Line is what runs when it is approved, and nothing else.
	Line string
	// Grave ones are approved in words only, from a device that may command.
	Grave bool
	// MessageID is the bot's message in the admin room; "" before it is sent.
	MessageID     string
	MadeAt, Until time.Time
	State         ProposalState
	DecidedBy     string
	Reason        string
}

const proposalColumns = `SELECT id, command_id, sender, room_id, asked_in, line, grave, message_id, made_at, until, state, decided_by, reason
	FROM fraktalia_proposal `

var scanProposal = dbutil.ConvertRowFn[Proposal](func(row dbutil.Scannable) (p Proposal, err error) {
	var madeAt, until int64
	err = row.Scan(&p.ID, &p.CommandID, &p.Sender, &p.RoomID, &p.AskedIn, &p.Line, &p.Grave, &p.MessageID, &madeAt, &until, &p.State, &p.DecidedBy, &p.Reason)
	p.MadeAt, p.Until = fromMillis(madeAt), fromMillis(until)
	return p, err
})

// AddProposal records a proposal and returns its number. Said again for the
// same command it returns the number of the one that is there.
func (s *Store) AddProposal(ctx context.Context, p Proposal) (id int64, err error) {
	err = s.InTransaction(ctx, func(ctx context.Context) error {
		if err := s.own.QueryRow(ctx, "SELECT id FROM fraktalia_proposal WHERE command_id=$1", p.CommandID).Scan(&id); err == nil {
			return nil
		}
		result, err := s.own.Exec(ctx, `INSERT INTO fraktalia_proposal (command_id, sender, room_id, asked_in, line, grave, made_at, until, state)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, p.CommandID, p.Sender, p.RoomID, p.AskedIn, p.Line, p.Grave, millis(p.MadeAt), millis(p.Until), Pending)
		if err != nil {
			return err
		}
		if id, err = result.LastInsertId(); err != nil {
			return err
		}
		return s.note(ctx, AuditRow{At: p.MadeAt, Act: "proposed", CommandID: p.CommandID, Sender: p.Sender, RoomID: p.RoomID, Line: p.Line,
			Outcome: fmt.Sprintf("proposal %d", id)})
	})
	return id, err
}

// ShowProposal records which message shows a proposal.
func (s *Store) ShowProposal(ctx context.Context, id int64, messageID string) error {
	_, err := s.own.Exec(ctx, "UPDATE fraktalia_proposal SET message_id=$1 WHERE id=$2", messageID, id)
	return err
}

// Proposals lists the open ones, oldest first.
func (s *Store) Proposals(ctx context.Context) ([]Proposal, error) {
	return scanProposal.NewRowIter(s.own.Query(ctx, proposalColumns+"WHERE state=$1 ORDER BY id", Pending)).AsList()
}

// ProposalsUntold lists those whose end nobody has been told of, oldest first.
func (s *Store) ProposalsUntold(ctx context.Context) ([]Proposal, error) {
	return scanProposal.NewRowIter(s.own.Query(ctx, proposalColumns+"WHERE state<>$1 AND told=0 ORDER BY id", Pending)).AsList()
}

// ToldProposal records that people have been told of a proposal's end.
func (s *Store) ToldProposal(ctx context.Context, id int64) error {
	_, err := s.own.Exec(ctx, "UPDATE fraktalia_proposal SET told=1 WHERE id=$1", id)
	return err
}

// ProposalOf finds a proposal by its number; ok is false where there is none.
func (s *Store) ProposalOf(ctx context.Context, id int64) (p Proposal, ok bool, err error) {
	return s.oneProposal(ctx, "WHERE id=$1", id)
}

// ProposalShownBy finds the proposal that a message of the bot's shows.
func (s *Store) ProposalShownBy(ctx context.Context, messageID string) (p Proposal, ok bool, err error) {
	if messageID == "" {
		return Proposal{}, false, nil
	}
	return s.oneProposal(ctx, "WHERE message_id=$1", messageID)
}

func (s *Store) oneProposal(ctx context.Context, where string, arg any) (Proposal, bool, error) {
	found, err := scanProposal.NewRowIter(s.own.Query(ctx, proposalColumns+where, arg)).AsList()
	if err != nil || len(found) == 0 {
		return Proposal{}, false, err
	}
	return found[0], true, nil
}

// ProposalsSince counts what an account has proposed since a time.
func (s *Store) ProposalsSince(ctx context.Context, sender string, since time.Time) (n int, err error) {
	err = s.own.QueryRow(ctx, "SELECT COUNT(*) FROM fraktalia_proposal WHERE sender=$1 AND made_at>$2", sender, millis(since)).Scan(&n)
	return n, err
}

// DecideProposal ends an open proposal. Approved, its command stands in the
// journal as a new row, in the same transaction: it runs once, or not at all.
// decided is false where it was not open any more.
func (s *Store) DecideProposal(ctx context.Context, id int64, state ProposalState, by, reason string, now time.Time) (p Proposal, row Command, decided bool, err error) {
	err = s.InTransaction(ctx, func(ctx context.Context) error {
		open := "UPDATE fraktalia_proposal SET state=$1, decided_by=$2, reason=$3 WHERE id=$4 AND state='open'"
		if state == Approved {
			open += " AND until>$5"
		} else {
			open += " AND $5>0"
		}
		if decided, err = changedOne(s.own.Exec(ctx, open, state, by, reason, id, millis(now))); err != nil {
			return err
		}
		var ok bool
		if p, ok, err = s.ProposalOf(ctx, id); err != nil || !ok || !decided {
			return err
		}
		if err := s.note(ctx, AuditRow{At: now, Act: string(state), CommandID: p.CommandID, Sender: p.Sender, ApprovedBy: by, RoomID: p.RoomID, Line: p.Line, Outcome: reason}); err != nil {
			return err
		}
		if state != Approved {
			return nil
		}
		row = Command{EventID: fmt.Sprintf("proposal-%d-%d", p.ID, millis(p.MadeAt)), RoomID: p.RoomID, Sender: p.Sender, Line: p.Line, SentAt: now,
			Proposal: p.ID, Answers: p.AskedIn, ApprovedBy: by, State: New}
		row.ID, _, err = s.AddCommand(ctx, row)
		return err
	})
	return p, row, decided, err
}
