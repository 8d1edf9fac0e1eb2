package bot

import (
	"context"
	"slices"
	"strings"
	"sync"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto/verificationhelper"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// openVerification lets owners verify the bot by emoji.
func (b *Bot) openVerification(ctx context.Context) error {
	b.verifier = verificationhelper.NewVerificationHelper(b.client, b.crypto.Machine(), nil, &verification{bot: b, partner: map[id.VerificationTransactionID]partner{}}, false, false, true)
	return b.verifier.Init(ctx)
}

const verificationPrefix = "m.key.verification."

// isVerification tells the events of an emoji verification in a room.
func isVerification(evt *event.Event) bool {
	if strings.HasPrefix(evt.Type.Type, verificationPrefix) {
		return true
	}
	return evt.Type == event.EventMessage && evt.Content.AsMessage().MsgType == event.MsgVerificationRequest
}

// onVerification hands a decrypted verification event of a room to the library.
func (b *Bot) onVerification(ctx context.Context, evt *event.Event) {
	if b.steer(evt) {
		b.syncer.inner.Dispatch(ctx, evt)
	}
}

// steerPlain does the same for verification events that were sent without
// encryption, as Element's crypto sends all but the first of them (they hold
// nothing secret): they reach the library without passing through our hands.
func (b *Bot) steerPlain(response *mautrix.RespSync) {
	for _, room := range response.Rooms.Join {
		room.Timeline.Events = slices.DeleteFunc(room.Timeline.Events, func(evt *event.Event) bool {
			return strings.HasPrefix(evt.Type.Type, verificationPrefix) && !b.steer(evt)
		})
	}
}

// steer tells whether a verification event is for the library, and puts its id
// right. The library (v0.30.0) looks a transaction up by the event's own id,
// where the specification names the id of the request that the event relates
// to, and so finds none (mautrix/go #554, #555). It also takes echoes of our
// own events for the other side's.
func (b *Bot) steer(evt *event.Event) bool {
	if evt.Sender == b.client.UserID {
		return false
	}
	if !b.isOwner(evt.Sender) {
		b.Log.WithField("sender", evt.Sender).Info("verification not begun: the sender is no owner")
		return false
	}
	relation, _ := evt.Content.Raw["m.relates_to"].(map[string]any)
	if request, ok := relation["event_id"].(string); ok && evt.Type.Type != event.EventMessage.Type {
		evt.ID = id.EventID(request)
	}
	return true
}

// verification takes the library's callbacks. The bot's own yes is given
// without a look at the emoji, and is worth as much: it goes to devices only
// that may command already, and makes none of them more trusted than before,
// while the owner's client learns that it talks to this very bot when its
// emoji are those in the log.
type verification struct {
	bot *Bot

	mu      sync.Mutex
	partner map[id.VerificationTransactionID]partner
}

type partner struct {
	user   id.UserID
	device id.DeviceID
}

func (v *verification) VerificationRequested(ctx context.Context, txn id.VerificationTransactionID, from id.UserID, device id.DeviceID) {
	if !v.bot.isOwner(from) {
		return
	}
	v.mu.Lock()
	v.partner[txn] = partner{from, device}
	v.mu.Unlock()
	v.bot.work.after(func(ctx context.Context) {
		if err := v.bot.verifier.AcceptVerification(ctx, txn); err != nil {
			v.bot.Log.WithError(err).Warn("could not take part in a verification")
		}
	})
}

func (v *verification) VerificationReady(context.Context, id.VerificationTransactionID, id.DeviceID, bool, bool, *verificationhelper.QRCode) {
}

func (v *verification) VerificationCancelled(_ context.Context, txn id.VerificationTransactionID, code event.VerificationCancelCode, reason string) {
	v.bot.Log.WithField("code", code).Infof("verification cancelled: %s", reason)
	v.take(txn)
}

// VerificationDone takes back what the library has stored: a device counts by
// its owner's signature and by nothing else.
func (v *verification) VerificationDone(ctx context.Context, txn id.VerificationTransactionID, _ event.VerificationMethod) {
	v.bot.Log.Info("verified by an owner")
	with := v.take(txn)
	keys := v.bot.crypto.Machine().CryptoStore
	device, err := keys.GetDevice(ctx, with.user, with.device)
	if err == nil && device != nil {
		device.Trust = id.TrustStateUnset
		err = keys.PutDevice(ctx, with.user, device)
	}
	if err != nil {
		v.bot.Log.WithError(err).Error("a verified device keeps a trust of its own")
	}
}

// ShowSAS writes the emoji to the log, where the owner compares them: not to
// the room, which is what is being verified.
func (v *verification) ShowSAS(ctx context.Context, txn id.VerificationTransactionID, emojis []rune, names []string, _ []int) {
	shown := make([]string, len(emojis))
	for i := range emojis {
		shown[i] = string(emojis[i]) + " " + names[i]
	}
	v.bot.Log.Infof("verification: the emoji are %s", strings.Join(shown, ", "))
	v.bot.work.after(func(ctx context.Context) { v.confirm(ctx, txn) })
}

// confirm says yes to a device that may command, and ends the verification
// with any other.
func (v *verification) confirm(ctx context.Context, txn id.VerificationTransactionID) {
	v.mu.Lock()
	with := v.partner[txn]
	v.mu.Unlock()
	device, err := v.bot.crypto.Machine().GetOrFetchDevice(ctx, with.user, with.device)
	if err == nil {
		err = v.bot.checkDevice(ctx, with.user, device)
	}
	if err != nil {
		v.bot.Log.WithError(err).Warn("verification refused")
		err = v.bot.verifier.CancelVerification(ctx, txn, event.VerificationCancelCodeKeyMismatch, "sign this device with your own identity first")
	} else {
		err = v.bot.verifier.ConfirmSAS(ctx, txn)
	}
	if err != nil {
		v.bot.Log.WithError(err).Warn("could not confirm a verification")
	}
}

func (v *verification) take(txn id.VerificationTransactionID) partner {
	v.mu.Lock()
	defer v.mu.Unlock()
	with := v.partner[txn]
	delete(v.partner, txn)
	return with
}
