package bot

import (
	"context"
	"fmt"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/reply"
)

// Announce says something in the admin room that no command asked for, with keys
// under it to be clicked, and returns what names the message. It waits for a
// bot that is not in its rooms yet and for a homeserver that is away. Said
// again under the same name it is no second message, also after a restart.
func (b *Bot) Announce(ctx context.Context, name string, doc reply.Doc, keys ...string) (ref string, err error) {
	if err := b.awaitReady(ctx); err != nil {
		return "", err
	}
	sent, err := b.send(ctx, b.places.admin(), message(doc, event.MsgText), "fraktalia-"+name)
	if err != nil {
		return "", fmt.Errorf("tell the admin room: %w", err)
	}
	for _, key := range keys {
		if err := b.mark(ctx, b.places.admin(), sent, key); err != nil {
			return "", fmt.Errorf("tell the admin room: %w", err)
		}
	}
	return sent.String(), nil
}

// Note is Announce without keys, in a tone that rings nobody's telephone.
func (b *Bot) Note(ctx context.Context, name string, doc reply.Doc) error {
	if err := b.awaitReady(ctx); err != nil {
		return err
	}
	if _, err := b.send(ctx, b.places.admin(), message(doc, event.MsgNotice), "fraktalia-"+name); err != nil {
		return fmt.Errorf("tell the admin room: %w", err)
	}
	return nil
}

// Retell changes what a message of Announce says, and takes keys away from under
// it.
func (b *Bot) Retell(ctx context.Context, ref string, doc reply.Doc, keys ...string) error {
	if err := b.awaitReady(ctx); err != nil {
		return err
	}
	if err := b.edit(ctx, b.places.admin(), id.EventID(ref), doc, ""); err != nil {
		return fmt.Errorf("change what the admin room was told: %w", err)
	}
	b.unmarkAll(ctx, b.places.admin(), id.EventID(ref), keys)
	return nil
}

// Await waits until an owner clicks one of keys under a message of Announce, also
// one of an earlier run of the program. It listens before it returns the
// function that waits.
func (b *Bot) Await(ref string, keys ...string) (wait func(ctx context.Context) (key string, err error)) {
	clicked := make(chan string, 1)
	b.clicks.await(id.EventID(ref), clicked, keys...)
	return func(ctx context.Context) (string, error) {
		defer b.clicks.forget(id.EventID(ref))
		select {
		case key := <-clicked:
			return key, nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// awaitReady waits until the rooms are open.
func (b *Bot) awaitReady(ctx context.Context) error {
	for !b.ready.Load() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(readyPause):
		}
	}
	return nil
}
