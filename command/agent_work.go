package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/store"
)

// workExtra is how long what was begun for an agent is taken back after the
// program was told to stop; the rest is taken back at its next start.
const workExtra = 4 * time.Second

// workEdits is how many changes of openclaw.json a work's own are looked for
// among.
const workEdits = 500

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

// takeEditsBack takes the changes of OpenClaw's configuration back that a work
// has made under these names, the last one first: to the byte where nobody has
// changed the file since, else by the edit that undoes all of them. It is no
// error where there is nothing to take back.
func (r *run) takeEditsBack(ctx context.Context, w *agentWork, names []string, otherwise openclaw.EditFunc) error {
	edits, err := r.Records.ConfigEdits(ctx, workEdits)
	if err != nil {
		return err
	}
	for _, edit := range edits { // the newest first
		if !slices.Contains(names, edit.What) || edit.Undone || edit.Verdict == string(openclaw.Rejected) || edit.MadeAt.Before(w.BegunAt.Truncate(time.Millisecond)) {
			continue
		}
		if needed, err := r.wouldChange(otherwise); err != nil || !needed {
			return err
		}
		_, err := configUndo(ctx, r, edit.ID)
		if err != nil && !errors.As(err, new(*openclaw.ConflictError)) && !errors.As(err, new(*BackupGone)) {
			return err
		}
	}
	if needed, err := r.wouldChange(otherwise); err != nil || !needed {
		return err
	}
	_, err = r.change(ctx, change{what: "end of " + names[0], edit: otherwise})
	return err
}

// wouldChange says whether an edit has anything to do.
func (r *run) wouldChange(edit openclaw.EditFunc) (bool, error) {
	config, err := r.Agents.Load()
	if err != nil {
		return false, r.configProblem(err)
	}
	operations, err := edit(config)
	return len(operations) > 0, r.configProblem(err)
}
