package client

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.mau.fi/util/jsontime"
	"maunium.net/go/mautrix/crypto/verificationhelper"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// Emoji is the short authentication string as people compare it.
type Emoji struct {
	Pictures string   // seven emoji, spaces between
	Words    []string // their names in English
}

// verifier drives mautrix's emoji verification and tells its steps to the
// one who waits for them.
type verifier struct {
	helper *verificationhelper.VerificationHelper
	store  verificationhelper.VerificationStore
	me     id.UserID

	mu    sync.Mutex
	steps map[id.VerificationTransactionID]chan step
}

// step is one turn of a verification: ready, emoji shown, ended.
type step struct {
	ready bool
	emoji *Emoji
	ended bool
	err   error
}

func newVerifier(ctx context.Context, c *Client) (*verifier, error) {
	v := &verifier{
		store: &lockedStore{inner: verificationhelper.NewInMemoryVerificationStore()},
		me:    c.UserID,
		steps: map[id.VerificationTransactionID]chan step{},
	}
	v.helper = verificationhelper.NewVerificationHelper(c.matrix, c.crypto.Machine(), v.store, v, false, false, true)
	if err := v.helper.Init(ctx); err != nil {
		return nil, fmt.Errorf("emoji verification: %w", err)
	}
	return v, nil
}

// steer makes in-room verification work in spite of mautrix v0.30.0, which
// looks transactions up by the wrong event id and stumbles over our own
// echoes (mautrix/go issues 554 and 555). Nil means: do not pass it on.
func (v *verifier) steer(evt *event.Event) *event.Event {
	if !strings.HasPrefix(evt.Type.Type, "m.key.verification.") {
		return evt
	}
	if evt.Sender == v.me {
		return nil
	}
	steered := *evt
	if rel, ok := evt.Content.Parsed.(event.Relatable); ok && rel.OptionalGetRelatesTo() != nil {
		steered.ID = rel.OptionalGetRelatesTo().EventID
	}
	return &steered
}

// VerifyInRoom asks user in room for an emoji verification and goes through
// it; same is shown our emoji and says whether the other side's are the same.
func (c *Client) VerifyInRoom(ctx context.Context, room id.RoomID, user id.UserID, same func(Emoji) bool) error {
	request := &event.MessageEventContent{
		MsgType:    event.MsgVerificationRequest,
		Body:       string(c.UserID) + " asks you to compare emoji.",
		FromDevice: c.DeviceID,
		Methods:    []event.VerificationMethod{event.VerificationMethodSAS},
		To:         user,
	}
	sent, err := c.matrix.SendMessageEvent(ctx, room, event.EventMessage, request)
	if err != nil {
		return fmt.Errorf("ask %s for a verification: %w", user, err)
	}
	txn := id.VerificationTransactionID(sent.EventID)
	if err := c.verifier.begin(ctx, txn, room, user); err != nil {
		return err
	}
	return c.verifier.follow(ctx, txn, same)
}

// begin notes a request that this client has sent. mautrix's own way to send
// one (StartInRoomVerification, v0.30.0) encrypts it twice, so that nobody can
// read it.
func (v *verifier) begin(ctx context.Context, txn id.VerificationTransactionID, room id.RoomID, user id.UserID) error {
	err := v.store.SaveVerificationTransaction(ctx, verificationhelper.VerificationTransaction{
		ExpirationTime:    jsontime.UM(time.Now().Add(10 * time.Minute)),
		RoomID:            room,
		VerificationState: verificationhelper.VerificationStateRequested,
		TransactionID:     txn,
		TheirUserID:       user,
	})
	if err != nil {
		return fmt.Errorf("note the verification %s: %w", txn, err)
	}
	return nil
}

// VerifyToDevice does the same by messages between devices, as clients that
// have no room with the other do.
func (c *Client) VerifyToDevice(ctx context.Context, user id.UserID, same func(Emoji) bool) error {
	if _, err := c.crypto.Machine().FetchKeys(ctx, []id.UserID{user}, true); err != nil {
		return fmt.Errorf("devices of %s: %w", user, err)
	}
	txn, err := c.verifier.helper.StartVerification(ctx, user)
	if err != nil {
		return fmt.Errorf("ask %s for a verification: %w", user, err)
	}
	return c.verifier.follow(ctx, txn, same)
}

func (v *verifier) follow(ctx context.Context, txn id.VerificationTransactionID, same func(Emoji) bool) error {
	steps := v.stepsOf(txn)
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("verification %s: %w", txn, ctx.Err())
		case s := <-steps:
			if s.ended {
				return s.err
			}
			if err := v.answer(ctx, txn, s, same); err != nil {
				return err
			}
		}
	}
}

func (v *verifier) answer(ctx context.Context, txn id.VerificationTransactionID, s step, same func(Emoji) bool) error {
	switch {
	case s.ready:
		return v.helper.StartSAS(ctx, txn)
	case s.emoji != nil && same(*s.emoji):
		return v.helper.ConfirmSAS(ctx, txn)
	case s.emoji != nil:
		return v.helper.CancelVerification(ctx, txn, event.VerificationCancelCodeSASMismatch, "the emoji differ")
	}
	return nil
}

func (v *verifier) stepsOf(txn id.VerificationTransactionID) chan step {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.steps[txn] == nil {
		v.steps[txn] = make(chan step, 16)
	}
	return v.steps[txn]
}

// VerificationRequested is for mautrix; this client only asks, never accepts.
func (v *verifier) VerificationRequested(context.Context, id.VerificationTransactionID, id.UserID, id.DeviceID) {
}

// VerificationReady is for mautrix: the other side has accepted.
func (v *verifier) VerificationReady(_ context.Context, txn id.VerificationTransactionID, _ id.DeviceID, _, _ bool, _ *verificationhelper.QRCode) {
	v.stepsOf(txn) <- step{ready: true}
}

// VerificationCancelled is for mautrix.
func (v *verifier) VerificationCancelled(_ context.Context, txn id.VerificationTransactionID, code event.VerificationCancelCode, reason string) {
	v.stepsOf(txn) <- step{ended: true, err: fmt.Errorf("verification cancelled: %s (%s)", reason, code)}
}

// VerificationDone is for mautrix.
func (v *verifier) VerificationDone(_ context.Context, txn id.VerificationTransactionID, _ event.VerificationMethod) {
	v.stepsOf(txn) <- step{ended: true}
}

// ShowSAS is for mautrix: both sides now show the same emoji, or somebody is
// in between.
func (v *verifier) ShowSAS(_ context.Context, txn id.VerificationTransactionID, emojis []rune, words []string, _ []int) {
	var pictures []string
	for _, r := range emojis {
		pictures = append(pictures, string(r))
	}
	v.stepsOf(txn) <- step{emoji: &Emoji{Pictures: strings.Join(pictures, " "), Words: words}}
}
