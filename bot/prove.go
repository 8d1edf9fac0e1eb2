package bot

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto/signatures"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// EncryptionProof is what was found of the bot's encryption.
type EncryptionProof struct {
	Rooms  int      // that the server says are encrypted
	Plain  []string // that the server says are not
	Signed bool     // the bot's device, as the server shows it to others
	Broken error    // why a message could not be encrypted and decrypted; nil where it could
	Unread int      // messages whose room key has not come
}

// ProveEncryption asks the server whether the bot's rooms are encrypted and how
// it shows the bot's device to others, and encrypts a message for the admin
// room and decrypts it again. Nothing is sent.
func (b *Bot) ProveEncryption(ctx context.Context) (p EncryptionProof, err error) {
	if !b.ready.Load() {
		return p, errNotConnected
	}
	for _, room := range []id.RoomID{b.places.admin(), b.places.chat()} {
		var set event.EncryptionEventContent
		err := b.client.StateEvent(ctx, room, event.StateEncryption, "", &set)
		switch {
		case err == nil && set.Algorithm == id.AlgorithmMegolmV1:
			p.Rooms++
		case err == nil || errors.Is(err, mautrix.MNotFound):
			p.Plain = append(p.Plain, room.String())
		default:
			return p, fmt.Errorf("ask whether %s is encrypted: %w", room, err)
		}
	}
	if p.Signed, err = b.shownSigned(ctx); err != nil {
		return p, err
	}
	p.Broken = b.sealAndOpen(ctx)
	unread, err := b.Store.UndecryptedOf(ctx, "")
	p.Unread = len(unread)
	return p, err
}

// shownSigned says whether the bot's device, as the server shows it, is ours
// and signed by an identity that is ours.
func (b *Bot) shownSigned(ctx context.Context) (bool, error) {
	me, machine := b.client.UserID, b.crypto.Machine()
	shown, err := b.client.QueryKeys(ctx, &mautrix.ReqQueryKeys{DeviceKeys: mautrix.DeviceKeysRequest{me: {b.client.DeviceID}}})
	if err != nil {
		return false, fmt.Errorf("ask how our device is shown: %w", err)
	}
	identity, err := machine.GetOwnCrossSigningPublicKeys(ctx)
	if err != nil || identity == nil {
		return false, err
	}
	device, own := shown.DeviceKeys[me][b.client.DeviceID], machine.OwnIdentity()
	signer, master := shown.SelfSigningKeys[me], shown.MasterKeys[me]
	if device.Keys.GetEd25519(b.client.DeviceID) != own.SigningKey || signer.FirstKey() != identity.SelfSigningKey || master.FirstKey() != identity.MasterKey {
		return false, nil
	}
	byIdentity, err := signatures.VerifySignatureJSON(device, me, signer.FirstKey().String(), signer.FirstKey())
	if err != nil || !byIdentity {
		return false, nil // what is not there or no signature signs nothing
	}
	byMaster, err := signatures.VerifySignatureJSON(signer, me, master.FirstKey().String(), master.FirstKey())
	return err == nil && byMaster, nil
}

// sealAndOpen encrypts a message for the admin room and decrypts it as anybody
// who is given the room's key would.
func (b *Bot) sealAndOpen(ctx context.Context) error {
	room, words := b.places.admin(), uuid.NewString()
	sealed, err := b.seal(ctx, room, &event.MessageEventContent{MsgType: event.MsgNotice, Body: words})
	if err != nil {
		return fmt.Errorf("encrypt: %w", err)
	}
	opened, err := b.crypto.Decrypt(ctx, &event.Event{
		ID: id.EventID("$doctor-" + words), Sender: b.client.UserID, RoomID: room, Type: event.EventEncrypted, Timestamp: time.Now().UnixMilli(),
		Content: event.Content{Parsed: sealed},
	})
	if err != nil {
		return fmt.Errorf("decrypt: %w", err)
	}
	if said := opened.Content.AsMessage(); said == nil || said.Body != words {
		return errors.New("what was decrypted is not what was encrypted")
	}
	return nil
}
