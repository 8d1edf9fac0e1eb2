package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/githabideri/fraktalia/crashpoint"
	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/openclaw/json5"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
	"github.com/githabideri/fraktalia/workspace"
)

// undoLimit bounds taking one agent back.
const undoLimit = 3 * time.Minute

// takenBack undoes what was made, and words why.
func (a *addition) takenBack(ctx context.Context, cause error, reached int) error {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoLimit)
	if ctx.Err() != nil { // the program stops: what is not taken back now is at the next start
		cause = Because(cause, "I was stopped in the middle.")
		cancel()
		limited, cancel = Outlast(ctx, workExtra)
	}
	defer cancel()
	a.list.talk.Update(append(a.list.doc(), reply.P("That failed; I take back what was made …")))
	u, err := a.undoAddition(limited, a.work, a.made)
	mark := undid
	if len(u.left) > 0 {
		mark = stays
	}
	for i := range a.list.items[:reached] {
		if a.list.items[i].mark == did {
			a.list.items[i].mark = mark
		}
	}
	sentence := sentenceOf(cause) + " " + u.text()
	var problem *Problem
	a.list.title = reply.Line{"How far it came:"}
	detail := a.list.doc()
	if errors.As(cause, &problem) {
		detail = append(detail, problem.Detail...)
	}
	return &Problem{Sentence: sentence, Detail: detail, Cause: errors.Join(cause, err)}
}

// undone is what came of taking an agent back.
type undone struct {
	back, left []string
	// record says that OpenClaw keeps its own record of the agent.
	record bool
}

// text tells what was taken back and what is left.
func (u undone) text() string {
	sentence := "Nothing was made, so nothing is left."
	switch {
	case len(u.left) > 0:
		sentence = "Nothing could be taken back."
		if len(u.back) > 0 {
			sentence = "Taken back: " + strings.Join(u.back, ", ") + "."
		}
		sentence += " Left are " + strings.Join(u.left, ", ") + "; the log says why, and I try again when I am started."
	case len(u.back) > 0:
		sentence = "Taken back: " + strings.Join(u.back, ", ") + ". Nothing is left."
	}
	if u.record {
		sentence = strings.TrimSuffix(sentence, " Nothing is left.") + " OpenClaw still has its own record of it open; agents --orphans removes that after OpenClaw's next start."
	}
	return sentence
}

// undoing is one thing to be taken back.
type undoing struct {
	what string
	made bool
	do   func(context.Context) error
}

// undoAddition takes an agent's making back, the last step first. What fails is
// left for the next start.
func (r *run) undoAddition(ctx context.Context, work *agentWork, m additionMade) (u undone, err error) {
	quiet := r.quietly()
	var causes []error
	for _, one := range quiet.undoings(work, m) {
		if !one.made {
			continue
		}
		err := one.do(ctx)
		switch {
		case errors.As(err, new(*RecordsOpen)):
			u.record = true
		case err != nil:
			causes, u.left = append(causes, fmt.Errorf("take back %s: %w", one.what, err)), append(u.left, one.what)
		case one.what != "":
			u.back = append(u.back, one.what)
		}
		crashpoint.At("addagent.undo")
	}
	if len(u.left) == 0 {
		causes = append(causes, work.undone(ctx))
	}
	return u, errors.Join(causes...)
}

func (r *run) undoings(work *agentWork, m additionMade) []undoing {
	return []undoing{
		{"the role", m.Role, func(ctx context.Context) error { return r.Records.DeleteRole(ctx, m.User) }},
		{"the account's name", m.Named, func(ctx context.Context) error { return r.renameBack(ctx, m) }},
		{"the entry in openclaw.json", len(m.Edits) > 0, func(ctx context.Context) error { return r.takeEditsBack(ctx, work, m.Edits, removalOf(work.Agent)) }},
		{"the sandbox", len(m.Edits) > 0, func(ctx context.Context) error {
			_, err := r.Agents.RemoveSandboxes(ctx, work.Agent)
			return err
		}},
		{"", len(m.Edits) > 0 && !m.Recorded, func(context.Context) error {
			_, err := r.Workspaces.EraseRecords(work.Agent)
			return err
		}},
		{"the room", m.Purpose != "", func(ctx context.Context) error { return r.removeMadeRoom(ctx, m) }},
		{"the workspace", m.Workspace != "", func(context.Context) error { return workspace.Discard(m.Workspace) }},
	}
}

