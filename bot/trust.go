package bot

import (
	"context"
	"errors"
	"fmt"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/command"
)

// Why a device may not command.
var (
	errUnsigned  = errors.New("the device is not signed by its owner's identity")
	errUnknown   = errors.New("the device is not known")
	errForwarded = errors.New("its key came from another device than the sender's")
	errIdentity  = errors.New("the owner's identity has changed")
)

// mayCommand decides whether the device that sent an event may command. An
// owner who has published a cross-signing identity is heard only from devices
// that it signed, and only while it is the first identity that the bot saw (or
// one taken by `fraktalia trust`); before that, from any device of the account.
func (b *Bot) mayCommand(ctx context.Context, evt *event.Event) error {
	if evt.Mautrix.ForwardedKeys {
		return errForwarded
	}
	if evt.Mautrix.TrustState == id.TrustStateDeviceKeyMismatch {
		return errUnknown
	}
	err := b.checkDevice(ctx, evt.Sender, evt.Mautrix.TrustSource)
	if err == nil {
		return nil
	}
	// Keys may have been published a moment ago: look at the server's, once.
	fetched, fetchErr := b.crypto.Machine().FetchKeys(ctx, []id.UserID{evt.Sender}, true)
	if fetchErr != nil {
		b.Log.WithError(fetchErr).Warn("cannot fetch an owner's keys")
		return err
	}
	if device := evt.Mautrix.TrustSource; device != nil {
		return b.checkDevice(ctx, evt.Sender, fetched[evt.Sender][device.DeviceID])
	}
	return err
}

func (b *Bot) checkDevice(ctx context.Context, user id.UserID, device *id.Device) error {
	if device == nil || device.Deleted {
		return errUnknown
	}
	keys := b.crypto.Machine().CryptoStore
	published, err := keys.GetCrossSigningKeys(ctx, user)
	if err != nil {
		return fmt.Errorf("read the owner's keys: %w", err)
	}
	master, ok := published[id.XSUsageMaster]
	if !ok {
		return nil
	}
	if master.Key != master.First {
		return errIdentity
	}
	// The library's own verdict counts a device verified by emoji too; here
	// only the identity's signature does.
	selfSigning := published[id.XSUsageSelfSigning].Key
	signed, err := keys.IsKeySignedBy(ctx, user, selfSigning, user, master.Key)
	if err == nil && signed {
		signed, err = keys.IsKeySignedBy(ctx, user, device.SigningKey, user, selfSigning)
	}
	if err != nil {
		return fmt.Errorf("read the owner's signatures: %w", err)
	}
	if !signed {
		return errUnsigned
	}
	return nil
}

// answerRefusal says in the room why a device was not heard, so that the
// device itself can read it.
func (b *Bot) answerRefusal(ctx context.Context, evt *event.Event, reason error) {
	if b.mark(ctx, evt.RoomID, evt.ID, failedMark) != nil {
		return
	}
	if _, err := b.replyToAll(ctx, evt.RoomID, evt.ID, refusalNotice(evt.Sender, reason), transaction(evt.ID, "refused")); err != nil {
		b.Log.WithError(err).Warn("could not say why a device was not heard")
	}
}

// keysOnlyForSigned tells whether room keys may be withheld from devices that
// their owners have not signed: when every owner has an identity.
func (b *Bot) keysOnlyForSigned(ctx context.Context) bool {
	for owner := range b.owners {
		published, err := b.crypto.Machine().CryptoStore.GetCrossSigningKeys(ctx, owner)
		if err != nil || published[id.XSUsageMaster].Key == "" {
			return false
		}
	}
	return true
}

// Identities implements command.Trust.
func (b *Bot) Identities(ctx context.Context) ([]command.Identity, error) {
	if !b.ready.Load() {
		return nil, errNotConnected
	}
	var list []command.Identity
	for _, owner := range b.Owners {
		if _, err := b.crypto.Machine().FetchKeys(ctx, []id.UserID{id.UserID(owner)}, true); err != nil {
			return nil, fmt.Errorf("fetch the keys of %s: %w", owner, err)
		}
		published, err := b.crypto.Machine().CryptoStore.GetCrossSigningKeys(ctx, id.UserID(owner))
		if err != nil {
			return nil, err
		}
		master := published[id.XSUsageMaster]
		list = append(list, command.Identity{User: owner, Pinned: master.First.Fingerprint(), Current: master.Key.Fingerprint()})
	}
	return list, nil
}

// TrustIdentity implements command.Trust. The library keeps the first key it
// saw beside the current one and has no call to replace it.
func (b *Bot) TrustIdentity(ctx context.Context, user, fingerprint string) error {
	return b.Store.InTransaction(ctx, func(ctx context.Context) error {
		published, err := b.crypto.Machine().CryptoStore.GetCrossSigningKeys(ctx, id.UserID(user))
		if err != nil {
			return fmt.Errorf("read the keys of %s: %w", user, err)
		}
		if published[id.XSUsageMaster].Key.Fingerprint() != fingerprint {
			return command.ErrIdentityMoved
		}
		_, err = b.Store.DB.Exec(ctx, "UPDATE crypto_cross_signing_keys SET first_seen_key=key WHERE user_id=$1", user)
		return err
	})
}
