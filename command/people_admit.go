package command

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/reply"
)

// admit puts people on the lists of those to whom OpenClaw listens in the
// rooms, where there are such lists. It tells what it did, and what takes that
// back; nothing where there was nothing to do.
func (j *joining) admit(ctx context.Context, what string, undo *steps, users ...string) (answer reply.Answer, err error) {
	if len(j.rooms) == 0 {
		return answer, nil
	}
	config, err := j.Agents.Load()
	if errors.Is(err, fs.ErrNotExist) {
		return answer, nil // no OpenClaw here
	}
	if err != nil {
		answer.Doc = reply.Doc{reply.P("OpenClaw's configuration cannot be read, so I could not see whether it lists the people to whom it listens: ", sentenceOf(j.configProblem(err)))}
		return answer, nil
	}
	edit := openclaw.Admit(ids(j.rooms), users...)
	if operations, err := edit(config); err != nil || len(operations) == 0 {
		return answer, j.configProblem(err)
	}
	answer, err = j.change(ctx, change{what: what, edit: edit})
	if err != nil {
		return reply.Answer{}, Because(err, "OpenClaw's lists could not be changed: %s", sentenceOf(err))
	}
	undo.add("the change of OpenClaw's lists", func(ctx context.Context) error {
		_, err := j.expel(ctx, "undo of "+what, users...)
		return err
	})
	answer.Doc = append(reply.Doc{reply.P("OpenClaw listens to them now.")}, withoutCode(answer.Doc)...)
	j.talk.Update(answer.Doc) // above the card, which is what people look for
	return answer, nil
}

// expel takes people off all of OpenClaw's lists. It tells what it did.
func (r *run) expel(ctx context.Context, what string, users ...string) (reply.Doc, error) {
	edit := openclaw.Expel(users...)
	_, listed, err := r.plannedExpulsion(edit)
	if err != nil || !listed {
		return nil, err
	}
	answer, err := r.change(ctx, change{what: what, edit: edit})
	return withoutCode(answer.Doc), err
}

// withoutCode leaves differences out: whom OpenClaw listens to is told in words.
func withoutCode(doc reply.Doc) reply.Doc {
	return slices.DeleteFunc(doc, func(block reply.Block) bool {
		_, code := block.(reply.Code)
		return code
	})
}

// plannedExpulsion is what an edit would do to OpenClaw's lists, as people read
// differences, and whether it would do anything.
func (r *run) plannedExpulsion(edit openclaw.EditFunc) (diff string, listed bool, err error) {
	config, err := r.Agents.Load()
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, r.configProblem(err)
	}
	plan, err := config.Plan(edit)
	if err != nil {
		return "", false, r.configProblem(err)
	}
	return plan.Diff(), plan.Diff() != "", nil
}
