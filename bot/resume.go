package bot

import (
	"context"
	"strings"

	"github.com/sirupsen/logrus"
	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

// fromRoom tells commands of the room from those of the shell, whose journal
// rows have no room.
func fromRoom(row store.Command) bool { return strings.HasPrefix(row.RoomID, "!") }

// giveUp closes a row of the shell: whoever typed it saw the connection break.
func (b *Bot) giveUp(ctx context.Context, row store.Command) {
	state := store.Interrupted
	if row.State == store.New {
		state = store.Dropped
	}
	if row.State == store.New || row.State == store.Running {
		b.endRow(ctx, row, state, "the program was stopped")
	}
	b.answered(ctx, row)
}

// reportInterrupted tells of a command in whose middle the program ended. It
// is never run again by itself: nobody knows how far it came.
func (b *Bot) reportInterrupted(ctx context.Context, row store.Command) {
	doc := interruptedNotice(row)
	b.endRow(ctx, row, store.Interrupted, doc.Text())
	row.State, row.Outcome = store.Interrupted, doc.Text()
	b.deliver(ctx, row, doc)
}

// answerLate gives an answer that was written down but not delivered.
func (b *Bot) answerLate(ctx context.Context, row store.Command) {
	doc := sentences(row.Outcome)
	if len(doc) == 1 && strings.Count(row.Outcome, "\n") > 1 { // a table, kept as text
		doc = reply.Doc{reply.Code{Text: row.Outcome}}
	}
	b.deliver(ctx, row, doc)
}

// deliver answers and marks a row of an earlier run. The transactions are the
// ones of that run, so that what did arrive is not said twice; where it was
// an earlier state of the answer, the edit brings the last one.
func (b *Bot) deliver(ctx context.Context, row store.Command, doc reply.Doc) {
	room, evt, name := id.RoomID(row.RoomID), target(row), id.EventID(row.EventID)
	if doc.Text() != "" {
		sent, err := b.reply(ctx, room, evt, doc, transaction(name, "answer"))
		if err == nil {
			err = b.edit(ctx, room, sent, doc, transaction(name, "edit-last"))
		}
		if err != nil {
			b.logRow(row).WithError(err).Warn("could not answer late")
			return
		}
	}
	mark := failedMark
	if row.State == store.Done {
		mark = doneMark
	}
	if b.mark(ctx, room, evt, seenMark) != nil || b.mark(ctx, room, evt, mark) != nil {
		return
	}
	b.answered(ctx, row)
}

// close ends a row. What may be a secret in its line is not kept longer than
// the line is needed.
func (b *Bot) close(ctx context.Context, row store.Command, state store.State, outcome, undo string) error {
	kept := command.Recorded(row.Line)
	err := b.Store.InTransaction(ctx, func(ctx context.Context) error {
		if err := b.Store.RecordLine(ctx, row.ID, kept); err != nil {
			return err
		}
		return b.Store.EndCommand(ctx, row.ID, state, outcome, undo)
	})
	if err == nil && kept != row.Line {
		if err := b.Store.EmptyLog(ctx); err != nil {
			b.logRow(row).WithError(err).Warn("what was hidden of a line can still be read in the database's log")
		}
	}
	return err
}

func (b *Bot) endRow(ctx context.Context, row store.Command, state store.State, outcome string) {
	if err := b.close(ctx, row, state, outcome, ""); err != nil {
		b.logRow(row).WithError(err).Error("cannot write the journal")
	}
}

func (b *Bot) answered(ctx context.Context, row store.Command) {
	if err := b.Store.AnsweredCommand(ctx, row.ID); err != nil {
		b.logRow(row).WithError(err).Error("cannot write the journal")
	}
}

func (b *Bot) logRow(row store.Command) *logrus.Entry {
	return b.Log.WithFields(logrus.Fields{"event": row.EventID, "sender": row.Sender})
}
