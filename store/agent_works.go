package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"go.mau.fi/util/dbutil"
)

// WorkState is how far a work has come.
type WorkState string

// A work is begun until it is done whole, or taken back whole.
const (
	WorkBegun  WorkState = "begun"
	WorkDone   WorkState = "done"
	WorkUndone WorkState = "undone"
)

// Kinds of works.
const (
	WorkAdd    = "add"    // an agent is added
	WorkRemove = "remove" // an agent is removed
	WorkHear   = "hear"   // an agent is made to listen to the bot, for a moment
)

// AgentWork is something done for an agent in several steps.
type AgentWork struct {
	ID      int64
	Kind    string
	Agent   string
	BegunBy string
	BegunAt time.Time
	State   WorkState
	Made    string // JSON, of whoever does the work
}

const workColumns = "SELECT id, kind, agent, begun_by, begun_at, state, made FROM fraktalia_agent_work "

var scanWork = dbutil.ConvertRowFn[AgentWork](func(row dbutil.Scannable) (w AgentWork, err error) {
	var begunAt int64
	err = row.Scan(&w.ID, &w.Kind, &w.Agent, &w.BegunBy, &begunAt, &w.State, &w.Made)
	w.BegunAt = fromMillis(begunAt)
	return w, err
})

// BeginAgentWork records a work before its first step.
func (s *Store) BeginAgentWork(ctx context.Context, w AgentWork) (id int64, err error) {
	result, err := s.own.Exec(ctx, `INSERT INTO fraktalia_agent_work (kind, agent, begun_by, begun_at, state, made) VALUES ($1, $2, $3, $4, $5, $6)`,
		w.Kind, w.Agent, w.BegunBy, millis(w.BegunAt), WorkBegun, w.Made)
	if err != nil {
		return 0, fmt.Errorf("record a work for an agent: %w", err)
	}
	return result.LastInsertId()
}

// SaveAgentWork records how far a work is, before the next step.
func (s *Store) SaveAgentWork(ctx context.Context, id int64, state WorkState, made string) error {
	_, err := s.own.Exec(ctx, "UPDATE fraktalia_agent_work SET state=$1, made=$2 WHERE id=$3", state, made, id)
	return err
}

// AgentWorks lists works in a state, the newest first.
func (s *Store) AgentWorks(ctx context.Context, state WorkState) ([]AgentWork, error) {
	return scanWork.NewRowIter(s.own.Query(ctx, workColumns+"WHERE state=$1 ORDER BY id DESC", state)).AsList()
}

// AgentWork finds a work by its number.
func (s *Store) AgentWork(ctx context.Context, id int64) (w AgentWork, ok bool, err error) {
	w, err = scanWork(s.own.QueryRow(ctx, workColumns+"WHERE id=$1", id))
	if errors.Is(err, sql.ErrNoRows) {
		return AgentWork{}, false, nil
	}
	return w, err == nil, err
}
