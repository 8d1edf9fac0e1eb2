package bot

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

// hearings are the places where somebody waits for what an account says. What
// is heard there is passed on and means nothing to the bot.
type hearings struct {
	mu   sync.Mutex
	open map[*hearing]bool
}

// hearing is one account in one room.
type hearing struct {
	room id.RoomID
	user id.UserID
	to   chan *event.Event // still encrypted
}

// mostHeard is how many messages may wait to be looked at.
const mostHeard = 64

func (h *hearings) begin(room id.RoomID, user id.UserID) *hearing {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open == nil {
		h.open = map[*hearing]bool{}
	}
	one := &hearing{room: room, user: user, to: make(chan *event.Event, mostHeard)}
	h.open[one] = true
	return one
}

func (h *hearings) end(one *hearing) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.open, one)
}

// give passes an event to those who wait for it. It never waits itself: the
// sync would stand still.
func (h *hearings) give(evt *event.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for one := range h.open {
		if one.room != evt.RoomID || one.user != evt.Sender {
			continue
		}
		select {
		case one.to <- evt:
		default: // who says so much is heard well enough
		}
	}
}

// Exchange implements command.Speaking: it says something to an account in an
// encrypted room, and gives what that account says from then on to heard, until
// heard is content or ctx ends. An edit is heard as what it says now.
func (b *Bot) Exchange(ctx context.Context, room, user, text string, heard func(said string) bool) error {
	if !b.ready.Load() {
		return errNotConnected
	}
	one := b.hearings.begin(id.RoomID(room), id.UserID(user))
	defer b.hearings.end(one)
	asked, err := b.send(ctx, one.room, addressed(one.user, text), "")
	switch {
	case errors.Is(err, errPlain):
		return &command.PlainRoom{ID: room}
	case err != nil:
		return b.worldly("say something in "+room, err)
	}
	answer, err := b.listenTo(ctx, one, heard)
	b.clear(context.WithoutCancel(ctx), one.room, asked)
	if err == nil {
		b.clear(ctx, one.room, answer)
	}
	return err
}

// clearAfter is how long what was exchanged can still be seen.
const clearAfter = 10 * time.Second

// clear plans that a message leaves a room; where the bot may not remove what
// others said, that stays.
func (b *Bot) clear(ctx context.Context, room id.RoomID, message id.EventID) {
	due := store.Redaction{EventID: message.String(), RoomID: room.String(), DueAt: time.Now().Add(clearAfter)}
	if err := b.Store.PlanRedaction(ctx, due); err != nil {
		b.Log.WithError(err).Warn("cannot write what is to be redacted")
	}
}

// addressed is a message that mentions an account, in the way in which clients
// do: agents may listen to nothing else.
func addressed(user id.UserID, text string) *event.MessageEventContent {
	content := message(reply.Doc{reply.P(reply.Link(user.URI().MatrixToURL(), user.String()), ": ", text)}, event.MsgText)
	content.Body = user.String() + ": " + text
	content.Mentions = &event.Mentions{UserIDs: []id.UserID{user}}
	return content
}

// readAgainEvery is the time between two tries to read what has no key yet.
const readAgainEvery = 500 * time.Millisecond

// listenTo gives the message with which heard was content.
func (b *Bot) listenTo(ctx context.Context, one *hearing, heard func(string) bool) (id.EventID, error) {
	tick := time.NewTicker(readAgainEvery)
	defer tick.Stop()
	var unread []*event.Event // the keys of which are on their way
	for {
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case evt := <-one.to:
			content, said := b.saidIn(ctx, evt)
			if said && heard(content) {
				return edited(evt), nil
			}
			if !said {
				unread = append(unread, evt)
				go b.chaseKey(ctx, evt)
			}
		case <-tick.C:
			for _, evt := range slices.Clone(unread) {
				content, said := b.saidIn(ctx, evt)
				if said && heard(content) {
					return edited(evt), nil
				}
				if said {
					unread = slices.DeleteFunc(unread, func(e *event.Event) bool { return e == evt })
				}
			}
		}
	}
}

// edited is the message that an event edits, else the event itself. How events
// belong together is not encrypted.
func edited(evt *event.Event) id.EventID {
	if relation := evt.Content.AsEncrypted().RelatesTo; relation != nil && relation.GetReplaceID() != "" {
		return relation.GetReplaceID()
	}
	return evt.ID
}

// saidIn is the text of an encrypted message, "" where it is none; false says
// that its key has not come yet.
func (b *Bot) saidIn(ctx context.Context, evt *event.Event) (text string, read bool) {
	plain, err := b.crypto.Decrypt(ctx, evt)
	switch {
	case errors.Is(err, crypto.ErrNoSessionFound):
		return "", false
	case err != nil:
		b.Log.WithError(err).WithField("event", evt.ID).Warn("cannot read what was said to me")
		return "", true
	case plain.Type != event.EventMessage:
		return "", true
	}
	content := plain.Content.AsMessage()
	if content.NewContent != nil {
		content = content.NewContent
	}
	return content.Body, true
}
