package forwarder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Dialer reaches ports inside sandboxes by another way than an address that
// this host can connect to: a relay inside, or another host.
type Dialer interface {
	// Way names it for people, e.g. "relay".
	Way() string
	// Dial connects to a port inside the sandbox. An error means that nothing
	// answers there, or that the way is not open for this sandbox. The Conn's
	// CloseWrite, where it has one, passes the end of what is sent on.
	Dial(ctx context.Context, sandbox Sandbox, port int) (net.Conn, error)
}

// carriers carry the connections that no loop can: those whose other end is
// no socket of this host. Each costs two goroutines.
type carriers struct {
	forwarder *Forwarder
	dialers   []Dialer

	mu   sync.Mutex
	all  map[*carrier]bool
	done sync.WaitGroup

	endLimit time.Duration // that wait allows them for closing; 0 is closeLimit
}

// closeLimit is more than a relay takes to give up an end that does not read.
const closeLimit = 15 * time.Second

// carrier is one such connection.
type carrier struct {
	port    *port
	client  *net.TCPConn
	server  net.Conn // nil while it is dialled
	sandbox Sandbox
	cancel  context.CancelFunc
	direct  Failure // of the sandbox's own addresses
	header  []byte  // what the service is told first of the client, if anything
}

// take takes a client over from a loop, with its place in the counts; direct is
// what was met on the way without a dialer.
func (c *carriers) take(p *port, fd int, sandboxes []Sandbox, direct Failure) {
	// Of the socket itself: a connection of package net has no remote address
	// where the client's reset came first.
	var header []byte
	if p.spec.ProxyProtocol {
		header = proxyLine(fd)
	}
	client, err := connOf(fd)
	if err != nil {
		c.forwarder.log.WithError(err).Warn("cannot take a connection over")
		p.tally.fail(failureBy(err))
		c.forwarder.uncount(p)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	one := &carrier{port: p, client: client, cancel: cancel, direct: direct, header: header}
	c.mu.Lock()
	c.all[one] = true
	c.mu.Unlock()
	c.done.Go(func() {
		c.carry(ctx, one, sandboxes)
		c.drop(func(other *carrier) bool { return other == one })
	})
}

// connOf makes a descriptor a connection of package net, and owns it.
func connOf(fd int) (*net.TCPConn, error) {
	file := os.NewFile(uintptr(fd), "client")
	defer file.Close() // FileConn has its own
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, err
	}
	client, ok := conn.(*net.TCPConn)
	if !ok {
		conn.Close()
		return nil, fmt.Errorf("not a TCP connection but %T", conn)
	}
	return client, nil
}

func (c *carriers) carry(ctx context.Context, one *carrier, sandboxes []Sandbox) {
	server, sandbox, by, err := c.dial(ctx, sandboxes, one.port.spec.To)
	if err != nil {
		one.port.met(Silent, "")
		one.fail(err)
		return
	}
	if !c.settle(one, server, sandbox) {
		server.Close()
		return
	}
	one.port.met(Answers, c.dialers[by].Way())
	one.port.tally.reached[1+by].Add(1)
	if len(one.header) > 0 {
		if _, err := server.Write(one.header); err != nil {
			return
		}
	}
	var group errgroup.Group
	group.Go(func() error { return one.copy(server, one.client, counter{&one.port.in}) })
	group.Go(func() error { return one.copy(one.client, server, counter{&one.port.out}) })
	if group.Wait() == nil {
		one.linger(-1) // in good order
	}
}

// fail counts a client that no way was found for. A dialer's error often has no
// kind of its own; what the address met then says more.
func (one *carrier) fail(err error) {
	kind := failureBy(err)
	if kind == OtherFailure {
		kind = one.direct
	}
	one.port.tally.fail(kind)
}

// linger decides whether closing resets (0) or ends in good order (-1), as
// far as the other way can tell the two apart.
func (one *carrier) linger(seconds int) {
	one.client.SetLinger(seconds) // fails only on a socket that is closed already
	if server, ok := one.server.(interface{ SetLinger(int) error }); ok {
		server.SetLinger(seconds)
	}
}

// dial tries every way for every sandbox, newest first; by is the dialer that
// reached one.
func (c *carriers) dial(ctx context.Context, sandboxes []Sandbox, port int) (conn net.Conn, box Sandbox, by int, err error) {
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	err = errors.New("there is no other way")
	for _, sandbox := range sandboxes {
		for i, dialer := range c.dialers {
			conn, failed := dialer.Dial(ctx, sandbox, port)
			if failed == nil {
				return conn, sandbox, i, nil
			}
			err = failed
		}
	}
	return nil, Sandbox{}, 0, err
}

// settle notes whose connection it is, unless that sandbox has gone or the
// connection was dropped meanwhile.
func (c *carriers) settle(one *carrier, server net.Conn, sandbox Sandbox) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.forwarder.world.Load()
	if !c.all[one] || !w.knows(sandbox.Host) || !w.has(runOf(sandbox), netip.Addr{}) {
		return false
	}
	one.server, one.sandbox = server, sandbox
	// From here every end is a reset unless both directions ended well.
	one.linger(0)
	return true
}

// copy copies one direction and passes its end on. An error ends both.
func (one *carrier) copy(to, from net.Conn, count io.Writer) error {
	_, err := io.Copy(io.MultiWriter(to, count), from)
	if err != nil {
		one.client.Close()
		one.server.Close()
		return err
	}
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		half.CloseWrite() // fails only where the peer has gone, which a read tells
	}
	return nil
}

// drop resets the connections that match. It waits for none of them: a relay
// whose other end reads nothing takes ten seconds to close a connection, and
// who calls this holds up the loops.
func (c *carriers) drop(matches func(*carrier) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for one := range c.all {
		if !matches(one) {
			continue
		}
		delete(c.all, one)
		one.cancel()
		if one.server == nil {
			one.client.SetLinger(0)
		} else {
			server := one.server
			c.done.Go(func() { server.Close() }) // before carry, which needs the lock, can be done
		}
		one.client.Close()
		c.forwarder.uncount(one.port)
	}
}

func (c *carriers) sweep(w *world) {
	c.drop(func(one *carrier) bool {
		ended := one.server != nil && w.knows(one.sandbox.Host) && !w.has(runOf(one.sandbox), netip.Addr{})
		if ended {
			one.port.tally.fail(ContainerEnded)
		}
		return ended
	})
}

// probe tries the other ways for one forward.
func (c *carriers) probe(ctx context.Context, sandboxes []Sandbox, port int) (string, error) {
	conn, _, by, err := c.dial(ctx, sandboxes, port)
	if err != nil {
		return "", err
	}
	return c.dialers[by].Way(), conn.Close()
}

// wait returns when the last connection has ended, by force after limit. One
// that cannot even be closed is left behind: its way ends with the program.
func (c *carriers) wait(limit time.Duration) {
	timer := time.AfterFunc(limit, func() { c.drop(func(*carrier) bool { return true }) })
	defer timer.Stop()
	ended := make(chan struct{})
	go func() {
		c.done.Wait()
		close(ended)
	}()
	last := time.NewTimer(max(limit, 0) + cmp.Or(c.endLimit, closeLimit))
	defer last.Stop()
	select {
	case <-ended:
	case <-last.C:
		c.forwarder.log.Warn("connections by another way did not close")
	}
}

// counter counts the bytes that pass a writer.
type counter struct{ bytes *atomic.Uint64 }

func (c counter) Write(data []byte) (int, error) {
	c.bytes.Add(uint64(len(data)))
	return len(data), nil
}
