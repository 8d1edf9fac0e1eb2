package client

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// The marks that the bot puts on a command or a question.
const (
	Seen = "👀"
	Yes  = "✅"
	No   = "❌"
)

// Turn is one command and all that the bot answers to it.
type Turn struct {
	ID      id.EventID // of the command
	Started time.Time  // before it was sent

	room *Room
}

// Reply is one message of the bot that answers the command, in its latest
// wording.
type Reply struct {
	Event            // as first sent
	Body      string // plain text, latest
	HTML      string // formatted body, latest; empty where there is none
	MsgType   event.MessageType
	Edits     []Event  // oldest first
	Marks     []string // the bot's own reactions on it
	Redacted  bool
	File      *event.MessageEventContent // where it is an attachment
	LastWords time.Time                  // when the latest wording was seen
}

// Outcome is how a turn ended.
type Outcome struct {
	OK      bool // ✅ rather than ❌
	Body    string
	HTML    string
	Replies []Reply
	Marks   []string // the bot's reactions on the command, in order
	Took    time.Duration
}

// Replies is what the bot has answered so far.
func (t *Turn) Replies() []Reply {
	events := t.room.FromBot()
	var replies []Reply
	for _, e := range events {
		if t.answers(e) {
			replies = append(replies, readReply(e, events))
		}
	}
	return replies
}

// answers says whether e is a message to our command, itself and no edit.
func (t *Turn) answers(e Event) bool {
	if e.Type != event.EventMessage.Type {
		return false
	}
	rel := e.RelatesTo()
	if rel.Type == event.RelReplace {
		return false
	}
	return rel.GetReplyTo() == t.ID || (rel.Type == event.RelThread && rel.EventID == t.ID)
}

func readReply(first Event, fromBot []Event) Reply {
	r := Reply{Event: first, LastWords: first.Seen}
	r.read(first.Content.AsMessage())
	for _, e := range fromBot {
		rel := e.RelatesTo()
		switch {
		case e.Type == event.EventMessage.Type && rel.Type == event.RelReplace && rel.EventID == first.ID:
			r.Edits = append(r.Edits, e)
			r.LastWords = e.Seen
			if now := e.Content.AsMessage().NewContent; now != nil {
				r.read(now)
			}
		case e.Type == event.EventReaction.Type && rel.EventID == first.ID && !isRedacted(e.ID, fromBot):
			r.Marks = append(r.Marks, mark(rel.Key))
		}
	}
	r.Redacted = isRedacted(first.ID, fromBot)
	return r
}

func (r *Reply) read(m *event.MessageEventContent) {
	r.Body, r.HTML, r.MsgType = m.Body, m.FormattedBody, m.MsgType
	if m.File != nil || m.URL != "" {
		r.File = m
	}
}

func isRedacted(target id.EventID, events []Event) bool {
	return slices.ContainsFunc(events, func(e Event) bool {
		return e.Type == event.EventRedaction.Type && e.Content.AsRedaction().Redacts == target
	})
}

// mark drops the variation selector that some clients append to an emoji.
func mark(key string) string { return strings.TrimSuffix(key, "\ufe0f") }

// Marks is the bot's reactions on the command, in order, without those that
// it took back.
func (t *Turn) Marks() []string {
	events := t.room.FromBot()
	var marks []string
	for _, e := range events {
		rel := e.RelatesTo()
		if e.Type == event.EventReaction.Type && rel.EventID == t.ID && !isRedacted(e.ID, events) {
			marks = append(marks, mark(rel.Key))
		}
	}
	return marks
}

// Wait waits until the turn is as wanted.
func (t *Turn) Wait(ctx context.Context, what string, wanted func(*Turn) bool) error {
	err := t.room.client.Record.Wait(ctx, func() bool { return wanted(t) })
	if err != nil {
		return fmt.Errorf("waiting for %s: %w\n%s", what, err, t.room.Transcript())
	}
	return nil
}

// WaitSeen waits for the bot's 👀.
func (t *Turn) WaitSeen(ctx context.Context) error {
	return t.Wait(ctx, Seen, func(t *Turn) bool { return slices.Contains(t.Marks(), Seen) })
}

// WaitReply waits for a first answer and returns it.
func (t *Turn) WaitReply(ctx context.Context) (Reply, error) {
	var reply Reply
	err := t.Wait(ctx, "a reply", func(t *Turn) bool {
		all := t.Replies()
		if len(all) > 0 {
			reply = all[0]
		}
		return len(all) > 0
	})
	return reply, err
}

// WaitQuestion waits for a message that the bot has put both ✅ and ❌ under.
func (t *Turn) WaitQuestion(ctx context.Context) (Reply, error) { return t.WaitMarked(ctx, Yes, No) }

// WaitMarked waits for a message that the bot has put all of marks under.
func (t *Turn) WaitMarked(ctx context.Context, marks ...string) (Reply, error) {
	var question Reply
	err := t.Wait(ctx, fmt.Sprintf("a message with %v", marks), func(t *Turn) bool {
		for _, r := range t.Replies() {
			if !slices.ContainsFunc(marks, func(m string) bool { return !slices.Contains(r.Marks, mark(m)) }) {
				question = r
				return true
			}
		}
		return false
	})
	return question, err
}

// Final waits for ✅ or ❌ on the command and an answer to it, and returns
// how the turn stands then.
func (t *Turn) Final(ctx context.Context) (Outcome, error) {
	var out Outcome
	err := t.Wait(ctx, "✅ or ❌ and a reply", func(t *Turn) bool {
		var ended bool
		out, ended = t.Now()
		return ended && len(out.Replies) > 0
	})
	return out, err
}

// Now is how the turn stands, and whether the bot has put its last mark.
func (t *Turn) Now() (out Outcome, ended bool) {
	out.Marks, out.Replies = t.Marks(), t.Replies()
	out.OK = slices.Contains(out.Marks, Yes)
	for _, r := range out.Replies {
		if r.File == nil && !r.Redacted {
			out.Body, out.HTML = r.Body, r.HTML
		}
		out.Took = max(out.Took, r.LastWords.Sub(t.Started))
	}
	return out, out.OK || slices.Contains(out.Marks, No)
}

// Files is the attachments among the replies.
func (o Outcome) Files() []Reply {
	return slices.DeleteFunc(slices.Clone(o.Replies), func(r Reply) bool { return r.File == nil })
}
