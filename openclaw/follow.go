package openclaw

import (
	"context"
	"time"
)

// Follow finds out, until ctx ends, what the gateway makes of changes that are written. Before is what it said just
// before they were, with its error. If it rejects them, the files are put back; the error is one of putting back.
func (g *Gateway) Follow(ctx context.Context, before State, asked error, changes []Change) (Outcome, error) {
	outcome := Outcome{Changes: changes, Verdict: Unknown, Err: asked}
	if asked != nil || len(changes) == 0 {
		return outcome, nil
	}
	start := time.Now()
	state, err := g.await(ctx, before.Content)
	outcome.Took, outcome.Err = time.Since(start), err
	switch {
	case err != nil:
		return outcome, nil
	case state.Valid:
		outcome.Verdict = Applied
		return outcome, nil
	}
	outcome.Verdict, outcome.Issues = Rejected, state.Issues
	outcome.PutBack, err = putBack(ctx, changes)
	return outcome, err
}
