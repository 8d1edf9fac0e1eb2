package bot

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/store"
)

const (
	// askForKeyAfter is how long a room key may be on its way by itself.
	askForKeyAfter = 3 * time.Second
	// tellUnreadAfter is when people are told that a message cannot be read.
	tellUnreadAfter = 25 * time.Second
	// forgetUnreadAfter is when its key is not waited for any more.
	forgetUnreadAfter = time.Hour
)

// noteUnread keeps an event whose room key has not come: the key often comes
// after the event, and the program may be restarted in between.
func (b *Bot) noteUnread(ctx context.Context, evt *event.Event) {
	text, err := json.Marshal(evt)
	if err != nil {
		b.Log.WithError(err).WithField("event", evt.ID).Error("cannot keep an event")
		return
	}
	brought := batchOf(ctx)
	brought.unread = append(brought.unread, store.Undecrypted{
		EventID: evt.ID.String(), RoomID: evt.RoomID.String(),
		SessionID: evt.Content.AsEncrypted().SessionID.String(), Event: string(text), SentAt: time.UnixMilli(evt.Timestamp),
	})
	b.work.after(func(ctx context.Context) { b.chaseKey(ctx, evt) })
}

// chaseKey asks for a room key that does not come by itself.
func (b *Bot) chaseKey(ctx context.Context, evt *event.Event) {
	content := evt.Content.AsEncrypted()
	//nolint:staticcheck // the sender's device narrows whom to ask; without it all devices are asked
	sender, device := content.SenderKey, content.DeviceID
	if b.crypto.WaitForSession(ctx, evt.RoomID, sender, content.SessionID, askForKeyAfter) {
		select {
		case b.keysCame <- content.SessionID:
		case <-ctx.Done():
		}
		return
	}
	b.crypto.RequestSession(ctx, evt.RoomID, sender, content.SessionID, evt.Sender, device)
}

// readLate reads kept events when their keys come, and tells of those whose
// keys do not.
func (b *Bot) readLate(ctx context.Context) {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case session := <-b.keysCame:
			b.retryUnread(ctx, session)
		case <-tick.C:
			b.retryUnread(ctx, "")
		}
	}
}

func (b *Bot) retryUnread(ctx context.Context, session id.SessionID) {
	kept, err := b.Store.UndecryptedOf(ctx, session.String())
	if err != nil {
		b.Log.WithError(err).Error("cannot read the kept events")
		return
	}
	for _, u := range kept {
		if err := b.retryOne(ctx, u); err != nil {
			b.Log.WithError(err).WithField("event", u.EventID).Warn("cannot read a kept event")
		}
	}
}

// retryOne reads one kept event. Its command, if it is one, and the end of the
// keeping are one transaction.
func (b *Bot) retryOne(ctx context.Context, u store.Undecrypted) error {
	evt, err := keptEvent(u)
	if err != nil {
		return errors.Join(err, b.Store.ForgetUndecrypted(ctx, u.EventID))
	}
	plain, err := b.crypto.Decrypt(ctx, evt)
	if errors.Is(err, crypto.ErrNoSessionFound) {
		return b.stillUnread(ctx, u)
	}
	if err != nil {
		return errors.Join(err, b.Store.ForgetUndecrypted(ctx, u.EventID))
	}
	if seen, err := b.ranBefore(ctx, u.RoomID, u.EventID, u.SentAt); err != nil {
		return err
	} else if seen {
		return b.Store.ForgetUndecrypted(ctx, u.EventID)
	}
	brought := &batch{}
	b.onPlain(context.WithValue(ctx, batchKey{}, brought), plain)
	var fresh []store.Command
	err = b.Store.InTransaction(ctx, func(ctx context.Context) error {
		if fresh, err = b.writeDown(ctx, brought.commands); err != nil {
			return err
		}
		return b.Store.ForgetUndecrypted(ctx, u.EventID)
	})
	if err == nil {
		b.work.take(fresh)
	}
	return err
}

func keptEvent(u store.Undecrypted) (*event.Event, error) {
	evt := &event.Event{}
	if err := json.Unmarshal([]byte(u.Event), evt); err != nil {
		return nil, err
	}
	evt.RoomID, evt.Type.Class = id.RoomID(u.RoomID), event.MessageEventType
	return evt, evt.Content.ParseRaw(evt.Type)
}

// stillUnread tells of a message that cannot be read, once, and lets go of it
// in the end.
func (b *Bot) stillUnread(ctx context.Context, u store.Undecrypted) error {
	age := time.Since(u.StoredAt)
	switch {
	case age > forgetUnreadAfter:
		return b.Store.ForgetUndecrypted(ctx, u.EventID)
	case age > tellUnreadAfter && !u.Told:
		room, evt := id.RoomID(u.RoomID), id.EventID(u.EventID)
		if _, err := b.reply(ctx, room, evt, unreadNotice(), transaction(evt, "unread")); err != nil {
			return err
		}
		return b.Store.TellUndecrypted(ctx, u.EventID)
	}
	return nil
}
