package bot

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/reply"
)

// stopLimit bounds what is still said when the program stops.
const stopLimit = 4 * time.Second

// transaction names a sending after the command it belongs to: after a crash
// the same one is used again, and the server makes no second event of it
// (Synapse remembers for 24 hours).
func transaction(evt id.EventID, what string) string {
	return "fraktalia-" + strings.TrimPrefix(evt.String(), "$") + "-" + what
}

// reply answers an event with a new message and returns its id.
func (b *Bot) reply(ctx context.Context, room id.RoomID, to id.EventID, doc reply.Doc, txn string) (id.EventID, error) {
	content := message(doc, event.MsgNotice)
	content.RelatesTo = answerTo(to)
	return b.send(ctx, room, content, txn)
}

// replyToAll answers so that every device of the room's members can read it,
// also those that get no keys otherwise: who is refused should read why. The
// room key is used for this message alone.
func (b *Bot) replyToAll(ctx context.Context, room id.RoomID, to id.EventID, doc reply.Doc, txn string) (id.EventID, error) {
	content := message(doc, event.MsgNotice)
	content.RelatesTo = answerTo(to)
	return b.sendSealed(ctx, room, content, txn, b.sealForAll)
}

// edit replaces the text of a message of ours.
func (b *Bot) edit(ctx context.Context, room id.RoomID, target id.EventID, doc reply.Doc, txn string) error {
	content := message(doc, event.MsgNotice)
	content.SetEdit(target)
	_, err := b.send(ctx, room, content, txn)
	return err
}

// Alert says something in the admin room that nobody asked for. It is a plain
// message and no notice, so that clients tell people of it.
func (b *Bot) Alert(ctx context.Context, doc reply.Doc) {
	if !b.ready.Load() {
		return
	}
	if _, err := b.send(ctx, b.places.admin(), message(doc, event.MsgText), ""); err != nil {
		b.Log.WithError(err).Errorf("could not tell the admin room: %s", doc.Text())
	}
}

// mostText is the most that one message says, in bytes. An event may have 64 kB;
// an edit carries its text twice, and encryption adds a third.
const mostText = 20 << 10

// message makes an event's content. It mentions nobody: a name in an answer
// shall not ring anybody's telephone.
func message(doc reply.Doc, kind event.MessageType) *event.MessageEventContent {
	content := &event.MessageEventContent{MsgType: kind, Body: doc.Text(), Mentions: &event.Mentions{}}
	if html := doc.HTML(); len(content.Body)+len(html) <= mostText {
		content.Format, content.FormattedBody = event.FormatHTML, html
	}
	if len(content.Body) > mostText {
		content.Body = strings.ToValidUTF8(content.Body[:mostText], "") + "\n… and more than a message holds. The same command in the shell shows all of it."
	}
	return content
}

// send encrypts and sends, and waits for a homeserver that is away. There is
// no way past the encryption: a room that is not encrypted is an error.
func (b *Bot) send(ctx context.Context, room id.RoomID, content *event.MessageEventContent, txn string) (id.EventID, error) {
	return b.sendSealed(ctx, room, content, txn, b.seal)
}

// turn is a lock for which one can stop waiting.
type turn chan struct{}

func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turn) release() { <-t }

// sealer encrypts a message for a room.
type sealer func(context.Context, id.RoomID, *event.MessageEventContent) (*event.EncryptedEventContent, error)

func (b *Bot) sendSealed(ctx context.Context, room id.RoomID, content *event.MessageEventContent, txn string, seal sealer) (id.EventID, error) {
	if txn == "" {
		txn = b.client.TxnID()
	}
	var sent *mautrix.RespSendEvent
	err := b.patiently(ctx, "send a message", func() error {
		encrypted, err := seal(ctx, room, content)
		if err != nil {
			return err
		}
		sent, err = b.client.SendMessageEvent(ctx, room, event.EventEncrypted, encrypted,
			mautrix.ReqSendEvent{TransactionID: txn, DontEncrypt: true})
		return err
	})
	if err != nil {
		return "", fmt.Errorf("send to %s: %w", room, err)
	}
	return sent.EventID, nil
}

// errPlain says that a room is not encrypted.
var errPlain = errors.New("the room is not encrypted")

