package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/crashpoint"
	"github.com/githabideri/fraktalia/store"
)

// syncer is the library's syncer without its Dispatch method: so the library
// does not decrypt by itself (it would hold what it cannot read in memory
// only), and every event comes to us as it was sent.
type syncer struct{ inner *mautrix.DefaultSyncer }

func newSyncer() *syncer { return &syncer{mautrix.NewDefaultSyncer()} }

func (s *syncer) OnSync(f mautrix.SyncHandler)                     { s.inner.OnSync(f) }
func (s *syncer) OnEvent(f mautrix.EventHandler)                   { s.inner.OnEvent(f) }
func (s *syncer) OnEventType(t event.Type, f mautrix.EventHandler) { s.inner.OnEventType(t, f) }
func (s *syncer) GetFilterJSON(user id.UserID) *mautrix.Filter     { return s.inner.GetFilterJSON(user) }
func (s *syncer) OnFailedSync(*mautrix.RespSync, error) (time.Duration, error) {
	return 0, errors.New("not used: follow keeps its own loop")
}

// ProcessResponse hands a response's events to their handlers.
func (s *syncer) ProcessResponse(ctx context.Context, response *mautrix.RespSync, since string) error {
	return s.inner.ProcessResponse(ctx, response, since)
}

const (
	// syncTokenKey names the place in the server's stream up to which
	// everything is in our own record.
	syncTokenKey = "sync_token"
	// filter leaves out what a bot has no use for.
	filter = `{"presence":{"types":[]},"room":{"ephemeral":{"types":[]},"timeline":{"limit":50}}}`
	// pollFor is how long the server may hold a request without news.
	pollFor = 30 * time.Second
	// awayNotice is how long the server must be away for people to be told.
	awayNotice = 20 * time.Second
)

// firstSync learns the rooms when there is no token yet. Nothing that was said
// before is a command.
func (b *Bot) firstSync(ctx context.Context) error {
	since, err := b.Store.Setting(ctx, syncTokenKey)
	if err != nil || since != "" {
		return err
	}
	return b.patiently(ctx, "first sync", func() error {
		response, err := b.client.FullSyncRequest(ctx, mautrix.ReqSync{FilterID: filter})
		if err != nil {
			return err
		}
		for _, room := range response.Rooms.Join {
			room.Timeline.Events = onlyState(room.Timeline.Events)
		}
		return b.take(ctx, response, "")
	})
}

func onlyState(events []*event.Event) (state []*event.Event) {
	for _, evt := range events {
		if evt.StateKey != nil {
			state = append(state, evt)
		}
	}
	return state
}

// follow reads the server's stream until ctx ends.
func (b *Bot) follow(ctx context.Context) error {
	wait, pause := time.Duration(0), time.Duration(0)
	var since time.Time // the first failure of a row; zero while all is well
	for ctx.Err() == nil {
		err := b.followOnce(ctx, wait)
		switch {
		case err == nil:
			if away := time.Since(since); !since.IsZero() && away > awayNotice {
				b.work.after(func(ctx context.Context) { b.Alert(ctx, awayFor(away)) })
			}
			wait, pause, since = pollFor, 0, time.Time{}
			continue
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, mautrix.MUnknownToken):
			return fmt.Errorf("the homeserver does not know our session any more: %w", err)
		}
		if since.IsZero() {
			since = time.Now()
		}
		pause = min(max(2*pause, 500*time.Millisecond), 10*time.Second)
		b.Log.WithError(err).Warnf("sync failed; trying again in %s", pause)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	return nil
}

// followOnce asks for news, for which the server may let us wait.
func (b *Bot) followOnce(ctx context.Context, wait time.Duration) error {
	since, err := b.Store.Setting(ctx, syncTokenKey)
	if err != nil {
		return err
	}
	request := mautrix.ReqSync{Since: since, FilterID: filter, Timeout: int(wait.Milliseconds())}
	patience, cancel := context.WithTimeout(ctx, pollFor+30*time.Second)
	defer cancel()
	response, err := b.client.FullSyncRequest(patience, request)
	if err != nil {
		return err
	}
	if err := b.fillGaps(ctx, response, since); err != nil {
		return err
	}
	return b.take(ctx, response, since)
}

