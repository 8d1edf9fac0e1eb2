package command

import (
	"context"
	"fmt"

	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/reply"
)

// ConfigEdit is a change of OpenClaw's configuration that the program makes
// without a line of anybody's, for its owner.
type ConfigEdit struct {
	// What names it in the history.
	What string
	// Owner is for whom it is made.
	Owner string
	Edit  openclaw.EditFunc
}

// EditConfig does what a line such as !agent mox set does: the change is
// checked, written down before it is made, and followed; it stands in the
// history, and is taken back from there. Undo in the answer is empty where
// there was nothing to change.
func (c *Commands) EditConfig(ctx context.Context, e ConfigEdit, talk Conversation) (answer reply.Answer, err error) {
	request := Request{Sender: e.Owner, Role: Owner, Shell: true, Ref: "up"}
	r := &run{Services: c.services, shared: &c.shared, request: request, talk: talk, lane: agentsLane}
	if err := r.enter(ctx, agentsLane); err != nil {
		return answer, err
	}
	defer func() { r.leave() }()
	if answer, err = r.change(ctx, change{what: e.What, edit: e.Edit}); err != nil {
		return answer, err
	}
	if answer.Undo != "" {
		answer.Doc = append(answer.Doc, reply.P(reply.Mono("%s", fmt.Sprintf("%s%s", prompt(request), answer.Undo)), " takes it back."))
	}
	return answer, nil
}