// seal encrypts for those who may read the room: in the admin room devices
// that their owners have signed, as soon as all owners have an identity.
func (b *Bot) seal(ctx context.Context, room id.RoomID, content *event.MessageEventContent) (*event.EncryptedEventContent, error) {
	if err := b.sending.take(ctx); err != nil {
		return nil, err
	}
	defer b.sending.release()
	trust := id.TrustStateUnset
	if room == b.places.admin() && b.keysOnlyForSigned(ctx) {
		trust = id.TrustStateCrossSignedTOFU
	}
	return b.encrypt(ctx, room, content, trust)
}

// sealForAll encrypts for every device, with a room key of its own.
func (b *Bot) sealForAll(ctx context.Context, room id.RoomID, content *event.MessageEventContent) (*event.EncryptedEventContent, error) {
	if err := b.sending.take(ctx); err != nil {
		return nil, err
	}
	defer b.sending.release()
	keys := b.crypto.Machine().CryptoStore
	if err := keys.RemoveOutboundGroupSession(ctx, room); err != nil {
		return nil, err
	}
	sealed, err := b.encrypt(ctx, room, content, id.TrustStateUnset)
	return sealed, errors.Join(err, keys.RemoveOutboundGroupSession(ctx, room))
}

// encrypt is called with the lock on sending held.
func (b *Bot) encrypt(ctx context.Context, room id.RoomID, content *event.MessageEventContent, trust id.TrustState) (*event.EncryptedEventContent, error) {
	encrypted, err := b.client.StateStore.IsEncrypted(ctx, room)
	if err != nil {
		return nil, err
	}
	if !encrypted {
		return nil, errPlain
	}
	b.crypto.Machine().SendKeysMinTrust = trust
	return b.crypto.Encrypt(ctx, room, event.EventMessage, content)
}

// mark puts a reaction on an event; one that is there already is fine.
func (b *Bot) mark(ctx context.Context, room id.RoomID, evt id.EventID, key string) error {
	_, err := b.react(ctx, room, evt, key)
	if duplicate(err) || (err != nil && ctx.Err() == nil && !unreachable(err)) {
		if !duplicate(err) {
			b.Log.WithError(err).WithField("event", evt).Warn("could not react")
		}
		return nil
	}
	return err
}

// react sends a reaction. Sent again it is the same event: the transaction is
// named after what it is put on.
func (b *Bot) react(ctx context.Context, room id.RoomID, evt id.EventID, key string) (sent id.EventID, err error) {
	err = b.patiently(ctx, "react", func() error {
		answer, err := b.client.SendMessageEvent(ctx, room, event.EventReaction, &event.ReactionEventContent{
			RelatesTo: event.RelatesTo{Type: event.RelAnnotation, EventID: evt, Key: key},
		}, mautrix.ReqSendEvent{TransactionID: transaction(evt, "mark-"+key), DontEncrypt: true})
		if err == nil {
			sent = answer.EventID
		}
		return err
	})
	return sent, err
}

// unmark takes a reaction of ours away again.
func (b *Bot) unmark(ctx context.Context, room id.RoomID, evt id.EventID, key string) {
	sent, err := b.react(ctx, room, evt, key)
	if err == nil {
		err = b.redact(ctx, room, sent)
	}
	if err != nil {
		b.Log.WithError(err).WithField("event", evt).Info("could not take a reaction away")
	}
}

// duplicate says that the reaction stands there already (Client-Server API,
// "Avoiding duplicate annotations").
func duplicate(err error) bool {
	var answer mautrix.HTTPError
	return errors.As(err, &answer) && answer.RespError != nil && answer.RespError.ErrCode == "M_DUPLICATE_ANNOTATION"
}

// redact takes a message of ours out of the room.
func (b *Bot) redact(ctx context.Context, room id.RoomID, evt id.EventID) error {
	err := b.patiently(ctx, "redact", func() error {
		_, err := b.client.RedactEvent(ctx, room, evt, mautrix.ReqRedact{TxnID: transaction(evt, "redact"), Reason: "over"})
		return err
	})
	var answer mautrix.HTTPError
	if errors.As(err, &answer) && answer.Response != nil && answer.Response.StatusCode == http.StatusNotFound {
		return nil
	}
	return err
}
