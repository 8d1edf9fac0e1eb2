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
	_, err := b.send(ctx, one.room, addressed(one.user, text), "")
	switch {
	case errors.Is(err, errPlain):
		return &command.PlainRoom{ID: room}
	case err != nil:
		return b.worldly("say something in "+room, err)
	}
	return b.listenTo(ctx, one, heard)
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

func (b *Bot) listenTo(ctx context.Context, one *hearing, heard func(string) bool) error {
	tick := time.NewTicker(readAgainEvery)
	defer tick.Stop()
	var unread []*event.Event // the keys of which are on their way
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case evt := <-one.to:
			content, said := b.saidIn(ctx, evt)
			if said && heard(content) {
				return nil
			}
			if !said {
				unread = append(unread, evt)
				go b.chaseKey(ctx, evt)
			}
		case <-tick.C:
			for _, evt := range slices.Clone(unread) {
				content, said := b.saidIn(ctx, evt)
				if said && heard(content) {
					return nil
				}
				if said {
					unread = slices.DeleteFunc(unread, func(e *event.Event) bool { return e == evt })
				}
			}
		}
	}
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
