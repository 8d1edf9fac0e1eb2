package bot

import (
	"context"
	"fmt"
	"sync"
	"time"

	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

const (
	// editEvery is the least time between two edits of one message.
	editEvery = 1500 * time.Millisecond
	// askLimit is how long a question waits for its answer.
	askLimit = 10 * time.Minute
	// secretPart marks the transactions of messages that are to vanish.
	secretPart = "secret"
	// secretLifetime is when such a message vanishes at the latest.
	secretLifetime = 30 * time.Minute
	// goneMark is put under a message that vanishes on a click.
	goneMark = "🗑️"
)

// talk is the conversation about one command: one answer that is edited, and
// what stands beside it. It implements command.Conversation.
type talk struct {
	bot  *Bot
	ctx  context.Context // of what is shown meanwhile; a little longer than the command's
	row  store.Command
	room id.RoomID
	// evt is the event that is answered; name is the row's own, after which the
	// transactions are called.
	evt, name id.EventID
	// letOthersRun lets the next command of the lane begin.
	letOthersRun func()

	mu      sync.Mutex
	latest  reply.Doc
	changed chan struct{} // holds one: latest is newer than what is shown
	shown   id.EventID    // the answer, once it is sent
	shownAt time.Time     // when the answer was last sent or edited
	puts    int           // how often the answer was sent or edited, or that was tried
	parts   int
	stop    chan struct{} // closed: show nothing new; nil before the first Update
	stopped chan struct{} // closed when nothing is shown any more
}

func newTalk(ctx context.Context, b *Bot, row store.Command) *talk {
	return &talk{bot: b, ctx: ctx, row: row, room: id.RoomID(row.RoomID), evt: target(row), name: id.EventID(row.EventID), letOthersRun: alone, changed: make(chan struct{}, 1)}
}

// Update implements command.Conversation: what is newest is shown, at most
// once every editEvery.
func (t *talk) Update(doc reply.Doc) {
	t.mu.Lock()
	t.latest = doc
	if t.stop == nil {
		t.stop, t.stopped = make(chan struct{}), make(chan struct{})
		go t.show()
	}
	t.mu.Unlock()
	select {
	case t.changed <- struct{}{}:
	default:
	}
}

// show brings the newest text into the room until it is told to stop. What is
// on its way then is not cut off: nobody would know whether it arrived.
func (t *talk) show() {
	defer close(t.stopped)
	for {
		select {
		case <-t.stop:
			return
		case <-t.changed:
		}
		t.mu.Lock()
		doc := t.latest
		t.mu.Unlock()
		if err := t.put(t.ctx, doc); err != nil && t.ctx.Err() == nil {
			t.bot.logRow(t.row).WithError(err).Warn("could not show how it goes")
		}
		select {
		case <-t.stop:
			return
		case <-time.After(editEvery):
		}
	}
}

// put sends the answer, or edits it. Where an earlier try failed the server may
// have taken it all the same, and gives that event again for its transaction:
// then an edit brings the newest text.
func (t *talk) put(ctx context.Context, doc reply.Doc) error {
	t.mu.Lock()
	shown, puts := t.shown, t.puts
	t.puts++
	t.mu.Unlock()
	// Counted from the server's answer, so that one which arrived late is not
	// followed at once.
	defer func() {
		t.mu.Lock()
		t.shownAt = time.Now()
		t.mu.Unlock()
	}()
	if shown == "" {
		sent, err := t.bot.reply(ctx, t.room, t.evt, doc, transaction(t.name, "answer"))
		if err != nil {
			return err
		}
		t.mu.Lock()
		t.shown = sent
		t.mu.Unlock()
		if puts == 0 {
			return nil
		}
		shown = sent
	}
	return t.bot.edit(ctx, t.room, shown, doc, transaction(t.name, fmt.Sprintf("edit-%d", puts)))
}

// end shows the final answer. A Doc without blocks leaves what is there: the
// command has said everything itself.
func (t *talk) end(ctx context.Context, doc reply.Doc) error {
	t.mu.Lock()
	stop, stopped := t.stop, t.stopped
	t.mu.Unlock()
	if stop != nil {
		close(stop)
		select {
		case <-stopped:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if len(doc) == 0 {
		return nil
	}
	t.mu.Lock()
	wait := time.Until(t.shownAt.Add(editEvery))
	t.mu.Unlock()
	if wait > 0 {
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	return t.put(ctx, doc)
}

// Cancelable implements command.Conversation: an ❌ under the answer, for as
// long as there is something to stop.
func (t *talk) Cancelable(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	t.bot.work.after(func(context.Context) { t.offerCancel(ctx, cancel) })
	return ctx, cancel
}

func (t *talk) offerCancel(ctx context.Context, cancel context.CancelFunc) {
	target := t.awaitShown(ctx)
	if target == "" {
		return
	}
	clicked := make(chan string, 1)
	t.bot.clicks.await(target, clicked, failedMark)
	defer t.bot.clicks.forget(target)
	if t.bot.mark(ctx, t.room, target, failedMark) != nil {
		return
	}
	select {
	case <-clicked:
		cancel()
	case <-ctx.Done():
	}
	t.bot.work.after(func(ctx context.Context) { t.bot.unmark(ctx, t.room, target, failedMark) })
}

// awaitShown waits until there is an answer to put something under.
func (t *talk) awaitShown(ctx context.Context) id.EventID {
	for ctx.Err() == nil {
		t.mu.Lock()
		shown := t.shown
		t.mu.Unlock()
		if shown != "" {
			return shown
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
	return ""
}

// part names the transaction of a message beside the answer.
func (t *talk) part(what string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.parts++
	return transaction(t.name, fmt.Sprintf("%s-%d", what, t.parts))
}
