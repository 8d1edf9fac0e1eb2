package client

import (
	"context"
	"sync"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// Event is one thing that happened in a room, as this device saw it.
type Event struct {
	ID       id.EventID
	Room     id.RoomID
	Sender   id.UserID
	Type     string // after decryption, as m.room.message
	StateKey *string
	Content  event.Content
	Sent     time.Time // the server's clock
	Seen     time.Time // ours, after decryption

	Encrypted bool          // it travelled encrypted
	Device    id.DeviceID   // the sending device, where the keys tell it
	Trust     id.TrustState // of that device, as far as this one knows
	Broken    error         // why it could not be decrypted, else nil
}

// Signed says whether the event came from a device that its owner's
// cross-signing identity has signed, which is what keeps other people's
// clients from showing a red shield.
func (e Event) Signed() bool {
	return e.Encrypted && e.Broken == nil && e.Trust >= id.TrustStateCrossSignedTOFU
}

// RelatesTo is the event's relation, empty where it has none.
func (e Event) RelatesTo() event.RelatesTo {
	if rel, ok := e.Content.Parsed.(event.Relatable); ok {
		if r := rel.OptionalGetRelatesTo(); r != nil {
			return *r
		}
	}
	return event.RelatesTo{}
}

// Record keeps every event that a device has seen, in the order in which they
// became readable.
type Record struct {
	mu     sync.Mutex
	events []Event
	known  map[id.EventID]int
	news   chan struct{}
}

func newRecord() *Record {
	return &Record{known: map[id.EventID]int{}, news: make(chan struct{})}
}

// Events is a copy of all that was seen in room, or everywhere where room is
// empty.
func (r *Record) Events(room id.RoomID) []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Event
	for _, e := range r.events {
		if room == "" || e.Room == room {
			out = append(out, e)
		}
	}
	return out
}

// Find is the event with this id.
func (r *Record) Find(eventID id.EventID) (Event, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i, ok := r.known[eventID]
	if !ok {
		return Event{}, false
	}
	return r.events[i], true
}

// add keeps e; an event that could not be read before is replaced by its
// readable self, at the end.
func (r *Record) add(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i, ok := r.known[e.ID]; ok {
		if r.events[i].Broken == nil {
			return
		}
		r.events[i].ID = ""
	}
	r.known[e.ID] = len(r.events)
	r.events = append(r.events, e)
	close(r.news)
	r.news = make(chan struct{})
}

func (r *Record) changed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.news)
	r.news = make(chan struct{})
}

func (r *Record) next() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.news
}

// Wait returns once done says so; it asks after every piece of news.
func (r *Record) Wait(ctx context.Context, done func() bool) error {
	for {
		news := r.next()
		if done() {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// observe keeps what the sync brings, except ciphertext: that is kept once
// it is decrypted, or once it turns out that it cannot be.
func (c *Client) observe(_ context.Context, evt *event.Event) {
	if evt.RoomID == "" || evt.ID == "" || evt.Mautrix.EventSource&event.SourceDecrypted != 0 {
		return
	}
	if evt.Type.Type == event.EventEncrypted.Type && evt.Unsigned.RedactedBecause == nil {
		return
	}
	c.Record.add(asEvent(evt))
}

func (c *Client) decrypted(ctx context.Context, evt *event.Event) {
	c.Record.add(asEvent(evt))
	if steered := c.verifier.steer(evt); steered != nil {
		c.syncer.Dispatch(ctx, steered)
	}
}

func (c *Client) undecryptable(evt *event.Event, err error) {
	broken := asEvent(evt)
	broken.Encrypted, broken.Broken = true, err
	c.Record.add(broken)
}

func asEvent(evt *event.Event) Event {
	e := Event{
		ID: evt.ID, Room: evt.RoomID, Sender: evt.Sender, Type: evt.Type.Type,
		StateKey: evt.StateKey, Content: evt.Content,
		Sent: time.UnixMilli(evt.Timestamp), Seen: time.Now(),
		Encrypted: evt.Mautrix.WasEncrypted, Trust: evt.Mautrix.TrustState,
	}
	if evt.Mautrix.TrustSource != nil {
		e.Device = evt.Mautrix.TrustSource.DeviceID
	}
	if evt.Type.Type == event.EventRedaction.Type && evt.Redacts != "" {
		e.Content.Parsed = &event.RedactionEventContent{Redacts: evt.Redacts}
	}
	return e
}
