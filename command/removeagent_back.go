package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"

	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
	"github.com/githabideri/fraktalia/workspace"
)

func readMade[T any](work store.AgentWork) (*T, error) {
	var made T
	if err := json.Unmarshal([]byte(work.Made), &made); err != nil {
		return nil, fmt.Errorf("read what was done for %s: %w", work.Agent, err)
	}
	return &made, nil
}

// moveWorkspace moves the workspace aside, or deletes it. One that is gone is
// fine: it was moved before the program was killed.
func (rm *removal) moveWorkspace(context.Context) error {
	if rm.made.Workspace == "" {
		rm.told("Its workspace stays: %s.", orElse(rm.kept, "nothing is known of it"))
		return nil
	}
	if rm.made.Erase {
		if err := workspace.Discard(rm.made.Workspace); err != nil {
			return Because(err, "Its workspace %s could not be deleted whole; look at it by hand.", rm.made.Workspace)
		}
		rm.told("Its workspace %s is deleted.", rm.made.Workspace)
		return nil
	}
	err := workspace.Move(rm.made.Workspace, rm.made.Aside)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Because(err, "Its workspace %s could not be moved aside; look at it by hand.", rm.made.Workspace)
	}
	rm.told("Its workspace is moved aside, to %s.", rm.made.Aside)
	return nil
}

// bringBack undoes a removal: the workspace first, which the entry needs.
func bringBack(ctx context.Context, r *run, id, typed string) (reply.Answer, error) {
	number, err := strconv.ParseInt(typed, 10, 64)
	if err != nil {
		return reply.Answer{}, Sorry("%.40q is no number of a removal.", typed)
	}
	work, ok, err := r.Records.AgentWork(ctx, number)
	switch {
	case err != nil:
		return reply.Answer{}, err
	case !ok || work.Kind != store.WorkRemove || work.Agent != id || work.State != store.WorkDone:
		return reply.Answer{}, Sorry("There is no removal %d of %s that could be undone.", number, id)
	}
	made, err := readMade[removalMade](work)
	if err != nil {
		return reply.Answer{}, err
	}
	if made.Aside != "" {
		if err := workspace.Move(made.Aside, made.Workspace); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return reply.Answer{}, Because(err, "Its workspace cannot be moved back from %s: something is at %s.", made.Aside, made.Workspace)
		}
	}
	answer, err := r.entryBack(ctx, work, made.Edits)
	if err != nil {
		if made.Aside != "" {
			err = errors.Join(err, workspace.Move(made.Workspace, made.Aside))
		}
		return reply.Answer{}, err
	}
	answer.Doc = append(answer.Doc, r.accountBack(ctx, id, made)...)
	return answer, (&agentWork{work, r.Records}).undone(ctx)
}

// entryBack takes the change of openclaw.json back; it may have been before the
// program was killed.
func (r *run) entryBack(ctx context.Context, work store.AgentWork, names []string) (reply.Answer, error) {
	edits, err := r.Records.ConfigEdits(ctx, workEdits)
	if err != nil {
		return reply.Answer{}, err
	}
	for _, edit := range edits {
		if edit.What != names[0] || edit.MadeAt.Before(work.BegunAt) {
			continue
		}
		if edit.Undone || r.isBack(work.Agent, edit.ID, edits) {
			return reply.Answer{Doc: reply.Say("Its entry in openclaw.json was back already.")}, nil
		}
		return configUndo(ctx, r, edit.ID)
	}
	return reply.Answer{}, Sorry("The change of openclaw.json that removed %s is not in the history any more.", work.Agent)
}

// isBack says that a change which took an agent away was being taken back by a
// program that was killed when that was in the file, but not in the record.
func (r *run) isBack(agent string, edit int64, edits []store.ConfigEdit) bool {
	begun := slices.ContainsFunc(edits, func(e store.ConfigEdit) bool { return e.Undoes == edit })
	config, err := r.Agents.Load()
	if err != nil || !begun {
		return false
	}
	_, err = config.Agent(agent)
	return err == nil
}

// accountBack gives the account what it had.
func (r *run) accountBack(ctx context.Context, id string, made *removalMade) (doc reply.Doc) {
	if made.Role != nil {
		if err := r.Records.SaveRole(ctx, *made.Role); err != nil {
			doc = append(doc, reply.P("Its role could not be given back; the log says why."))
		}
	}
	for _, room := range made.Rooms {
		if !r.Speaking.HasJoined(ctx, room, r.Settings.Bot) {
			continue
		}
		doc = append(doc, r.invitedBack(ctx, id, room, made.User)...)
	}
	if config, err := r.Agents.Load(); made.Named && err == nil {
		if agent, err := config.Agent(id); err == nil {
			if err := r.renameBack(ctx, additionMade{User: made.User, NameBefore: orElse(agent.Text("name"), id)}); err != nil {
				doc = append(doc, reply.P("Its account's name could not be given back; the log says why."))
			}
		}
	}
	return doc
}

// invitedBack has an agent's account come into a room that it was taken out of.
func (r *run) invitedBack(ctx context.Context, id, room, user string) reply.Doc {
	name := orElse(r.Agents.RoomName(ctx, room), room)
	config, err := r.Agents.Load()
	if err != nil {
		return reply.Sayf("%s could not be invited to %s: %s", user, name, sentenceOf(r.configProblem(err)))
	}
	runs := r.healthOf(ctx, gatewayPart).Mark == Well
	doc, err := r.invitedIn(ctx, agentAccount{id, config.MatrixAccount(id), user}, Place{ID: room, Name: name}, runs)
	if err != nil {
		return reply.Say(name, ": ", sentenceOf(err))
	}
	return doc
}

// recoverRemoval brings a removal to its end in whose middle the program was
// killed, unless nothing had been done.
func (r *run) recoverRemoval(ctx context.Context, work *agentWork) (reply.Doc, error) {
	made, err := readMade[removalMade](work.AgentWork)
	if err != nil {
		return nil, err
	}
	config, err := r.Agents.Load()
	if err != nil {
		return nil, r.configProblem(err)
	}
	if _, err := config.Agent(work.Agent); err == nil {
		return reply.Say(reply.Bold("%s", work.Agent), " was to be removed when I was stopped; nothing of it was. Say it again."), work.undone(ctx)
	}
	rm := &removal{run: r, id: work.Agent, made: *made, work: work, kept: "it could not be moved"}
	doc := rm.finish(ctx)
	return append(reply.Doc{reply.P(reply.Bold("%s", work.Agent), " was being removed when I was stopped; I have done the rest.")}, doc...), nil
}
