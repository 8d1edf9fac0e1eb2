// Package arrival follows people who were given access until they are in their
// rooms: it has their joining card taken out of the admin room once they have
// logged in, and tells that room who has come and who has not. It gives nobody
// access and takes none away.
package arrival

import (
	"context"
	"errors"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/githabideri/fraktalia/homeserver"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

const (
	// look is the time between two looks at who has come.
	look = 2 * time.Second
	// seldom is after how many looks a token is asked about again that nobody has
	// used at first: it may be good for months.
	seldom = 30
	// asked is how many accounts the homeserver is asked about at one look.
	asked = 10
	// patience is how long somebody is waited for.
	patience = 30 * 24 * time.Hour
)

// Room is where it is told, and who is in the others.
type Room interface {
	// HasJoined says whether an account is in a room. It costs nothing.
	HasJoined(ctx context.Context, room, userID string) bool
	// RoomName is what people call a room; "" where it has no name.
	RoomName(ctx context.Context, room string) string
	// Tell says something, or brings what was told before to its newest words.
	Tell(ctx context.Context, before string, doc reply.Doc) (message string, err error)
}

// Records is who is on their way.
type Records interface {
	Guests(ctx context.Context) ([]store.Guest, error)
	// Arrive notes when a guest had logged in and when they were in their rooms;
	// somebody who was removed meanwhile stays removed.
	Arrive(ctx context.Context, userID string, seen, joined time.Time) error
	ForgetGuest(ctx context.Context, userID string) error
	// TellParty notes what was told of a party, and by which message.
	TellParty(ctx context.Context, party, told, notice string) error
	// Vanish takes the messages about a subject out of the room.
	Vanish(ctx context.Context, subject string) error
}

// Options are what a Watch needs.
type Options struct {
	Room    Room
	Records Records
	// Server gives the homeserver's driver.
	Server func(context.Context) (homeserver.Driver, error)
	// Lifetime is how long a card stays in the room.
	Lifetime time.Duration
	Log      *logrus.Entry
}

// Watch follows everybody who is on their way.
type Watch struct {
	Options
	next  string // who is asked about first at the next look
	looks int
}

// New makes a Watch that does not look yet.
func New(o Options) *Watch { return &Watch{Options: o} }

// Run looks until ctx ends.
func (w *Watch) Run(ctx context.Context) error {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := w.look(ctx); err != nil && ctx.Err() == nil {
			w.Log.WithError(err).Warn("could not see who has come")
		}
	}
}

// look goes once through everybody whose card was shown.
func (w *Watch) look(ctx context.Context) error {
	guests, err := w.Records.Guests(ctx)
	if err != nil {
		return err
	}
	parties := map[string][]store.Guest{}
	var order []string
	questions := w.questions(guests)
	for _, g := range guests {
		if g.ShownAt.IsZero() {
			continue
		}
		if err := w.follow(ctx, &g, questions[g.UserID]); err != nil {
			return err
		}
		if len(parties[g.Party]) == 0 {
			order = append(order, g.Party)
		}
		parties[g.Party] = append(parties[g.Party], g)
	}
	for _, party := range order {
		if err := w.tell(ctx, party, parties[party]); err != nil {
			return err
		}
	}
	return nil
}

// questions picks those about whom the homeserver is asked this time, in turn:
// who has not been seen, and has a card or a token that is still good.
func (w *Watch) questions(guests []store.Guest) map[string]bool {
	w.looks++
	var open []string
	first := 0
	for _, g := range guests {
		gone := time.Since(g.ShownAt) > w.Lifetime
		if g.ShownAt.IsZero() || !g.SeenAt.IsZero() || gone && (time.Now().After(g.TokenUntil) || w.looks%seldom != 0) {
			continue
		}
		if g.UserID == w.next {
			first = len(open)
		}
		open = append(open, g.UserID)
	}
	picked := map[string]bool{}
	for i := range min(asked, len(open)) {
		picked[open[(first+i)%len(open)]] = true
	}
	if len(open) > asked {
		w.next = open[(first+asked)%len(open)]
	}
	return picked
}

// follow finds out how far somebody has come, and writes down what is new.
func (w *Watch) follow(ctx context.Context, g *store.Guest, ask bool) error {
	before := *g
	in := 0
	for _, room := range g.Rooms {
		if w.Room.HasJoined(ctx, room, g.UserID) {
			in++
		}
	}
	if g.SeenAt.IsZero() && (in > 0 || ask && w.loggedIn(ctx, *g)) {
		g.SeenAt = time.Now()
		if err := w.Records.Vanish(ctx, g.UserID); err != nil {
			return err
		}
	}
	if g.JoinedAt.IsZero() && !g.SeenAt.IsZero() && in == len(g.Rooms) {
		g.JoinedAt = time.Now()
	}
	if g.SeenAt.Equal(before.SeenAt) && g.JoinedAt.Equal(before.JoinedAt) {
		return nil
	}
	return w.Records.Arrive(ctx, g.UserID, g.SeenAt, g.JoinedAt)
}

// loggedIn asks the homeserver whether somebody has a session; of a token,
// whether the account is there. What it cannot tell shows when they join.
func (w *Watch) loggedIn(ctx context.Context, g store.Guest) bool {
	driver, err := w.Server(ctx)
	if err == nil && g.Token != "" {
		_, err = driver.User(ctx, g.UserID)
		if errors.As(err, new(homeserver.ErrNotFound)) {
			return false
		}
	}
	var devices []homeserver.Device
	if err == nil {
		devices, err = driver.Devices(ctx, g.UserID)
	}
	if err != nil {
		w.Log.WithError(err).Debugf("could not ask whether %s has logged in", g.UserID)
	}
	return len(devices) > 0
}
