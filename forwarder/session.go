package forwarder

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

const (
	dialLimit = 5 * time.Second
	// deliverLimit bounds the wait for a client to take the bytes that came
	// before a reset; a reset throws away what is still under way.
	deliverLimit = time.Second

	socketEvents = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET&0xffffffff
)

// session is one connection: a client's socket and one to the sandbox. It
// belongs to one loop, and no other goroutine touches it.
type session struct {
	loop   *loop
	port   *port
	client side
	server side
	route  *route
	target *target  // dialled or being dialled
	left   []target // to try if that one refuses
	until  time.Time
	opened bool
	dead   bool
	unread bool
	kept   bool    // keepalive is on
	held   bool    // there was no descriptor to dial with; tried again soon
	failed Failure // what the last target met
}

// side is one of a session's two sockets, with the bytes read from it that the
// other has not yet taken.
type side struct {
	session  *session
	fd       int
	readable bool // as far as is known: believed until the kernel says no
	writable bool
	hangup   bool // its peer sent FIN or RST, so a short read is not the last
	ended    bool // it was FIN: an end follows the bytes at once
	hot      bool // worth a pipe
	eof      bool // read to the end
	shut     bool // the end was passed on to it
	broken   bool // it takes no more bytes
	pipe     *pipe
	piped    int    // bytes in pipe
	rest     []byte // or here
}

func (s *side) pending() bool { return s.piped > 0 || len(s.rest) > 0 }

// begin starts a session for a client that was just accepted. It closes fd
// with a reset where there is nobody to connect to: the client then knows at
// once, as it would without a forwarder.
func (l *loop) begin(p *port, fd int) {
	route := l.forwarder.route(p)
	if route.state != Serving {
		p.tally.fail(failureOf(route.state))
		reset(fd)
		return
	}
	s := &session{loop: l, port: p, route: route, left: route.targets, failed: NoWay}
	s.client = side{session: s, fd: fd, writable: true}
	s.server = side{session: s, fd: -1}
	if err := l.watch(fd, socketEvents, &s.client); err != nil {
		reset(fd)
		return
	}
	l.sessions[s] = true
	p.open.Add(1)
	p.total.Add(1)
	l.forwarder.open.Add(1)
	s.dial()
}

// reset closes a socket so that its peer sees a reset, not an end.
func reset(fd int) {
	linger0(fd)
	closeNow(fd)
}

func linger0(fd int) {
	unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}

// dial begins to connect to the next target.
func (s *session) dial() {
	if len(s.left) == 0 {
		s.refusedByAll()
		return
	}
	fd, err := connect(s.left[0].addr)
	if err != nil && shortage(err) {
		s.hold(err)
		return
	}
	s.held = false
	s.target, s.left = &s.left[0], s.left[1:]
	if err != nil {
		s.refused(err)
		return
	}
	s.server = side{session: s, fd: fd}
	s.until = time.Now().Add(dialLimit)
	s.loop.limited[s] = true
	if err := s.loop.watch(fd, socketEvents, &s.server); err != nil {
		s.refused(err)
	}
}

// shortage says whether an error is this host's want of something, of which
// the sandbox knows nothing.
func shortage(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || errors.Is(err, unix.ENOBUFS) || errors.Is(err, unix.ENOMEM)
}

// hold lets a client wait until there is what it takes to dial.
func (s *session) hold(err error) {
	if !s.held {
		s.held = true
		s.port.tally.fail(NoDescriptors)
		s.until = time.Now().Add(dialLimit)
		s.loop.limited[s] = true
	}
	s.loop.held = append(s.loop.held, s)
	s.loop.pause(err)
}

// refusedByAll leaves the client to the other ways, where there are any.
func (s *session) refusedByAll() {
	carriers := s.loop.forwarder.carriers
	if len(carriers.dialers) == 0 {
		s.port.met(Silent, "")
		s.port.tally.fail(s.failed)
		s.drop(true)
		return
	}
	s.loop.unwatch(s.client.fd)
	s.forget()
	carriers.take(s.port, s.client.fd, s.route.sandboxes, s.failed)
}

// refused goes on to the next target.
func (s *session) refused(err error) {
	s.loop.forwarder.log.WithError(err).WithField("address", s.target.addr).Debug("sandbox refused a connection")
	s.failed = failureBy(err)
	delete(s.loop.limited, s)
	if s.server.fd >= 0 {
		s.loop.unwatch(s.server.fd)
		s.loop.close(s.server.fd)
		s.server.fd = -1
	}
	s.dial()
}

