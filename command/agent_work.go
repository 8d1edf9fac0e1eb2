package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/store"
)

// workExtra is how long what was begun for an agent is taken back after the
// program was told to stop; the rest is taken back at its next start.
const workExtra = 4 * time.Second

// agentWork is something that is done for an agent in several steps, each
// written down before.
type agentWork struct {
	store.AgentWork
	records WorkRecords
}

func (r *run) beginWork(ctx context.Context, kind, agent string, made any) (*agentWork, error) {
	text, err := json.Marshal(made)
	if err != nil {
		return nil, fmt.Errorf("write down what is made for %s: %w", agent, err)
	}
	work := store.AgentWork{Kind: kind, Agent: agent, BegunBy: r.request.Sender, BegunAt: time.Now(), State: store.WorkBegun, Made: string(text)}
	work.ID, err = r.Records.BeginAgentWork(ctx, work)
	return &agentWork{work, r.Records}, err
}

// note writes down what is made next.
func (w *agentWork) note(ctx context.Context, made any) error {
	text, err := json.Marshal(made)
	if err != nil {
		return fmt.Errorf("write down what is made for %s: %w", w.Agent, err)
	}
	w.Made = string(text)
	return w.save(ctx, store.WorkBegun)
}

func (w *agentWork) save(ctx context.Context, state store.WorkState) error {
	w.State = state
	return w.records.SaveAgentWork(context.WithoutCancel(ctx), w.ID, state, w.Made)
}

func (w *agentWork) done(ctx context.Context) error   { return w.save(ctx, store.WorkDone) }
func (w *agentWork) undone(ctx context.Context) error { return w.save(ctx, store.WorkUndone) }

// takeEditBack takes the change of OpenClaw's configuration back that a work
// has made under a name: to the byte where nobody has changed the file since,
// else by the edit that undoes it. It is no error where there is nothing to
// take back.
func (r *run) takeEditBack(ctx context.Context, w *agentWork, what string, otherwise openclaw.EditFunc) error {
	config, err := r.Agents.Load()
	if err != nil {
		return r.configProblem(err)
	}
	if operations, err := otherwise(config); err != nil || len(operations) == 0 {
		return r.configProblem(err)
	}
	edits, err := r.Records.ConfigEdits(ctx, historyLength)
	if err != nil {
		return err
	}
	for _, edit := range edits { // the newest first
		if edit.What != what || edit.Undone || edit.MadeAt.Before(w.BegunAt.Truncate(time.Millisecond)) {
			continue
		}
		_, err := configUndo(ctx, r, edit.ID)
		var changed *openclaw.ConflictError
		var gone *BackupGone
		if !errors.As(err, &changed) && !errors.As(err, &gone) {
			return err
		}
		break
	}
	_, err = r.change(ctx, change{what: "end of " + what, edit: otherwise})
	return err
}
