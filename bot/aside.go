package bot

import (
	"context"

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
// said there belongs; "" lets nothing be said there.
func newAside(t *talk, under string) aside {
	row := t.row
	row.RoomID, row.Answers = t.bot.places.admin().String(), under
	return aside{talk: t, owners: newTalk(t.ctx, t.bot, row)}
}

// Ask implements command.Conversation: an owner is asked.
func (a aside) Ask(ctx context.Context, question reply.Doc) (bool, error) {
	if a.owners.evt == "" {
		return false, nil
	}
	return a.owners.Ask(ctx, question)
}

// Cancelable implements command.Conversation: nobody here can stop it.
func (a aside) Cancelable(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}

// Attach implements command.Conversation.
func (a aside) Attach(ctx context.Context, file reply.File) error {
	if a.owners.evt == "" {
		return nil
	}
	return a.owners.Attach(ctx, file)
}

// Confide implements command.Conversation: the room that asked hears that there
// was something, and nothing of it.
func (a aside) Confide(ctx context.Context, secret command.Confidence) error {
	return a.owners.Confide(ctx, secret)
}

// target is the event that a row answers.
func target(row store.Command) id.EventID {
	if row.Answers != "" {
		return id.EventID(row.Answers)
	}
	return id.EventID(row.EventID)
}