// fillGaps fetches what the server left out of a limited timeline: after a
// long time away there may be more messages than a response carries. Of the
// admin room all of it is wanted, of the rooms in which people talk only what
// is young enough to be run.
func (b *Bot) fillGaps(ctx context.Context, response *mautrix.RespSync, since string) error {
	admin := b.places.admin()
	if admin == "" {
		return nil
	}
	for roomID, room := range response.Rooms.Join {
		if !room.Timeline.Limited {
			continue
		}
		var oldest time.Time
		if roomID != admin {
			oldest = time.Now().Add(-oldAfter)
		}
		missing, err := b.leftOut(ctx, roomID, room.Timeline.PrevBatch, since, oldest)
		if err != nil {
			return fmt.Errorf("fetch what a limited timeline left out: %w", err)
		}
		slices.Reverse(missing)
		room.Timeline.Events = append(missing, room.Timeline.Events...)
	}
	return nil
}

// leftOut lists a room's events between two places of the stream, the newest
// first, until one is older than oldest.
func (b *Bot) leftOut(ctx context.Context, room id.RoomID, from, since string, oldest time.Time) (missing []*event.Event, err error) {
	for from != "" {
		page, err := b.client.Messages(ctx, room, from, since, mautrix.DirectionBackward, nil, 100)
		if err != nil && !unreachable(err) {
			b.Log.WithError(err).Error("the homeserver does not give what a limited timeline left out")
			return missing, nil
		}
		if err != nil {
			return nil, err
		}
		for _, evt := range page.Chunk {
			if time.UnixMilli(evt.Timestamp).Before(oldest) {
				return missing, nil
			}
			missing = append(missing, evt)
		}
		if len(page.Chunk) == 0 || page.End == from {
			return missing, nil
		}
		from = page.End
	}
	return missing, nil
}

// batch is what one response brought.
type batch struct {
	commands []store.Command
	unread   []store.Undecrypted
	clicks   []decision
}

type batchKey struct{}

func batchOf(ctx context.Context) *batch {
	if found, ok := ctx.Value(batchKey{}).(*batch); ok {
		return found
	}
	return &batch{}
}

// take processes a response and writes what it brought into the record,
// together with the token that says so. Killed before that, it is asked for
// again; killed after, the journal has it.
func (b *Bot) take(ctx context.Context, response *mautrix.RespSync, since string) error {
	brought := &batch{}
	b.steerPlain(response)
	if err := b.syncer.ProcessResponse(context.WithValue(ctx, batchKey{}, brought), response, since); err != nil {
		// A panic inside the library: with the same input it would come
		// again for ever, so this response is given up and told.
		b.Log.WithError(err).Error("a sync response could not be processed; its events are lost")
	}
	if err := b.dropSeen(ctx, brought); err != nil {
		return err
	}
	fresh, decided, err := b.record(ctx, brought, response.NextBatch)
	if err != nil {
		return err
	}
	if len(decided) > 0 {
		crashpoint.At("proposal.decided")
	}
	for _, p := range decided {
		b.work.after(func(ctx context.Context) { b.showDecision(ctx, p) })
	}
	if len(fresh) > 0 {
		crashpoint.At("journal.stored")
	}
	b.work.take(fresh)
	return nil
}

// record writes a batch and its token in one transaction and returns the
// commands that are to be run, and the proposals that were decided.
func (b *Bot) record(ctx context.Context, brought *batch, token string) (fresh []store.Command, decided []store.Proposal, err error) {
	err = b.Store.InTransaction(ctx, func(ctx context.Context) error {
		if fresh, err = b.writeDown(ctx, brought.commands); err != nil {
			return err
		}
		approved, settled, err := b.decide(ctx, brought.clicks)
		if err != nil {
			return err
		}
		fresh, decided = append(fresh, approved...), settled
		for _, u := range brought.unread {
			if err := b.Store.KeepUndecrypted(ctx, u); err != nil {
				return err
			}
		}
		return b.Store.SetSetting(ctx, syncTokenKey, token)
	})
	return fresh, decided, err
}

