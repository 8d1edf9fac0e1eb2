package command

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sync/errgroup"

	"github.com/githabideri/fraktalia/forwarder"
	"github.com/githabideri/fraktalia/reply"
)

const (
	// watchFirst and watchLast are the times between two looks at a forward: at
	// one that is new or has changed, and at one that has long been as it is.
	// Where nothing but a file is looked at, it is never longer than watchSeen.
	watchFirst = time.Second
	watchLast  = 15 * time.Second
	watchSeen  = 2 * time.Second
	// watchFresh is how long a forward is looked at as often as that.
	watchFresh = time.Minute
	// settleDown is how long a service must be away to be told: one that is
	// started anew is not. One that has come is told at once.
	settleDown = 5 * time.Second
	// After quickNotes of one forward there is at least noteEvery between two,
	// and after mostNotes it is left in peace; an hour without one makes up for
	// that.
	quickNotes = 3
	noteEvery  = time.Minute
	mostNotes  = 10
	forgotten  = time.Hour
)

// standing is how a forward is, as far as people are told of changes.
type standing string

const (
	answers standing = "answers"
	silent  standing = "silent"
	held    standing = "held" // by another program
	unclear standing = ""     // nobody can tell for the moment
)

// Notes is where the watch speaks.
type Notes interface {
	// Note says something that rings nobody's telephone.
	Note(ctx context.Context, name string, doc reply.Doc) error
}

// Watch looks at the forwards that are open, and tells when what is behind one
// has changed since people were told of it.
type Watch struct {
	services Services
	notes    Notes
	log      *logrus.Entry
	poked    chan struct{}

	mu      sync.Mutex
	ports   map[forwarder.Key]*watched
	telling bool
	tasks   sync.WaitGroup
}

// watched is one forward.
type watched struct {
	opened time.Time // tells it from an earlier one of the same port
	told   standing  // what people know; unclear where they were not told
	seen   standing
	since  time.Time // of seen
	next   time.Time // look
	pause  time.Duration
	noted  time.Time // the last note
	count  int
}

// Watch makes the watch of the forwards that c's commands open.
func (c *Commands) Watch(notes Notes, log *logrus.Entry) *Watch {
	return &Watch{services: c.services, notes: notes, log: log, poked: make(chan struct{}, 1), ports: map[forwarder.Key]*watched{}}
}

// Told notes what people were told of a port just now.
func (w *Watch) Told(key forwarder.Key, answering bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.services.Forwards.List() {
		if s.Key() != key {
			continue
		}
		now := standingOf(s)
		switch {
		case answering:
			now = answers
		case now != held:
			now = silent
		}
		w.ports[key] = &watched{opened: s.Since, told: now, seen: now, since: w.now(), next: w.now().Add(watchFirst), pause: watchFirst}
	}
	w.poke()
}

// Poke makes the watch look at all forwards now: something has changed.
func (w *Watch) Poke() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.ports {
		p.next, p.pause = time.Time{}, watchFirst
	}
	w.poke()
}

func (w *Watch) poke() {
	select {
	case w.poked <- struct{}{}:
	default:
	}
}

func (w *Watch) now() time.Time { return (&run{Services: w.services}).now() }

// Run watches until ctx ends.
func (w *Watch) Run(ctx context.Context) error {
	defer w.tasks.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.poked:
		case <-timer.C:
		}
		next := w.Look(ctx)
		timer.Reset(min(max(next.Sub(w.now()), watchFirst/4), watchLast))
	}
}

// Look looks at the forwards that are due, tells what has changed, and says
// when the next one is due.
func (w *Watch) Look(ctx context.Context) (next time.Time) {
	list := w.services.Forwards.List()
	w.meet(list)
	w.glance(ctx, list)
	w.mu.Lock()
	defer w.mu.Unlock()
	var news []forwarder.Status
	next = w.now().Add(watchLast)
	for _, s := range list {
		p := w.ports[s.Key()]
		if p.next.Before(next) {
			next = p.next
		}
		if w.isNews(p) {
			news = append(news, s)
		}
	}
	if len(news) > 0 && !w.telling {
		w.telling = true
		w.tasks.Go(func() { w.tell(ctx, news) })
	}
	return next
}

// meet makes the watched what is open.
func (w *Watch) meet(list []forwarder.Status) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, p := range w.ports {
		if !slices.ContainsFunc(list, func(s forwarder.Status) bool { return s.Key() == key && s.Since.Equal(p.opened) }) {
			delete(w.ports, key)
		}
	}
	for _, s := range list {
		if w.ports[s.Key()] == nil {
			w.ports[s.Key()] = &watched{opened: s.Since, pause: watchFirst}
		}
	}
}

// glance sees how the forwards are that are due.
func (w *Watch) glance(ctx context.Context, list []forwarder.Status) {
	ctx, cancel := context.WithTimeout(ctx, probeWait)
	defer cancel()
	var looking errgroup.Group
	looking.SetLimit(probesAtOnce)
	for _, s := range list {
		if w.due(s.Key()) {
			looking.Go(func() error { now, outside := w.standing(ctx, s); w.see(s.Key(), now, outside); return nil })
		}
	}
	_ = looking.Wait() // none of them fails
}

func (w *Watch) due(key forwarder.Key) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.ports[key]
	return p != nil && !w.now().Before(p.next)
}

