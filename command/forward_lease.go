package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/githabideri/fraktalia/crashpoint"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

// Room is where the program speaks without being asked.
type Room interface {
	// Announce says something, with keys under it to be clicked, and returns what
	// names the message. Said again under the same name it is no second one.
	Announce(ctx context.Context, name string, doc reply.Doc, keys ...string) (ref string, err error)
	// Retell changes what a message says, and takes keys away from under it.
	Retell(ctx context.Context, ref string, doc reply.Doc, keys ...string) error
	// Await listens for an owner's click on one of keys, and returns what waits
	// for it.
	Await(ref string, keys ...string) (wait func(context.Context) (key string, err error))
}

const (
	// tellBefore is how long before its end a lease is told of; one that is
	// shorter than twice that, at its half.
	tellBefore = 10 * time.Minute
	// lookAgain bounds how long the leases sleep: the clock may be set.
	lookAgain = 30 * time.Second
	// prolongKey is the reaction that prolongs.
	prolongKey = "✅"
)

// Leases end forwards whose time is over, tell of it before and after, and
// prolong them on a click. All of it stands in the record, so that it goes on
// after a restart.
type Leases struct {
	services Services
	lanes    *lanes
	room     Room
	log      *logrus.Entry
	changed  chan struct{}

	mu      sync.Mutex
	waiting map[string]time.Time // messages whose clicks are awaited
	telling map[string]bool      // messages under way, by name
	tasks   sync.WaitGroup
}

// Leases makes the leases of the forwards that c's commands open. They share
// the commands' lane.
func (c *Commands) Leases(room Room, log *logrus.Entry) *Leases {
	l := &Leases{services: c.services, lanes: &c.shared.lanes, room: room, log: log, changed: make(chan struct{}, 1),
		waiting: map[string]time.Time{}, telling: map[string]bool{}}
	c.shared.leases = l
	return l
}

