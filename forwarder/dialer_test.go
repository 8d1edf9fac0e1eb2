package forwarder_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/forwarder"
)

// socketWay reaches a service through a Unix socket, as a relay would.
type socketWay struct{ path string }

func (w socketWay) Way() string { return "socket" }

func (w socketWay) Dial(ctx context.Context, sandbox forwarder.Sandbox, port int) (net.Conn, error) {
	if port != 8080 {
		return nil, fmt.Errorf("nothing on port %d", port)
	}
	return new(net.Dialer).DialContext(ctx, "unix", w.path)
}

// socketService serves connections to port 8080 of whatever sandbox.
func socketService(t *testing.T, serve func(*net.UnixConn)) socketWay {
	t.Helper()
	path := filepath.Join(t.TempDir(), "service")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn.(*net.UnixConn))
			}()
		}
	}()
	return socketWay{path}
}

// forwardBySocket opens a forward to a sandbox without any network.
func forwardBySocket(t *testing.T, to int, serve func(*net.UnixConn)) (*forwarder.Forwarder, int) {
	t.Helper()
	way := socketService(t, serve)
	f := start(t, forwarder.Options{Drain: 200 * time.Millisecond, Dialers: []forwarder.Dialer{way}})
	f.SetSandboxes([]forwarder.Sandbox{{ID: "1", Name: "box", Agent: "mox"}})
	port := freePort(t)
	if err := f.Open(forwarder.Spec{Port: port, To: to, Bind: forwarder.Loopback}); err != nil {
		t.Fatal(err)
	}
	return f, port
}

func TestAnotherWay(t *testing.T) {
	f, port := forwardBySocket(t, 8080, func(conn *net.UnixConn) {
		got, _ := io.ReadAll(conn)
		time.Sleep(300 * time.Millisecond)
		fmt.Fprintf(conn, "%d bytes", len(got))
	})
	conn := dial(t, port)
	io.WriteString(conn, "hello")
	conn.CloseWrite()
	if got, err := io.ReadAll(conn); err != nil || string(got) != "5 bytes" {
		t.Errorf("half-close: got %q, %v", got, err)
	}
	if s := status(t, f, port); s.State != forwarder.Serving || s.Way != "socket" || s.Total != 1 || s.In != 5 || s.Out != 7 {
		t.Errorf("status %+v", s)
	}
	if way, err := f.Probe(t.Context(), tcp(port)); way != "socket" || err != nil {
		t.Errorf("probe: %q, %v", way, err)
	}
	until(t, "the connection counted out", func() bool { return status(t, f, port).Open == 0 })
}

func TestAnotherWayEndsWithItsSandbox(t *testing.T) {
	for name, end := range map[string]func(*forwarder.Forwarder, int){
		"gone":   func(f *forwarder.Forwarder, _ int) { f.SetSandboxes(nil) },
		"closed": func(f *forwarder.Forwarder, port int) { f.Close(tcp(port)) },
	} {
		t.Run(name, func(t *testing.T) {
			f, port := forwardBySocket(t, 8080, func(conn *net.UnixConn) { io.Copy(conn, conn) })
			conn := dial(t, port)
			mustEcho(t, conn)
			f.SetUnknown(errors.New("lost"))
			mustEcho(t, conn)
			end(f, port)
			mustReset(t, conn)
		})
	}
}

func TestNoWayAtAll(t *testing.T) {
	f, port := forwardBySocket(t, 8081, func(*net.UnixConn) {})
	mustRefuse(t, port)
	var silent *forwarder.SilentError
	if _, err := f.Probe(t.Context(), tcp(port)); !errors.As(err, &silent) {
		t.Errorf("probe: %v", err)
	}
	until(t, "the connection counted out", func() bool { return status(t, f, port).Open == 0 })
}

