// Package forwarder carries connections from ports of this host to ports
// inside sandbox containers that come and go.
//
// It owns the listening sockets, the connections and their bytes. It is told
// which sandboxes there are (SetSandboxes, SetUnknown) and never looks for
// them itself: it knows neither Docker nor the store, and keeps nothing on
// disk. Who may open which port is decided above it.
//
// A connection belongs to one run of one container and is reset when that
// ends, because the next container gets the same address. Ends and resets
// are passed on both ways.
package forwarder

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

const (
	defaultDrain = 5 * time.Second
	maxLoops     = 8
	// reserved descriptors are never spent on connections: the rest of the
	// program must still answer when a forward is flooded.
	reserved = 512
)

// Options are a forwarder's dependencies and limits.
type Options struct {
	Log *logrus.Entry
	// Holder names the program that has a port, "" if it cannot; nil names
	// nobody.
	Holder func(Key) string
	// Drain bounds how long connections may go on after their forward was
	// closed or the forwarder stopped; 0 is 5 s.
	Drain time.Duration
	// Dialers are tried in this order where a sandbox's addresses refuse, or
	// where it has none.
	Dialers []Dialer
	// Idle bounds the life of a flow of datagrams in which nothing moves; 0 is
	// 2 min. A quarter of it is for flows that the sandbox never answered.
	Idle time.Duration
}

// Forwarder holds all forwards of this host.
type Forwarder struct {
	log       *logrus.Entry
	holder    func(Key) string
	drain     time.Duration
	idle      time.Duration
	limit     int64 // connections at once
	pipes     *pipes
	carriers  *carriers
	signalled bool // loops may wait behind the scheduler's back

	world atomic.Pointer[world]
	bars  atomic.Pointer[bars]
	open  atomic.Int64

	mu    sync.Mutex
	ports map[Key]*port
	loops []*loop
	ended bool
	look  chan struct{} // asks keep to look at the host's addresses now
}

// New makes a forwarder without forwards. It accepts connections while Run
// runs; until then they wait in the kernel.
func New(options Options) *Forwarder {
	f := &Forwarder{log: options.Log, holder: options.Holder, drain: options.Drain, idle: options.Idle, limit: connectionLimit(),
		signalled: signalled(), pipes: &pipes{}, ports: map[Key]*port{}, look: make(chan struct{}, 1)}
	if f.holder == nil {
		f.holder = func(Key) string { return "" }
	}
	if f.drain == 0 {
		f.drain = defaultDrain
	}
	if f.idle == 0 {
		f.idle = flowIdle
	}
	f.carriers = &carriers{forwarder: f, dialers: options.Dialers, all: map[*carrier]bool{}}
	f.world.Store(&world{})
	f.bars.Store(&bars{})
	return f
}

// connectionLimit is what the process's descriptors allow, two for each
// connection. Go's runtime has raised the soft limit to the hard one already.
func connectionLimit() int64 {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 256
	}
	return max((int64(min(limit.Cur, 1<<30))-reserved)/2, 64)
}

// SetSandboxes says which sandboxes run now on this host. Connections to a run
// that is not among them are reset.
func (f *Forwarder) SetSandboxes(sandboxes []Sandbox) { f.SetHost("", sandboxes) }

// SetUnknown says that nothing is known for the moment: new connections are
// reset, those that are open stay until the next SetSandboxes.
func (f *Forwarder) SetUnknown(err error) { f.SetHostUnknown("", err) }

// SetHost is SetSandboxes for another host's engine; each of the sandboxes
// has that Host.
func (f *Forwarder) SetHost(host string, sandboxes []Sandbox) {
	f.setWorld(host, engine{known: true, sandboxes: slices.Clone(sandboxes)})
}

// SetHostUnknown is SetUnknown for another host's engine.
func (f *Forwarder) SetHostUnknown(host string, err error) { f.setWorld(host, engine{err: err}) }

func (f *Forwarder) setWorld(host string, e engine) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := f.world.Load().with(host, e)
	f.world.Store(w)
	for _, l := range f.loops {
		l.post(func() { l.sweep(w) })
	}
	f.carriers.sweep(w)
	select {
	case f.look <- struct{}{}: // a new sandbox may be on a new bridge
	default:
	}
}

// uncount takes a connection out of the counts of those that are open.
func (f *Forwarder) uncount(p *port) {
	p.open.Add(-1)
	f.open.Add(-1)
}

// Run accepts and carries connections until ctx ends. It then stops
// listening, gives what is open the drain time, resets the rest, and returns
// when all of it has ended.
func (f *Forwarder) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	if err := f.start(group); err != nil {
		return err
	}
	group.Go(func() error { f.keep(ctx); return nil })
	<-ctx.Done()
	f.stop()
	deadline := time.Now().Add(f.drain)
	err := group.Wait()
	f.carriers.wait(time.Until(deadline))
	f.pipes.close()
	return err
}

// start makes the loops and gives them the listeners. One for every two
// processors: the kernel's half of the work, the senders and the receivers
// need the others, and Go's scheduler wakes needless threads where every
// processor sits in a system call.
func (f *Forwarder) start(group *errgroup.Group) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range min(max(runtime.GOMAXPROCS(0)/2, 1), maxLoops) {
		l, err := newLoop(f)
		if err != nil {
			for _, made := range f.loops {
				made.free()
			}
			f.loops = nil
			return err
		}
		f.loops = append(f.loops, l)
	}
	for _, p := range f.ports {
		for _, ln := range p.listeners {
			for _, l := range f.loopsOf(ln) {
				l.listen(ln)
			}
		}
	}
	for _, l := range f.loops {
		group.Go(l.run)
	}
	return nil
}

// loopsOf are the loops that watch a listener: all of them where connections
// come, one where datagrams do, so that their order is kept and a flow is one
// loop's.
func (f *Forwarder) loopsOf(ln *listener) []*loop {
	if ln.flows == nil || len(f.loops) == 0 {
		return f.loops
	}
	at := ln.port.spec.Port % len(f.loops)
	return f.loops[at : at+1]
}

// stop closes the listeners and lets the loops end, by force after the drain
// time.
func (f *Forwarder) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	for _, p := range f.ports {
		f.closeListeners(p)
	}
	for _, l := range f.loops {
		l.post(func() { l.leaving = true })
		time.AfterFunc(f.drain, func() { l.post(func() { l.dropAll(nil) }) })
	}
	f.loops = nil
}
