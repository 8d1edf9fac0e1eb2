package forwarder

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	eventsPerTurn  = 128
	acceptsPerTurn = 16

	limitTick = 100 * time.Millisecond // how late a time limit may strike
	// keepTick is when a session to the sandbox gets its keepalive: four system
	// calls that a short one is spared.
	keepTick   = 10 * time.Second
	endingTick = 5 * time.Millisecond // how often a session that ends in a reset is looked at

	// acceptBackOff is the pause after the process ran out of descriptors;
	// clients wait in the kernel's queue meanwhile.
	acceptBackOff = 50 * time.Millisecond
	complainEvery = 10 * time.Second
)

// handler is what a loop calls when a descriptor is ready. Events are hints:
// a handler believes system calls only.
type handler interface {
	ready(l *loop, events uint32)
}

// loop is one thread of work: it owns an epoll set and every session that it
// accepted, so that nothing in a session needs a lock. A goroutine per
// direction would cost two stacks a connection and, for each small message,
// wake-ups between threads.
type loop struct {
	forwarder *Forwarder
	epoll     int
	wake      int // eventfd: tasks have come

	mu      sync.Mutex
	tasks   []func()
	stopped bool

	// All below belongs to the goroutine of run.
	handlers   []handler // by descriptor
	listeners  map[*listener]bool
	sessions   map[*session]bool
	limited    map[*session]bool
	ending     map[*session]bool
	keepAt     time.Time
	yieldAt    time.Time
	resumeAt   time.Time  // zero unless accepting pauses
	held       []*session // that wait for a descriptor to dial with
	complainAt time.Time
	unread     []*session // stopped by their turn's budget, not by the kernel
	closing    []int      // closed after the turn, so that a number is not reused within it
	buffer     []byte
	pipes      *pipes
	datagrams  *datagrams // nil until there is one
	flows      int        // open
	flowsAt    time.Time
	flowing    bool // the last wait had events
	alone      bool // there is no other processor for the rest of the program
	leaving    bool
}

func newLoop(f *Forwarder) (*loop, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(epoll)
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	l := &loop{forwarder: f, epoll: epoll, wake: wake, buffer: make([]byte, bulkBuffer), pipes: f.pipes,
		listeners: map[*listener]bool{}, sessions: map[*session]bool{}, limited: map[*session]bool{}, ending: map[*session]bool{}}
	if err := l.watch(wake, unix.EPOLLIN, waker{}); err != nil {
		l.free()
		return nil, err
	}
	return l, nil
}

func (l *loop) free() {
	unix.Close(l.epoll)
	unix.Close(l.wake)
}

// waker empties the eventfd; the tasks themselves run after every turn.
type waker struct{}

func (waker) ready(l *loop, _ uint32) {
	var count [8]byte
	unix.Read(l.wake, count[:]) // a failed read means that it was empty
}

// post runs task on the loop's goroutine; false says that the loop has ended.
func (l *loop) post(task func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return false
	}
	l.tasks = append(l.tasks, task)
	if len(l.tasks) == 1 {
		unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // fails only when it is set already
	}
	return true
}

// call is post, and waits until the task has run.
func (l *loop) call(task func()) {
	done := make(chan struct{})
	if l.post(func() { task(); close(done) }) {
		<-done
	}
}

func (l *loop) watch(fd int, events uint32, h handler) error {
	if fd >= len(l.handlers) {
		l.handlers = append(l.handlers, make([]handler, fd+64-len(l.handlers))...)
	}
	if err := epollAdd(l.epoll, fd, events); err != nil {
		return fmt.Errorf("watch descriptor: %w", err)
	}
	l.handlers[fd] = h
	return nil
}

func (l *loop) unwatch(fd int) {
	unix.EpollCtl(l.epoll, unix.EPOLL_CTL_DEL, fd, nil) // not being there is fine
	if fd < len(l.handlers) {
		l.handlers[fd] = nil
	}
}

// close forgets a descriptor now and closes it after the turn.
func (l *loop) close(fd int) {
	l.handlers[fd] = nil
	l.closing = append(l.closing, fd)
}

// run works until leave has been called and the last session has ended.
func (l *loop) run() error {
	defer l.end()
	events := make([]unix.EpollEvent, eventsPerTurn)
	for !l.done() {
		n, err := l.wait(events)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("epoll: %w", err)
		}
		for _, event := range events[:max(n, 0)] {
			if h := l.handlers[event.Fd]; h != nil {
				h.ready(l, event.Events)
			}
		}
		l.goOn()
		l.expire()
		l.runTasks()
		l.closeAll()
	}
	return nil
}

// end frees what the loop has; tasks that came too late for its last turn run
// here, because somebody may wait for them.
func (l *loop) end() {
	l.mu.Lock()
	l.stopped = true
	l.mu.Unlock()
	l.dropAll(nil)
	for ln := range l.listeners {
		l.unlisten(ln)
	}
	l.runTasks()
	l.closeAll()
	l.free()
}

// done says whether the loop may end, and if so takes no more tasks.
func (l *loop) done() bool {
	if !l.leaving || len(l.sessions) > 0 {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.tasks) == 0
}