// socketError asks why a connection failed.
func socketError(fd int) error {
	code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return err
	}
	return unix.Errno(code)
}

// connected is called once the sandbox has accepted.
func (s *session) connected() {
	delete(s.loop.limited, s)
	// The sandbox may have gone while we dialled, and its address to another.
	if w := s.loop.forwarder.world.Load(); !w.known || !w.has(runOf(s.target.sandbox), s.target.addr.Addr()) {
		s.port.tally.fail(ContainerEnded)
		s.drop(true)
		return
	}
	s.opened = true
	s.port.tally.reached[0].Add(1)
	s.port.met(Answers, wayDirect)
	if s.port.spec.ProxyProtocol {
		s.client.rest = proxyLine(s.client.fd)
	}
	s.turn()
}

// ready takes what epoll saw on one of the sockets.
func (e *side) ready(_ *loop, events uint32) {
	s := e.session
	if s.dead {
		return
	}
	failed := events&(unix.EPOLLERR|unix.EPOLLHUP) != 0
	e.readable = e.readable || failed || events&(unix.EPOLLIN|unix.EPOLLRDHUP) != 0
	e.writable = e.writable || failed || events&unix.EPOLLOUT != 0
	e.hangup = e.hangup || failed || events&unix.EPOLLRDHUP != 0
	e.ended = events&unix.EPOLLERR == 0 && (e.ended || events&unix.EPOLLRDHUP != 0)
	switch {
	case s.ending():
		if failed && !e.broken {
			s.drop(true)
		}
	case e.eof && events&unix.EPOLLERR != 0:
		s.fail(e) // a reset after an orderly end of its sending
	case s.opened:
		s.turn()
		if events&unix.EPOLLERR != 0 {
			s.limit()
		}
	case e == &s.server && failed:
		s.refused(socketError(e.fd))
	case e == &s.server && e.writable:
		s.connected()
	case e == &s.client && events&unix.EPOLLERR != 0:
		s.drop(true) // gone before the sandbox answered
	}
}

func (s *session) ending() bool { return s.loop.ending[s] }

// fail ends a session whose side e was reset: the other side is reset too,
// but not before it has the bytes that came first.
func (s *session) fail(e *side) {
	other := s.other(e)
	e.broken = true
	if other.broken {
		s.drop(true)
		return
	}
	tune(other.fd) // which sends what was held back for an end that does not come
	s.until = time.Now().Add(deliverLimit)
	if s.delivered() {
		s.drop(true)
		return
	}
	s.loop.ending[s] = true
}

func (s *session) other(e *side) *side {
	if e == &s.client {
		return &s.server
	}
	return &s.client
}

// limit bounds a session one of whose peers was reset while the other does not
// take the bytes that came before.
func (s *session) limit() {
	if s.dead || s.ending() || s.loop.limited[s] {
		return
	}
	s.until = time.Now().Add(deliverLimit)
	s.loop.limited[s] = true
}

// expired is called once until has passed.
func (s *session) expired() {
	if s.opened || s.held {
		s.drop(true)
		return
	}
	s.refused(unix.ETIMEDOUT)
}

// delivered says whether the peers that are still there have acknowledged all
// that was sent to them.
func (s *session) delivered() bool {
	for _, e := range []*side{&s.client, &s.server} {
		if e.broken {
			continue
		}
		if queued, err := unix.IoctlGetInt(e.fd, unix.SIOCOUTQ); err == nil && queued > 0 {
			return false
		}
	}
	return true
}

// drop ends the session now: in good order, or with resets on both sides.
func (s *session) drop(hard bool) {
	if s.dead {
		return
	}
	for _, e := range []*side{&s.client, &s.server} {
		if e.fd < 0 {
			continue
		}
		if hard {
			linger0(e.fd)
		}
		e.releasePipe()
		s.loop.close(e.fd)
	}
	s.forget()
	s.loop.forwarder.uncount(s.port)
}

// forget takes the session out of its loop.
func (s *session) forget() {
	s.dead = true
	delete(s.loop.sessions, s)
	delete(s.loop.limited, s)
	delete(s.loop.ending, s)
}
