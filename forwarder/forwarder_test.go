package forwarder_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/githabideri/fraktalia/forwarder"
)

// loopback4 is where the tests' services listen.
var loopback4 = netip.MustParseAddr("127.0.0.1")

// patience bounds what must happen; it is no measurement.
const patience = 20 * time.Second

// start runs a forwarder until the test ends.
func start(t testing.TB, options forwarder.Options) *forwarder.Forwarder {
	t.Helper()
	f := forwarder.New(quiet(options))
	keepRunning(t, f)
	return f
}

// quiet gives options a log that nobody reads.
func quiet(options forwarder.Options) forwarder.Options {
	log := logrus.New()
	log.SetOutput(io.Discard)
	options.Log = logrus.NewEntry(log)
	return options
}

// keepRunning runs a forwarder that was made until the test ends.
func keepRunning(t testing.TB, f *forwarder.Forwarder) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// service listens on a loopback address and serves each connection.
func service(t testing.TB, addr string, serve func(*net.TCPConn)) netip.AddrPort {
	t.Helper()
	listener, err := net.Listen("tcp", addr)
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
				serve(conn.(*net.TCPConn))
			}()
		}
	}()
	return netip.MustParseAddrPort(listener.Addr().String())
}

// sandboxAt is a sandbox whose container's address is of this host.
func sandboxAt(agent string, addr netip.Addr) forwarder.Sandbox {
	return forwarder.Sandbox{ID: "id-" + agent, Name: "openclaw-sbx-" + agent, Agent: agent, Addrs: []netip.Addr{addr}, Started: time.Now()}
}

// freePort finds a port that nobody has now.
func freePort(t testing.TB) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// forward opens a forward to a service and returns the forwarder and the port.
func forward(t testing.TB, serve func(*net.TCPConn)) (*forwarder.Forwarder, int) {
	t.Helper()
	at := service(t, "127.0.0.1:0", serve)
	f := start(t, forwarder.Options{Drain: 200 * time.Millisecond})
	f.SetSandboxes([]forwarder.Sandbox{sandboxAt("mox", at.Addr())})
	port := freePort(t)
	if err := f.Open(forwarder.Spec{Port: port, To: int(at.Port()), Bind: forwarder.Loopback}); err != nil {
		t.Fatal(err)
	}
	return f, port
}

func dial(t testing.TB, port int) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return conn.(*net.TCPConn)
}

// until waits for a condition that must come true.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never came true: %s", what)
		}
	}
}

// tcp is the key of a forward of connections.
func tcp(port int) forwarder.Key { return forwarder.Key{Port: port} }

func status(t testing.TB, f *forwarder.Forwarder, port int) forwarder.Status {
	t.Helper()
	for _, s := range f.List() {
		if s.Key() == tcp(port) {
			return s
		}
	}
	t.Fatalf("port %d is not listed", port)
	return forwarder.Status{}
}

func echo(conn *net.TCPConn) { io.Copy(conn, conn) }

func TestBytesGoBothWays(t *testing.T) {
	f, port := forward(t, echo)
	conn := dial(t, port)
	fmt.Fprintln(conn, "hello")
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || line != "hello\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	until(t, "the bytes counted", func() bool { return status(t, f, port).Out == 6 })
	s := status(t, f, port)
	if s.State != forwarder.Serving || s.Sandbox.Name != "openclaw-sbx-mox" || s.Open != 1 || s.Total != 1 || s.In != 6 || s.Out != 6 ||
		s.Answer != forwarder.Answers || s.Way != "direct" {
		t.Errorf("status %+v", s)
	}
	conn.Close()
	until(t, "the connection counted out", func() bool { return status(t, f, port).Open == 0 })
}

func TestHalfCloseWithALateReply(t *testing.T) {
	const late = 700 * time.Millisecond
	_, port := forward(t, func(conn *net.TCPConn) {
		got, _ := io.ReadAll(conn)
		time.Sleep(late)
		fmt.Fprintf(conn, "%d bytes", len(got))
	})
	conn := dial(t, port)
	io.WriteString(conn, strings.Repeat("x", 100_000))
	conn.CloseWrite()
	if got, err := io.ReadAll(conn); err != nil || string(got) != "100000 bytes" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestHalfCloseByTheServiceWithALateClient(t *testing.T) {
	got := make(chan string, 1)
	_, port := forward(t, func(conn *net.TCPConn) {
		io.WriteString(conn, "greeting")
		conn.CloseWrite()
		rest, _ := io.ReadAll(conn)
		got <- string(rest)
	})
	conn := dial(t, port)
	if greeting, err := io.ReadAll(conn); err != nil || string(greeting) != "greeting" {
		t.Fatalf("got %q, %v", greeting, err)
	}
	time.Sleep(700 * time.Millisecond)
	io.WriteString(conn, "late")
	conn.Close()
	if rest := <-got; rest != "late" {
		t.Errorf("the service got %q", rest)
	}
}

func TestResetByTheServiceReachesTheClientAfterItsBytes(t *testing.T) {
	_, port := forward(t, func(conn *net.TCPConn) {
		io.WriteString(conn, "last words")
		conn.Read(make([]byte, 1))
		conn.SetLinger(0)
	})
	conn := dial(t, port)
	reader := bufio.NewReader(conn)
	if _, err := reader.Peek(len("last words")); err != nil {
		t.Fatal(err)
	}
	conn.Write([]byte("x"))
	got, err := io.ReadAll(reader)
	if string(got) != "last words" || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestResetByTheClientReachesTheService(t *testing.T) {
	met := make(chan error, 1)
	_, port := forward(t, func(conn *net.TCPConn) {
		io.WriteString(conn, "x")
		_, err := io.ReadAll(conn)
		met <- err
	})
	conn := dial(t, port)
	conn.Read(make([]byte, 1))
	conn.SetLinger(0)
	conn.Close()
	if err := <-met; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the service met %v", err)
	}
}
