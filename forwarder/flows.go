package forwarder

import (
	"container/list"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// flowIdle is what the IETF asks of those who translate addresses (RFC
	// 4787): two minutes at least.
	flowIdle = 2 * time.Minute
	// unansweredShare of that is for flows that the sandbox never answered.
	unansweredShare = 4
	flowsMost       = 4096    // of one listener; the oldest goes
	datagramQueue   = 1 << 20 // asked of the kernel for each socket; what it grants will do
)

// flows are the conversations through one UDP socket of a forward. They belong
// to one loop. There is nothing to accept and nobody to refuse in UDP: what
// cannot be carried is lost, as on any network.
type flows struct {
	byClient map[sender]*flow
	// Least recently used first. Those without an answer go first: it takes
	// nothing to send from addresses that are not one's own.
	answered, unanswered *list.List
}

func newFlows() *flows {
	return &flows{byClient: map[sender]*flow{}, answered: list.New(), unanswered: list.New()}
}

// listenUDP binds a UDP socket. One for each address, not one for all: an
// answer then leaves from the address that was asked.
func (f *Forwarder) listenUDP(p *port, at netip.AddrPort) (*listener, error) {
	fd, err := unix.Socket(family(at.Addr()), unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open a socket: %w", err)
	}
	if err := bindUDP(fd, at); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("listen on %s (UDP): %w", at, err)
	}
	return &listener{fd: fd, addr: at, port: p, forwarder: f, flows: newFlows()}, nil
}

func bindUDP(fd int, at netip.AddrPort) error {
	queue(fd)
	if err := tellLink(fd, family(at.Addr())); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	return os.NewSyscallError("bind", unix.Bind(fd, sockaddr(at)))
}

// queue asks for room for a burst; the kernel grants what the administrator
// allows.
func queue(fd int) {
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, datagramQueue)
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, datagramQueue)
}

// receive takes one batch from clients; the loop comes again where there is
// more.
func (ln *listener) receive(l *loop) {
	d := l.batch()
	n, _ := d.receive(ln.fd) // an error leaves nothing to do
	now := time.Now()
	for from := 0; from < n; {
		to := d.sameSender(from, n)
		if f := ln.flowOf(l, &d.senders[from], d.link(from)); f != nil {
			f.take(d, from, to, now)
		}
		from = to
	}
}

// flowOf finds or makes the flow of a client, nil where its datagrams go
// nowhere. A container is known by the bridge on which its datagrams come,
// because it may write whatever sender into them.
func (ln *listener) flowOf(l *loop, client *sender, link int) *flow {
	w := ln.forwarder.world.Load()
	if !w.known {
		ln.port.tally.fail(EngineUnknown)
		return nil // an address may be another's by now
	}
	bars := ln.forwarder.bars.Load()
	if ln.port.spec.Bind&Any == 0 && slices.Contains(bars.links, link) {
		ln.port.tally.fail(Barred)
		return nil
	}
	f := ln.flows.byClient[*client]
	if f != nil && f.world != w {
		f.world = w
		if !w.has(runOf(f.target.sandbox), f.target.addr.Addr()) {
			ln.port.tally.fail(ContainerEnded)
			f.end()
			f = nil
		}
	}
	switch {
	case f != nil:
		return f
	case ln.port.spec.Bind&Any == 0 && bars.bar(client):
		ln.port.tally.fail(Barred)
		return nil
	}
	return ln.begin(l, client, w)
}

func addrOf(s *sender) netip.Addr {
	if s.Family == unix.AF_INET {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(s))
		return netip.AddrFrom4(v4.Addr)
	}
	return netip.AddrFrom16(s.Addr).Unmap()
}

// begin makes a flow, in the place of an old one where there are too many.
func (ln *listener) begin(l *loop, client *sender, w *world) *flow {
	r := ln.forwarder.route(ln.port)
	if r.state != Serving {
		ln.port.tally.fail(failureOf(r.state))
		return nil
	}
	if len(ln.flows.byClient) >= flowsMost || ln.forwarder.open.Load() >= ln.forwarder.limit {
		ln.flows.endOldest()
	}
	if ln.forwarder.open.Load() >= ln.forwarder.limit {
		ln.port.tally.fail(NoDescriptors)
		return nil
	}
	f := &flow{loop: l, listener: ln, client: *client, world: w, targets: r.targets, fd: -1}
	if !f.connect() {
		return nil
	}
	ln.flows.byClient[f.client] = f
	f.element = ln.flows.unanswered.PushBack(f)
	l.flows++
	ln.port.open.Add(1)
	ln.port.total.Add(1)
	ln.forwarder.open.Add(1)
	return f
}

func (t *flows) endOldest() {
	oldest := t.unanswered.Front()
	if oldest == nil {
		oldest = t.answered.Front()
	}
	if oldest != nil {
		oldest.Value.(*flow).end()
	}
}

