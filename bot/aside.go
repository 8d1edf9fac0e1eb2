package bot

import (
	"context"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

// aside is the conversation about a command of somebody who is no owner: what
// it answers goes to the room that asked; questions, files and secrets go to
// the admin room, where only owners read and click.
type aside struct {
	*talk
	owners *talk
}

// newAside makes one. under is the message in the admin room to which what is
// said there belongs; "" where there is none, because nobody had to be asked.
func newAside(t *talk, under string) aside {
	row := t.row
	row.RoomID = t.bot.places.admin().String()
	owners := newTalk(t.ctx, t.bot, row)
	owners.evt, owners.letOthersRun = id.EventID(under), t.letOthersRun
	return aside{talk: t, owners: owners}
}

// Ask implements command.Conversation: an owner is asked.
func (a aside) Ask(ctx context.Context, question reply.Doc) (bool, error) {
	return a.owners.Ask(ctx, a.told(ctx, question))
}

// Choose implements command.Conversation: an owner is asked. The room that asked
// reads neither question nor answers: they name agents, containers and hosts, and
// nobody's click there would count.
func (a aside) Choose(ctx context.Context, question reply.Doc, answers []reply.Line) (int, error) {
	return a.owners.Choose(ctx, a.told(ctx, question), answers)
}

// told puts before a question who wants what, where nothing above it says so.
func (a aside) told(ctx context.Context, question reply.Doc) reply.Doc {
	if a.owners.evt != "" {
		return question
	}
	about := reply.Doc{reply.P(a.row.Sender, " asks in ", a.bot.roomLink(ctx, a.row.RoomID), ", which is allowed beforehand:"),
		reply.Code{Text: command.Visible(a.row.Line)}}
	return append(about, question...)
}

// Cancelable implements command.Conversation: nobody here can stop it.
func (a aside) Cancelable(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}

// Attach implements command.Conversation.
func (a aside) Attach(ctx context.Context, file reply.File) error {
	return a.owners.Attach(ctx, file)
}

// Confide implements command.Conversation: the room that asked hears that there
// was something, and nothing of it.
func (a aside) Confide(ctx context.Context, secret command.Confidence) error {
	return a.owners.Confide(ctx, secret)
}

// answerTo relates a message to the one that it answers; "" is none.
func answerTo(evt id.EventID) *event.RelatesTo {
	if evt == "" {
		return nil
	}
	return &event.RelatesTo{InReplyTo: &event.InReplyTo{EventID: evt}}
}

// target is the event that a row answers.
func target(row store.Command) id.EventID {
	if row.Answers != "" {
		return id.EventID(row.Answers)
	}
	return id.EventID(row.EventID)
}
