package bot

import (
	"context"
	"fmt"
	"time"

	"maunium.net/go/mautrix/event"

	"github.com/githabideri/fraktalia/reply"
)

// offerLimit is how long an offer stands. People may be asleep when the bot
// has something to offer.
const offerLimit = 24 * time.Hour

// Offer says something in the admin room that no command asked for, with one
// ✅ under it, and waits until an owner clicks it (yes) or the offer is over.
// It waits for a bot that is not in its rooms yet.
func (b *Bot) Offer(ctx context.Context, doc reply.Doc) (yes bool, err error) {
	if err := b.awaitReady(ctx); err != nil {
		return false, err
	}
	sent, err := b.send(ctx, b.places.admin(), message(doc, event.MsgText), "")
	if err != nil {
		return false, fmt.Errorf("offer: %w", err)
	}
	clicked := make(chan string, 1)
	b.clicks.await(sent, clicked, doneMark)
	defer b.clicks.forget(sent)
	if err := b.mark(ctx, b.places.admin(), sent, doneMark); err != nil {
		return false, fmt.Errorf("offer: %w", err)
	}
	select {
	case <-clicked:
		return true, nil
	case <-time.After(offerLimit):
		b.unmark(ctx, b.places.admin(), sent, doneMark)
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// readyPause is the pause between two looks whether the rooms are open.
const readyPause = 200 * time.Millisecond