// expire ends flows in which nothing has moved for too long.
func (t *flows) expire(now time.Time, idle time.Duration) {
	for _, class := range []struct {
		list *list.List
		idle time.Duration
	}{{t.answered, idle}, {t.unanswered, idle / unansweredShare}} {
		for oldest := class.list.Front(); oldest != nil && now.Sub(oldest.Value.(*flow).moved) > class.idle; oldest = class.list.Front() {
			oldest.Value.(*flow).end()
		}
	}
}

// sweep ends the flows whose container has gone, with nil all.
func (t *flows) sweep(w *world) {
	for _, f := range t.byClient {
		if w == nil || !w.has(runOf(f.target.sandbox), f.target.addr.Addr()) {
			if w != nil {
				f.listener.port.tally.fail(ContainerEnded)
			}
			f.end()
		}
	}
}

// flow is one client's datagrams and what the sandbox answers, through a
// socket that is connected to the sandbox. It belongs to one run of one
// container.
type flow struct {
	loop     *loop
	listener *listener
	client   sender
	fd       int
	target   *target
	targets  []target // target is one of them
	at       int      // which
	world    *world   // in which target was last seen
	answered bool
	moved    time.Time
	element  *list.Element
}

// connect opens a socket to the present target, instead of the one there was.
func (f *flow) connect() bool {
	f.disconnect()
	f.target = &f.targets[f.at]
	to := f.target.addr
	fd, err := unix.Socket(family(to.Addr()), unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		f.loop.forwarder.log.WithError(err).Warn("cannot open a socket for datagrams")
		f.listener.port.tally.fail(failureBy(err))
		return false
	}
	queue(fd)
	if err = unix.Connect(fd, sockaddr(to)); err == nil {
		err = f.loop.watch(fd, unix.EPOLLIN, f)
	}
	if err != nil {
		f.loop.forwarder.log.WithError(err).WithField("address", to).Debug("cannot send datagrams")
		f.listener.port.tally.fail(failureBy(err))
		unix.Close(fd)
		return false
	}
	f.fd = fd
	return true
}

func (f *flow) disconnect() {
	if f.fd >= 0 {
		f.loop.close(f.fd)
		f.fd = -1
	}
}

// ready takes one batch from the sandbox.
func (f *flow) ready(l *loop, _ uint32) {
	d := l.batch()
	n, errno := d.receive(f.fd)
	if errno != 0 {
		f.failed(errno)
		return
	}
	f.answer(time.Now())
	for from := 0; from < n; {
		sent, errno := d.send(f.listener.fd, from, n, &f.client)
		f.listener.port.out.Add(uint64(d.size(from, from+sent)))
		f.listener.port.tally.datagramsOut.Add(uint64(sent))
		from += sent
		switch errno {
		case 0:
		case unix.EAGAIN:
			return // no room: lost
		default:
			from++ // this one cannot go, the next may
		}
	}
}

// answer notes that the sandbox has answered.
func (f *flow) answer(now time.Time) {
	f.moved = now
	table := f.listener.flows
	if f.answered {
		table.answered.MoveToBack(f.element)
		return
	}
	f.answered = true
	table.unanswered.Remove(f.element)
	f.element = table.answered.PushBack(f)
	f.listener.port.met(Answers, wayDirect)
}

// take sends the client's datagrams on. The kernel reports what became of
// earlier ones first, so that a refusal is no reason to give up a datagram.
func (f *flow) take(d *datagrams, from, to int, now time.Time) {
	f.moved = now
	if f.answered {
		f.listener.flows.answered.MoveToBack(f.element)
	} else {
		f.listener.flows.unanswered.MoveToBack(f.element)
	}
	for again := true; from < to && f.fd >= 0; {
		sent, errno := d.send(f.fd, from, to, nil)
		f.listener.port.in.Add(uint64(d.size(from, from+sent)))
		f.listener.port.tally.datagramsIn.Add(uint64(sent))
		from += sent
		switch {
		case errno == 0:
		case errno == unix.EAGAIN:
			return
		case refusal(errno) && again:
			again = false
			f.failed(errno)
		default:
			from++
		}
	}
}

// refusal says whether an error is the network's word that nobody listens.
func refusal(errno unix.Errno) bool {
	return errno == unix.ECONNREFUSED || errno == unix.EHOSTUNREACH || errno == unix.ENETUNREACH || errno == unix.ENOPROTOOPT
}

// failed takes a refusal. A client cannot be told, so the flow stays: the
// service may be about to start. One that was never answered goes on to the
// agent's next sandbox.
func (f *flow) failed(errno unix.Errno) {
	if !refusal(errno) {
		return
	}
	f.listener.port.met(Silent, "")
	f.listener.port.tally.fail(failureBy(errno))
	if f.answered || len(f.targets) == 1 {
		return
	}
	f.at = (f.at + 1) % len(f.targets)
	if !f.connect() {
		f.end()
	}
}

// end ends the flow; the client's next datagram begins another.
func (f *flow) end() {
	f.disconnect()
	table := f.listener.flows
	delete(table.byClient, f.client)
	if f.answered {
		table.answered.Remove(f.element)
	} else {
		table.unanswered.Remove(f.element)
	}
	f.loop.flows--
	f.loop.forwarder.uncount(f.listener.port)
}
