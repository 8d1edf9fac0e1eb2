package bot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/crashpoint"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

// Confide implements command.Conversation. What is told is encrypted for owners
// alone, whoever else is in the room: an agent may be. It is sent as secretPart,
// the words last, so that they are what stands below.
func (t *talk) Confide(ctx context.Context, secret command.Confidence) error {
	for _, file := range secret.Files {
		sent, err := t.confideFile(ctx, file)
		if err != nil {
			return err
		}
		if err := t.vanish(ctx, sent, secret); err != nil {
			return err
		}
	}
	if len(secret.Doc) == 0 {
		return nil
	}
	content := message(secret.Doc, event.MsgNotice)
	content.RelatesTo = answerTo(t.evt)
	sent, err := t.bot.sendSealed(ctx, t.room, content, t.part(secretPart), t.bot.sealForOwners)
	if err != nil {
		return err
	}
	crashpoint.At("card.sent")
	if err := t.vanish(ctx, sent, secret); err != nil {
		return err
	}
	return t.bot.mark(ctx, t.room, sent, goneMark)
}

// confideFile attaches a file, and waits for a homeserver that is away: what is
// confided is in nobody's hands but ours.
func (t *talk) confideFile(ctx context.Context, file reply.File) (sent id.EventID, err error) {
	content, err := io.ReadAll(file.Body)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", file.Name, err)
	}
	err = t.bot.patiently(ctx, "hand a file over", func() (err error) {
		file.Body = bytes.NewReader(content)
		sent, err = t.attach(ctx, file, secretPart, t.bot.sealForOwners)
		return err
	})
	return sent, err
}

// vanish plans the end of a message that was sent as a secretPart, as soon as
// it stands in the room. Killed before the plan is written, the program plans it
// when the sync brings the event (noteOwn), by the name of its transaction.
func (t *talk) vanish(ctx context.Context, sent id.EventID, secret command.Confidence) error {
	return t.bot.Store.PlanRedaction(ctx, store.Redaction{EventID: sent.String(), RoomID: t.row.RoomID,
		DueAt: time.Now().Add(secret.Lifetime), Subject: secret.Subject})
}

// sealForOwners encrypts for owners alone. Where nobody else is in the room
// that is what seal does; else the message gets a room key of its own.
func (b *Bot) sealForOwners(ctx context.Context, room id.RoomID, content *event.MessageEventContent) (*event.EncryptedEventContent, error) {
	alone, err := b.ownersAlone(ctx, room)
	if err != nil {
		return nil, err
	}
	if alone {
		return b.seal(ctx, room, content)
	}
	if err := b.sending.take(ctx); err != nil {
		return nil, err
	}
	defer b.sending.release()
	if b.keysOnlyForSigned(ctx) {
		b.crypto.Machine().SendKeysMinTrust = id.TrustStateCrossSignedTOFU
	} else {
		b.crypto.Machine().SendKeysMinTrust = id.TrustStateUnset
	}
	keys := b.crypto.Machine().CryptoStore
	if err := keys.RemoveOutboundGroupSession(ctx, room); err != nil {
		return nil, err
	}
	sealed, err := b.encryptFor(ctx, room, content, b.readers())
	return sealed, errors.Join(err, keys.RemoveOutboundGroupSession(ctx, room))
}

// encryptFor shares a fresh room key with users and encrypts with it. It is
// called with the lock on sending held.
func (b *Bot) encryptFor(ctx context.Context, room id.RoomID, content *event.MessageEventContent, users []id.UserID) (*event.EncryptedEventContent, error) {
	encrypted, err := b.client.StateStore.IsEncrypted(ctx, room)
	if err != nil {
		return nil, err
	}
	if !encrypted {
		return nil, errPlain
	}
	if err := b.crypto.Machine().ShareGroupSession(ctx, room, users); err != nil {
		return nil, fmt.Errorf("share a room key: %w", err)
	}
	return b.crypto.Machine().EncryptMegolmEvent(ctx, room, event.EventMessage, content)
}

// readers are those who may read a secret.
func (b *Bot) readers() []id.UserID {
	list := []id.UserID{b.client.UserID}
	for owner := range b.owners {
		list = append(list, owner)
	}
	return list
}

// ownersAlone says that only owners and the bot are in a room or invited to it.
func (b *Bot) ownersAlone(ctx context.Context, room id.RoomID) (bool, error) {
	members, err := b.client.StateStore.GetRoomJoinedOrInvitedMembers(ctx, room)
	if err != nil {
		return false, fmt.Errorf("who is in %s: %w", room, err)
	}
	for _, member := range members {
		if member != b.client.UserID && !b.isOwner(member) {
			return false, nil
		}
	}
	return true, nil
}