// standing sees how one is. Where it can be seen from outside whether the port
// is open inside, no connection is tried: some services write each one down.
// With UDP there is no trying at all.
func (w *Watch) standing(ctx context.Context, s forwarder.Status) (now standing, outside bool) {
	if now := standingOf(s); s.State != forwarder.Serving || now == held {
		return now, true
	}
	listening, seen := w.services.Forwards.Listening(s.Sandbox, s.UDP)
	if s.UDP {
		return bound(listening, seen, s.To), true
	}
	at := slices.DeleteFunc(listening, func(a netip.AddrPort) bool { return int(a.Port()) != s.To })
	if seen && len(at) == 0 {
		return silent, true
	}
	if seen && slices.ContainsFunc(at, func(a netip.AddrPort) bool { return a.Addr().IsUnspecified() }) && len(s.Sandbox.Addrs) > 0 {
		return answers, true
	}
	if _, err := w.services.Forwards.Probe(ctx, s.Key()); err == nil {
		return answers, false
	}
	if ctx.Err() != nil {
		return unclear, false
	}
	return silent, false
}

// bound is the standing of a forward for UDP.
func bound(addrs []netip.AddrPort, seen bool, port int) standing {
	switch {
	case !seen:
		return unclear
	case boundTo(addrs, port):
		return answers
	}
	return silent
}

func standingOf(s forwarder.Status) standing {
	var taken *forwarder.InUseError // one of its addresses is enough
	switch {
	case s.State == forwarder.Held || errors.As(s.Err, &taken):
		return held
	case s.State == forwarder.Unknown:
		return unclear
	}
	return silent
}

// see notes how a forward is, and when to look again.
func (w *Watch) see(key forwarder.Key, now standing, outside bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.ports[key]
	if p == nil {
		return
	}
	if now != unclear && now != p.seen {
		p.seen, p.since, p.pause = now, w.now(), watchFirst
	}
	if p.told == unclear && p.seen != held {
		p.told = p.seen // was open before the program started: nothing new
	}
	if w.now().Sub(p.since) > watchFresh {
		p.pause = min(p.pause*3/2, watchLast)
	}
	if outside {
		p.pause = min(p.pause, watchSeen)
	}
	p.next = w.now().Add(p.pause)
}

// isNews says whether people are to be told of a forward now.
func (w *Watch) isNews(p *watched) bool {
	now := w.now()
	if now.Sub(p.noted) > forgotten {
		p.count = 0
	}
	if p.seen == unclear || p.seen == p.told || p.count >= mostNotes || p.count >= quickNotes && now.Sub(p.noted) < noteEvery {
		return false
	}
	return p.seen != silent || now.Sub(p.since) >= settleDown
}

// tell says what has changed, in one message. How the forwards are is looked
// at anew for the words; one that has changed back is left out.
func (w *Watch) tell(ctx context.Context, news []forwarder.Status) {
	r := &run{Services: w.services}
	rows := r.rows(ctx, news, nil)
	var lines []reply.Line
	groups := map[standing][]forwarder.Key{}
	last := false
	w.mu.Lock()
	for i, s := range news {
		p := w.ports[s.Key()]
		if p == nil || p.seen == p.told || (p.seen == answers) != (rows[i].Way != "") {
			continue
		}
		p.told, p.noted = p.seen, w.now()
		p.count++
		last = last || p.count == mostNotes
		groups[p.seen] = append(groups[p.seen], s.Key())
		lines = append(lines, reply.Line{p.seen.mark(), " Port ", reply.Bold("%s", s.Key()), ": ", rows[i].Behind})
	}
	w.mu.Unlock()
	if len(lines) > 3 {
		lines = groupLines(groups)
	}
	if last {
		lines = append(lines, reply.Line{"That changes often, so I say no more about it for now; ", reply.Mono("!forwards"), " tells how it stands."})
	}
	if len(lines) > 0 {
		err := w.notes.Note(ctx, fmt.Sprintf("watch-%d", time.Now().UnixNano()), reply.Doc{reply.Lines{Items: lines}})
		if err != nil && ctx.Err() == nil {
			w.log.WithError(err).Warn("could not tell what changed behind a port")
		}
	}
	w.mu.Lock()
	w.telling = false
	w.mu.Unlock()
	w.poke()
}

func (s standing) mark() string {
	return map[standing]string{answers: "✅", silent: "⏳", held: "❌"}[s]
}

// groupLines are for many at once, as when a sandbox is made anew.
func groupLines(groups map[standing][]forwarder.Key) (lines []reply.Line) {
	for _, group := range []struct {
		standing  standing
		one, more string
	}{
		{answers, "answers now", "answer now"},
		{silent, "does not answer any more", "do not answer any more"},
		{held, "is taken by another program; I try again", "are taken by other programs; I try again"},
	} {
		for _, udp := range []bool{false, true} {
			var ports []int
			for _, key := range groups[group.standing] {
				if key.UDP == udp {
					ports = append(ports, key.Port)
				}
			}
			if len(ports) > 0 {
				lines = append(lines, reply.Line{group.standing.mark(), " ", plural(len(ports), "Port ", "Ports "), reply.Bold("%s", join(ports)),
					map[bool]string{true: " for datagrams"}[udp], " ", plural(len(ports), group.one, group.more), "."})
			}
		}
	}
	return lines
}