// removalOf removes an agent where there is one.
func removalOf(agent string) openclaw.EditFunc {
	return func(c *openclaw.Config) ([]json5.Operation, error) {
		operations, err := openclaw.RemoveAgent(agent)(c)
		if errors.As(err, new(*openclaw.UnknownAgentError)) {
			return nil, nil
		}
		return operations, err
	}
}

func (r *run) renameBack(ctx context.Context, m additionMade) error {
	driver, err := r.Server(ctx)
	if err != nil {
		return err
	}
	if naming, can := driver.(renamer); can {
		err = naming.Rename(ctx, m.User, m.NameBefore)
	}
	if notForUs(err) {
		return nil // then it was not renamed either
	}
	return err
}

// removeMadeRoom removes the room, also where its id was not noted any more.
func (r *run) removeMadeRoom(ctx context.Context, m additionMade) (err error) {
	id := m.Room
	if id == "" {
		if id, err = r.Rooms.FindMade(ctx, m.Purpose); err != nil || id == "" {
			return err
		}
	}
	return r.removeRoom(ctx, id)
}

// Recover takes back what was begun for agents by a program that was killed, and
// tells of each. It returns when commands for agents wait for that, and closes
// done when it is over.
func (c *Commands) Recover(ctx context.Context, tell func(reply.Doc), log *logrus.Entry) (done <-chan struct{}) {
	over := make(chan struct{})
	waiting := make(chan struct{})
	go func() {
		defer close(over)
		err := c.shared.lanes.in(ctx, agentsLane, func() error {
			close(waiting)
			return c.recoverAll(ctx, tell)
		})
		if err != nil {
			log.WithError(err).Error("what was begun for an agent is not taken back whole")
		}
	}()
	select {
	case <-waiting:
	case <-over:
	}
	return over
}

func (c *Commands) recoverAll(ctx context.Context, tell func(reply.Doc)) error {
	works, err := c.services.Records.AgentWorks(ctx, store.WorkBegun)
	if err != nil {
		return err
	}
	var causes []error
	for _, work := range works {
		r := &run{Services: c.services, shared: &c.shared, request: Request{Sender: work.BegunBy, Role: Owner}, talk: unheard{},
			lane: agentsLane, within: agentsLane, leave: func() {}}
		doc, err := r.recoverWork(ctx, &agentWork{work, c.services.Records})
		causes = append(causes, err)
		if len(doc) > 0 {
			tell(doc)
		}
	}
	return errors.Join(causes...)
}

func (r *run) recoverWork(ctx context.Context, work *agentWork) (reply.Doc, error) {
	switch work.Kind {
	case store.WorkAdd:
		made, err := readMade[additionMade](work.AgentWork)
		if err != nil {
			return nil, err
		}
		u, err := r.undoAddition(ctx, work, *made)
		return reply.Say(reply.Bold("%s", work.Agent), " was being added when I was stopped. ", u.text(), " Say it again to add it."), err
	case store.WorkRemove:
		return r.recoverRemoval(ctx, work)
	case store.WorkHear:
		h, err := readMade[hearing](work.AgentWork)
		if err != nil {
			return nil, err
		}
		return nil, r.hearNoMore(ctx, work, *h)
	}
	return nil, nil
}

// unheard is a conversation with nobody.
type unheard struct{ Conversation }

func (unheard) Update(reply.Doc) {}
