package forwarder

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// wayDirect is the way of a connection to the sandbox's own address.
const wayDirect = "direct"

// Keepalive: a peer that vanished without a word is noticed after a minute
// and a half.
const (
	keepIdle     = 30 // s
	keepInterval = 15 // s
	keepProbes   = 4
)

// port is one forward in being.
type port struct {
	spec  Spec
	since time.Time

	// Guarded by the forwarder's mutex.
	listeners map[netip.Addr]*listener
	refusal   *InUseError // the last refusal to bind one of its addresses
	failure   error       // another reason than a holder
	retryAt   time.Time
	backOff   time.Duration

	cached    atomic.Pointer[route]
	open      atomic.Int64
	total     atomic.Uint64
	in, out   atomic.Uint64
	lastMet   atomic.Int32
	lastWayBy atomic.Pointer[string]
	tally     tally
}

// route is the answer of resolve for one state of the world, kept so that a
// new connection costs no sorting.
type route struct {
	world     *world
	state     State
	sandboxes []Sandbox
	agents    []string // with Ambiguous: who could be meant
	targets   []target
}

func (f *Forwarder) route(p *port) *route {
	w := f.world.Load()
	if r := p.cached.Load(); r != nil && r.world == w {
		return r
	}
	state, found := w.resolve(p.spec, len(f.carriers.dialers) > 0 && !p.spec.UDP)
	r := &route{world: w, state: state, sandboxes: found}
	switch state {
	case Serving:
		r.targets = targets(found, p.spec.To)
	case Ambiguous:
		r.agents = w.meant(found)
	}
	p.cached.Store(r)
	return r
}

// met notes what a connection or probe met inside.
func (p *port) met(answer Answer, way string) {
	if p.lastMet.Swap(int32(answer)) != int32(answer) || way != p.way() {
		p.lastWayBy.Store(&way)
	}
}

func (p *port) way() string {
	if way := p.lastWayBy.Load(); way != nil {
		return *way
	}
	return ""
}

// listener is one listening socket of a port.
type listener struct {
	fd        int
	addr      netip.AddrPort
	port      *port
	forwarder *Forwarder
	flows     *flows // of datagrams; nil with TCP
}

// ready takes what waits.
func (ln *listener) ready(l *loop, _ uint32) {
	if ln.flows != nil {
		ln.receive(l)
		return
	}
	ln.accept(l)
}

func (ln *listener) accept(l *loop) {
	for range acceptsPerTurn {
		if ln.forwarder.open.Load() >= ln.forwarder.limit {
			l.pause(nil)
			return
		}
		var peer sender
		fd, errno := accept(ln.fd, &peer)
		switch {
		case errno == 0:
			ln.admit(l, fd, &peer)
		case errno == unix.EAGAIN:
			return
		case shortage(errno):
			ln.port.tally.fail(NoDescriptors)
			l.pause(errno)
			return
		}
		// Any other error is that of one connection (accept(2) passes pending
		// network errors on): the next may be well.
	}
}

// admit begins a session unless the client is a container: a sandbox must not
// reach other sandboxes through the host, whichever of its addresses it uses.
func (ln *listener) admit(l *loop, fd int, peer *sender) {
	if ln.port.spec.Bind&Any == 0 && ln.forwarder.bars.Load().bar(peer) {
		ln.port.tally.fail(Barred)
		reset(fd)
		return
	}
	l.begin(ln.port, fd)
}

// listen binds addr. Its options are inherited by what it accepts.
func (f *Forwarder) listen(p *port, addr netip.Addr) (*listener, error) {
	at := netip.AddrPortFrom(addr, uint16(p.spec.Port))
	if p.spec.UDP {
		return f.listenUDP(p, at)
	}
	fd, err := unix.Socket(family(addr), unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open a socket: %w", err)
	}
	if err := bind(fd, at); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("listen on %s: %w", at, err)
	}
	return &listener{fd: fd, addr: at, port: p, forwarder: f}, nil
}

func bind(fd int, at netip.AddrPort) error {
	v6only := 1
	if at.Addr().IsUnspecified() {
		v6only = 0
	}
	if at.Addr().Is6() {
		if err := os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, v6only)); err != nil {
			return err
		}
	}
	if err := os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)); err != nil {
		return err
	}
	if err := tune(fd); err != nil {
		return err
	}
	if err := keepAlive(fd); err != nil {
		return err
	}
	if err := os.NewSyscallError("bind", unix.Bind(fd, sockaddr(at))); err != nil {
		return err
	}
	return os.NewSyscallError("listen", unix.Listen(fd, unix.SOMAXCONN))
}

// tune sets what both sockets of a session have: small messages leave at once.
func tune(fd int) error {
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
}

// keepAlive lets the kernel notice a peer that vanished without a word.
func keepAlive(fd int) error {
	for _, option := range [...]struct{ level, name, value int }{
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, keepIdle},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, keepInterval},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, keepProbes},
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
	} {
		if err := unix.SetsockoptInt(fd, option.level, option.name, option.value); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	return nil
}

// connect begins to connect without waiting.
func connect(to netip.AddrPort) (int, error) {
	fd, err := unix.Socket(family(to.Addr()), unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err := tune(fd); err != nil {
		unix.Close(fd)
		return -1, err
	}
	if err := unix.Connect(fd, sockaddr(to)); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		unix.Close(fd)
		return -1, os.NewSyscallError("connect", err)
	}
	return fd, nil
}

func family(addr netip.Addr) int {
	if addr.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func sockaddr(at netip.AddrPort) unix.Sockaddr {
	if at.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}
}

// listening returns where the port listens, sorted; the caller holds the mutex.
func (p *port) listening() []netip.AddrPort {
	var addrs []netip.AddrPort
	for _, ln := range p.listeners {
		addrs = append(addrs, ln.addr)
	}
	slices.SortFunc(addrs, netip.AddrPort.Compare)
	return addrs
}