// writeDown adds commands to the journal and returns those that are to be run.
func (b *Bot) writeDown(ctx context.Context, commands []store.Command) (fresh []store.Command, err error) {
	for _, c := range commands {
		id, isNew, err := b.Store.AddCommand(ctx, c)
		if err != nil {
			return nil, err
		}
		if c.ID = id; isNew && c.State != store.Dropped {
			c.State = store.New
			fresh = append(fresh, c)
		}
	}
	return fresh, nil
}

// dropSeen marks the commands that carry the bot's own 👀 but stand in no
// journal: the database is an older copy, they have run before. So have those
// that it cannot read for want of keys that it once had. What was said since
// the bot began needs no look; the server's answer is no measure of that, for
// Synapse keeps an answer for two minutes and gives it again.
func (b *Bot) dropSeen(ctx context.Context, brought *batch) error {
	dropped := 0
	for i := range brought.commands {
		c := &brought.commands[i]
		seen, err := b.ranBefore(ctx, c.RoomID, c.EventID, c.SentAt)
		if err != nil {
			return err
		}
		if seen {
			c.State, dropped = store.Dropped, dropped+1
		}
	}
	unread := brought.unread[:0]
	for _, u := range brought.unread {
		seen, err := b.ranBefore(ctx, u.RoomID, u.EventID, u.SentAt)
		if err != nil {
			return err
		}
		if seen {
			dropped++
			continue
		}
		unread = append(unread, u)
	}
	brought.unread = unread
	if err := b.dropDecided(ctx, brought); err != nil {
		return err
	}
	if dropped > 0 {
		b.work.after(func(ctx context.Context) { b.Alert(ctx, restoredNotice(dropped)) })
	}
	return nil
}

// dropDecided leaves out clicks on proposals that have run before.
func (b *Bot) dropDecided(ctx context.Context, brought *batch) error {
	clicks := brought.clicks[:0]
	for _, click := range brought.clicks {
		err := b.notRunBefore(ctx, click.proposal)
		var over *command.ProposalOver
		switch {
		case errors.As(err, &over):
			continue
		case err != nil:
			return err
		}
		clicks = append(clicks, click)
	}
	brought.clicks = clicks
	return nil
}

// clockSlack covers that a server tells its time in whole seconds.
const clockSlack = 2 * time.Second

// ranBefore tells of a command that stands in no journal and carries our mark.
func (b *Bot) ranBefore(ctx context.Context, room, evt string, sent time.Time) (bool, error) {
	if sent.After(b.begun.Add(clockSlack)) {
		return false, nil
	}
	if _, known, err := b.Store.CommandOf(ctx, evt); err != nil || known {
		return false, err
	}
	seen, err := b.marked(ctx, id.RoomID(room), id.EventID(evt), seenMark)
	if err != nil && !unreachable(err) {
		// Asking again would give the same answer for ever, and what cannot
		// be told is not run.
		b.Log.WithError(err).WithField("event", evt).Error("not run: its marks cannot be looked at")
		return true, nil
	}
	if seen {
		b.Log.WithField("event", evt).Warn("not run: it carries our mark, so it has run before")
	}
	return seen, err
}

// marked asks the server whether the bot has put one of keys on an event.
func (b *Bot) marked(ctx context.Context, room id.RoomID, evt id.EventID, keys ...string) (bool, error) {
	request := &mautrix.ReqGetRelations{RelationType: event.RelAnnotation, EventType: event.EventReaction, Limit: 50}
	for {
		page, err := b.client.GetRelations(ctx, room, evt, request)
		if err != nil {
			return false, fmt.Errorf("look for our marks on %s: %w", evt, err)
		}
		for _, reaction := range page.Chunk {
			relation, _ := reaction.Content.Raw["m.relates_to"].(map[string]any)
			key, _ := relation["key"].(string)
			if reaction.Sender == b.client.UserID && slices.Contains(keys, key) {
				return true, nil
			}
		}
		if request.From = page.NextBatch; request.From == "" {
			return false, nil
		}
	}
}