func (l *loop) timeout() int {
	switch {
	case len(l.unread) > 0:
		return 0
	case len(l.ending) > 0:
		return int(endingTick.Milliseconds())
	case !l.resumeAt.IsZero():
		return int(acceptBackOff.Milliseconds())
	case len(l.limited) > 0:
		return int(limitTick.Milliseconds())
	case l.flows > 0:
		return int(l.flowTick().Milliseconds())
	case len(l.sessions) > 0:
		return int(keepTick.Milliseconds())
	}
	return -1
}

// goOn gives another turn to the sessions that had more to do.
func (l *loop) goOn() {
	again := l.unread
	l.unread = nil
	for _, s := range again {
		s.unread = false
		if l.sessions[s] {
			s.turn()
		}
	}
}

// expire looks at everything that waits for a time.
func (l *loop) expire() {
	now := time.Now()
	if now.After(l.yieldAt) {
		l.yieldAt = now.Add(yieldEvery)
		l.yield()
	}
	if now.After(l.keepAt) {
		l.keepAlive()
		l.keepAt = now.Add(keepTick)
	}
	if l.flows > 0 && now.After(l.flowsAt) {
		l.flowsAt = now.Add(l.flowTick())
		for ln := range l.listeners {
			if ln.flows != nil {
				ln.flows.expire(now, l.forwarder.idle)
			}
		}
	}
	for s := range l.limited {
		if now.After(s.until) {
			s.expired()
		}
	}
	for s := range l.ending {
		if now.After(s.until) || s.delivered() {
			s.drop(true)
		}
	}
	if !l.resumeAt.IsZero() && now.After(l.resumeAt) {
		l.resume()
	}
}

// flowTick is how late the end of a flow's time may be.
func (l *loop) flowTick() time.Duration {
	return max(min(keepTick, l.forwarder.idle/unansweredShare), time.Millisecond)
}

// batch is the loop's room for datagrams.
func (l *loop) batch() *datagrams {
	if l.datagrams == nil {
		l.datagrams = newDatagrams()
	}
	return l.datagrams
}

// keepAlive sees to the sessions that have lived long enough.
func (l *loop) keepAlive() {
	for s := range l.sessions {
		if s.opened && !s.kept {
			s.kept = true
			if err := keepAlive(s.server.fd); err != nil {
				l.forwarder.log.WithError(err).Debug("keepalive")
			}
		}
	}
}

func (l *loop) runTasks() {
	l.mu.Lock()
	tasks := l.tasks
	l.tasks = nil
	l.mu.Unlock()
	for _, task := range tasks {
		task()
	}
}

func (l *loop) closeAll() {
	for _, fd := range l.closing {
		closeNow(fd)
	}
	l.closing = l.closing[:0]
}

// listen adds a listener. All loops watch all that accept; EPOLLEXCLUSIVE
// wakes one of them per connection.
func (l *loop) listen(ln *listener) {
	l.listeners[ln] = true
	if l.resumeAt.IsZero() || ln.flows != nil {
		l.accept(ln)
	}
}

func (l *loop) accept(ln *listener) {
	events := uint32(unix.EPOLLIN)
	if ln.flows == nil {
		events |= unix.EPOLLEXCLUSIVE
	}
	if err := l.watch(ln.fd, events, ln); err != nil {
		l.forwarder.log.WithError(err).WithField("address", ln.addr).Error("cannot listen")
	}
}

func (l *loop) unlisten(ln *listener) {
	delete(l.listeners, ln)
	l.unwatch(ln.fd)
	if ln.flows != nil {
		ln.flows.sweep(nil)
	}
}

// pause stops accepting for a moment: out of descriptors, or (nil) at the limit.
func (l *loop) pause(err error) {
	now := time.Now()
	if err != nil && now.After(l.complainAt) {
		l.complainAt = now.Add(complainEvery)
		l.forwarder.log.WithError(err).Warn("cannot take connections for the moment")
	}
	for ln := range l.listeners {
		if ln.flows == nil {
			l.unwatch(ln.fd)
		}
	}
	l.resumeAt = now.Add(acceptBackOff)
}

// resume accepts again, after those that were accepted have what they want.
func (l *loop) resume() {
	l.resumeAt = time.Time{}
	held := l.held
	l.held = nil
	for _, s := range held {
		if l.sessions[s] {
			s.dial()
		}
	}
	if !l.resumeAt.IsZero() {
		return
	}
	for ln := range l.listeners {
		if ln.flows == nil {
			l.accept(ln)
		}
	}
}

// sweep closes the sessions whose container has gone.
func (l *loop) sweep(w *world) {
	if !w.known {
		return // they may well be there still; new ones are refused meanwhile
	}
	for s := range l.sessions {
		if s.target != nil && !w.has(runOf(s.target.sandbox), s.target.addr.Addr()) {
			s.port.tally.fail(ContainerEnded)
			s.drop(true)
		}
	}
	for ln := range l.listeners {
		if ln.flows != nil {
			ln.flows.sweep(w)
		}
	}
}

// dropAll resets the sessions of one port, or with nil of all.
func (l *loop) dropAll(p *port) {
	for s := range l.sessions {
		if p == nil || s.port == p {
			s.drop(true)
		}
	}
}