// Clients that have gone before anybody looked: the kernel hands their
// connections out all the same, and knows no peer of them.
func TestAnotherWayTellsOfAClientThatHasGone(t *testing.T) {
	const gone = 20
	lines := make(chan string, gone+1)
	way := socketService(t, func(conn *net.UnixConn) {
		line, _ := bufio.NewReader(conn).ReadString('\n')
		lines <- line
	})
	f := forwarder.New(quiet(forwarder.Options{Dialers: []forwarder.Dialer{way}}))
	f.SetSandboxes([]forwarder.Sandbox{{ID: "1", Name: "box", Agent: "mox"}})
	port := freePort(t)
	if err := f.Open(forwarder.Spec{Port: port, To: 8080, Bind: forwarder.Loopback, ProxyProtocol: true}); err != nil {
		t.Fatal(err)
	}
	for range gone {
		conn := dial(t, port)
		conn.SetLinger(0)
		conn.Close()
	}
	keepRunning(t, f)
	for range gone {
		if line := next(t, lines); line != "PROXY UNKNOWN\r\n" {
			t.Errorf("of a client that has gone the service was told %q", line)
		}
	}
	conn := dial(t, port)
	from := netip.MustParseAddrPort(conn.LocalAddr().String())
	if got, want := next(t, lines), fmt.Sprintf("PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\n", from.Port(), port); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// next is what a service tells next.
func next(t *testing.T, lines <-chan string) string {
	t.Helper()
	select {
	case line := <-lines:
		return line
	case <-time.After(patience):
		t.Fatal("the service was not reached")
		return ""
	}
}

// A socket for both families has an IPv4 client's address in IPv6 clothes.
func TestAnotherWayTellsTheFamilyOfAClient(t *testing.T) {
	lines := make(chan string, 1)
	way := socketService(t, func(conn *net.UnixConn) {
		line, _ := bufio.NewReader(conn).ReadString('\n')
		lines <- line
	})
	f := start(t, forwarder.Options{Dialers: []forwarder.Dialer{way}})
	f.SetSandboxes([]forwarder.Sandbox{{ID: "1", Name: "box", Agent: "mox"}})
	port := freePort(t)
	if err := f.Open(forwarder.Spec{Port: port, To: 8080, Bind: forwarder.Any, ProxyProtocol: true}); err != nil {
		t.Fatal(err)
	}
	conn := dial(t, port)
	from := netip.MustParseAddrPort(conn.LocalAddr().String())
	if got, want := next(t, lines), fmt.Sprintf("PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\n", from.Port(), port); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// slowWay is a way whose far end reads nothing: closing takes until it is let.
type slowWay struct {
	socketWay
	closing chan struct{} // one for each that is being closed
	let     chan struct{}
	closed  atomic.Int32
}

func (w *slowWay) Dial(ctx context.Context, sandbox forwarder.Sandbox, port int) (net.Conn, error) {
	conn, err := w.socketWay.Dial(ctx, sandbox, port)
	if err != nil {
		return nil, err
	}
	return &slowConn{Conn: conn, way: w}, nil
}

type slowConn struct {
	net.Conn
	way  *slowWay
	once sync.Once
}

func (c *slowConn) Close() error {
	c.once.Do(func() {
		c.way.closing <- struct{}{}
		<-c.way.let
		c.Conn.Close()
		c.way.closed.Add(1)
	})
	return nil
}

// A relay that has stalled is its own sandbox's trouble: nobody else waits for
// its connections to close, neither who tells of sandboxes nor another client.
func TestAnotherWayThatDoesNotCloseHoldsNobodyUp(t *testing.T) {
	const stalled = 3
	way := &slowWay{closing: make(chan struct{}, stalled+2), let: make(chan struct{})}
	way.socketWay = socketService(t, func(conn *net.UnixConn) { io.Copy(conn, conn) })
	f := forwarder.New(quiet(forwarder.Options{Drain: 100 * time.Millisecond, Dialers: []forwarder.Dialer{way}}))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	boxes := []forwarder.Sandbox{{ID: "1", Name: "box", Agent: "mox"}, {ID: "2", Name: "other", Agent: "max"}}
	f.SetSandboxes(boxes)
	mox, max := freePort(t), freePort(t)
	for port, agent := range map[int]string{mox: "mox", max: "max"} {
		if err := f.Open(forwarder.Spec{Port: port, To: 8080, Agent: agent, Bind: forwarder.Loopback}); err != nil {
			t.Fatal(err)
		}
	}
	clients := make([]*net.TCPConn, stalled)
	for i := range clients {
		clients[i] = dial(t, mox)
		mustEcho(t, clients[i])
	}
	told := make(chan struct{})
	go func() { f.SetSandboxes(boxes[1:]); close(told) }()
	mustHappen(t, "who told of the sandboxes goes on", told)
	for range stalled {
		mustHappen(t, "the sandbox's connections are being closed", way.closing)
	}
	for _, conn := range clients {
		mustReset(t, conn)
	}
	other := dial(t, max)
	mustEcho(t, other)
	if n := way.closed.Load(); n != 0 {
		t.Errorf("%d have closed: the test is not about stalled ones", n)
	}
	cancel()
	mustReset(t, other) // after the drain time
	close(way.let)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if n := way.closed.Load(); n != stalled+1 {
		t.Errorf("Run ended with %d of %d connections closed", n, stalled+1)
	}
}

func mustHappen(t *testing.T, what string, happened <-chan struct{}) {
	t.Helper()
	select {
	case <-happened:
	case <-time.After(patience):
		t.Fatalf("never came true: %s", what)
	}
}