// look makes Run look at the record now.
func (l *Leases) look() {
	if l == nil {
		return
	}
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// Run keeps the leases until ctx ends. What ended while the program did not
// run is closed and told first.
func (l *Leases) Run(ctx context.Context) error {
	defer l.tasks.Wait()
	for {
		wait := lookAgain
		next, err := l.Tick(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			l.log.WithError(err).Error("cannot keep the leases of ports")
		case !next.IsZero():
			wait = min(max(next.Sub(l.now()), 0), lookAgain)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-l.changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

func (l *Leases) now() time.Time { return (&run{Services: l.services}).now() }

// Tick does all that is due now, and says when the next thing is; zero is
// nothing.
func (l *Leases) Tick(ctx context.Context) (next time.Time, err error) {
	var open []store.Forward
	err = l.lanes.in(ctx, forwardsLane, func() (err error) {
		open, err = l.endDue(ctx)
		return err
	})
	if err != nil {
		return next, err
	}
	ended, err := l.services.Records.EndedForwards(ctx)
	if err != nil {
		return next, err
	}
	for _, group := range byEnd(ended) {
		l.tellEnd(ctx, group)
	}
	for _, group := range byEnd(open) {
		at := group[0].Until
		before := at.Add(-min(tellBefore, group[0].Lease/2))
		switch now := l.now(); {
		case now.Before(before):
			at = before
		case group[0].Note == "":
			l.tellBefore(ctx, group)
		default:
			l.awaitClick(ctx, group[0].Note, at)
		}
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return next, nil
}

// endDue closes what is due, and returns the leases that go on. It runs within
// the lane, so that no command opens one of the ports anew meanwhile.
func (l *Leases) endDue(ctx context.Context) (open []store.Forward, err error) {
	all, err := l.services.Records.Forwards(ctx)
	if err != nil {
		return nil, err
	}
	r := &run{Services: l.services}
	for _, f := range all {
		switch {
		case f.Until.IsZero():
		case l.now().Before(f.Until):
			open = append(open, f)
		default:
			f.Ended = true
			if err := errors.Join(l.services.Records.SaveForward(ctx, f), r.closePort(keyOf(f))); err != nil {
				return nil, err
			}
			crashpoint.At("lease.ended")
		}
	}
	return open, nil
}

// byEnd puts leases together that end at the same moment in the same way: they
// are told in one message.
func byEnd(list []store.Forward) (groups [][]store.Forward) {
	for _, f := range list {
		at := slices.IndexFunc(groups, func(g []store.Forward) bool {
			return g[0].Until.Equal(f.Until) && g[0].Note == f.Note && g[0].Lease == f.Lease && g[0].UDP == f.UDP
		})
		if at < 0 {
			groups = append(groups, nil)
			at = len(groups) - 1
		}
		groups[at] = append(groups[at], f)
	}
	return groups
}

func portsOf(group []store.Forward) (ports []int) {
	for _, f := range group {
		ports = append(ports, f.Port)
	}
	slices.Sort(ports)
	return ports
}

func udpFlag(udp bool) string {
	if udp {
		return " --udp"
	}
	return ""
}

// messageName names what is said of a group, in the same way after a restart.
func messageName(what string, group []store.Forward) string {
	return fmt.Sprintf("lease-%s-%s-%d-%s", what, protocol(group[0].UDP), group[0].Until.UnixMilli(), strings.ReplaceAll(join(portsOf(group)), " ", "_"))
}

// once runs a task beside the leases, unless that one is running already.
func (l *Leases) once(name string, task func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.telling[name] {
		return
	}
	l.telling[name] = true
	l.tasks.Go(func() {
		task()
		l.mu.Lock()
		delete(l.telling, name)
		l.mu.Unlock()
	})
}

// tellEnd says that leases are over, and forgets them then: killed before, it
// is said after the restart.
func (l *Leases) tellEnd(ctx context.Context, group []store.Forward) {
	ports := portsOf(group)
	doc := reply.Say(fmt.Sprintf("The time of %s%s is over (%s, until %s): closed. ", plural(len(ports), "port ", "ports "), join(ports),
		lasting(group[0].Lease), clock(group[0].Until, l.now())), reply.Mono("!forward %s --for %s%s", join(ports), shortTime(group[0].Lease), udpFlag(group[0].UDP)), plural(len(ports), " opens it again.", " opens them again."))
	name := messageName("end", group)
	l.once(name, func() {
		if _, err := l.room.Announce(ctx, name, doc); err != nil {
			l.logFailure(ctx, err)
			return
		}
		crashpoint.At("lease.told")
		for _, f := range group {
			l.logFailure(ctx, l.services.Records.ToldForward(ctx, f))
		}
	})
}

// tellBefore says that leases will be over soon, with a reaction that prolongs
// them, and remembers the message: the click may come after a restart.
func (l *Leases) tellBefore(ctx context.Context, group []store.Forward) {
	ports, until := portsOf(group), group[0].Until
	doc := reply.Say(fmt.Sprintf("⏳ %s%s %s in %s, at %s. Click %s and it stays open for %s more.", plural(len(ports), "Port ", "Ports "), join(ports),
		plural(len(ports), "closes", "close"), lasting(until.Sub(l.now())), clock(until, l.now()), prolongKey, lasting(group[0].Lease)))
	name := messageName("soon", group)
	l.once(name, func() {
		ref, err := l.room.Announce(ctx, name, doc, prolongKey)
		if err != nil {
			l.logFailure(ctx, err)
			return
		}
		l.logFailure(ctx, l.change(ctx, func(f *store.Forward) bool {
			same := f.Until.Equal(until) && f.UDP == group[0].UDP && slices.Contains(ports, f.Port)
			f.Note = ref
			return same
		}))
		l.look()
	})
}

// change changes the leases that do says, within the lane.
func (l *Leases) change(ctx context.Context, do func(*store.Forward) bool) error {
	return l.lanes.in(ctx, forwardsLane, func() error {
		all, err := l.services.Records.Forwards(ctx)
		if err != nil {
			return err
		}
		for _, f := range all {
			if do(&f) {
				err = errors.Join(err, l.services.Records.SaveForward(ctx, f))
			}
		}
		return err
	})
}

// awaitClick waits for the click under a message. It listens longer than the
// lease lasts: who clicks too late is told so.
func (l *Leases) awaitClick(ctx context.Context, ref string, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.waiting[ref].IsZero() {
		return
	}
	l.waiting[ref] = until
	wait := l.room.Await(ref, prolongKey)
	l.tasks.Go(func() {
		if _, err := wait(ctx); err == nil {
			l.logFailure(ctx, l.prolong(ctx, ref))
		}
	})
}

// prolong lets the leases of a message go on for as long as they lasted.
func (l *Leases) prolong(ctx context.Context, ref string) error {
	var longer []store.Forward
	err := l.change(ctx, func(f *store.Forward) bool {
		if f.Note != ref || !l.now().Before(f.Until) {
			return false
		}
		f.Until, f.Note = f.Until.Add(f.Lease), ""
		longer = append(longer, *f)
		return true
	})
	l.look()
	if err != nil {
		return err
	}
	if len(longer) == 0 {
		return l.room.Retell(ctx, ref, reply.Say("That time is over, or was changed since; ", reply.Mono("!forwards"), " tells how it stands."))
	}
	ports, until := portsOf(longer), longer[0].Until
	return l.room.Retell(ctx, ref, reply.Say(fmt.Sprintf("%s%s %s open until %s (%s).", plural(len(ports), "Port ", "Ports "), join(ports),
		plural(len(ports), "stays", "stay"), clock(until, l.now()), lasting(until.Sub(l.now())))))
}

func (l *Leases) logFailure(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		l.log.WithError(err).Error("a lease of a port")
	}
}
