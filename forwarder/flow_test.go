package forwarder_test

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/forwarder"
)

// Bytes of many connections at once, in both directions and of all sizes,
// arrive whole and at the right place.
func TestBytesArriveWhole(t *testing.T) {
	f, port := forward(t, echo)
	var group sync.WaitGroup
	for i := range 100 { // more than there are pipes
		group.Go(func() {
			size := 1 << (i % 23)
			random := rand.New(rand.NewPCG(1, uint64(i)))
			data := make([]byte, size+i)
			for k := range data {
				data[k] = byte(random.Uint32())
			}
			conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			go func() {
				conn.Write(data)
				conn.(*net.TCPConn).CloseWrite()
			}()
			got, err := io.ReadAll(conn)
			if err != nil || sha256.Sum256(got) != sha256.Sum256(data) {
				t.Errorf("connection %d: %d of %d bytes, %v", i, len(got), len(data), err)
			}
		})
	}
	group.Wait()
	until(t, "all connections counted out", func() bool { return status(t, f, port).Open == 0 })
	if s := status(t, f, port); s.Total != 100 || s.In != s.Out {
		t.Errorf("status %+v", s)
	}
}

// A client that does not read must hold its sender back, and nobody else.
func TestASlowReaderHoldsOnlyItsOwnSenderBack(t *testing.T) {
	sent := make(chan int, 1)
	_, port := forward(t, func(conn *net.TCPConn) {
		first := make([]byte, 1)
		io.ReadFull(conn, first)
		if first[0] == 'p' { // the first byte of "ping"
			conn.Write(first)
			echo(conn)
			return
		}
		n := fill(conn)
		sent <- n
		conn.SetWriteDeadline(time.Now().Add(patience))
		conn.Write([]byte("the end"))
	})
	slow := dial(t, port)
	io.WriteString(slow, "f") // one byte: a service that closes with unread ones resets
	n := <-sent
	if n > 64<<20 {
		t.Errorf("%d bytes went to a reader that reads none", n)
	}
	mustEcho(t, dial(t, port))
	got, err := io.ReadAll(slow)
	if err != nil || !strings.HasSuffix(string(got), "the end") || len(got) != n+len("the end") {
		t.Errorf("the slow reader got %d bytes of %d, %v", len(got), n+len("the end"), err)
	}
}

func TestIPv6(t *testing.T) {
	at := service(t, "[::1]:0", echo)
	f := start(t, forwarder.Options{})
	f.SetSandboxes([]forwarder.Sandbox{sandboxAt("mox", at.Addr())})
	port := freePort(t)
	if err := f.Open(forwarder.Spec{Port: port, To: int(at.Port()), Bind: forwarder.Loopback}); err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "::1"} {
		conn, err := net.Dial("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		mustEcho(t, conn)
	}
}

func TestCloseDuringTraffic(t *testing.T) {
	f, port := forward(t, echo)
	quick, stuck := dial(t, port), dial(t, port)
	mustEcho(t, quick)
	mustEcho(t, stuck)
	if err := f.Close(tcp(port)); err != nil {
		t.Fatal(err)
	}
	if conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
		conn.Close()
		t.Error("the port still takes connections")
	}
	mustEcho(t, quick) // what is open may end in peace
	quick.CloseWrite()
	if _, err := io.ReadAll(quick); err != nil {
		t.Errorf("a connection that ended in the drain time: %v", err)
	}
	mustReset(t, stuck)
	var notOpen *forwarder.NotOpenError
	if err := f.Close(tcp(port)); !errors.As(err, &notOpen) || notOpen.Key != tcp(port) {
		t.Errorf("closed twice: %v", err)
	}
}

// Ports are opened and closed while connections come: no descriptor may reach
// another's port, which the first line tells.
func TestOpenAndCloseUnderLoad(t *testing.T) {
	f := start(t, forwarder.Options{Drain: time.Millisecond})
	var boxes []forwarder.Sandbox
	var specs []forwarder.Spec
	for i := range 4 {
		agent := fmt.Sprintf("agent%d", i)
		at := service(t, "127.0.0.1:0", func(conn *net.TCPConn) { fmt.Fprintln(conn, agent) })
		boxes = append(boxes, sandboxAt(agent, at.Addr()))
		specs = append(specs, forwarder.Spec{Port: freePort(t), To: int(at.Port()), Agent: agent, Bind: forwarder.Loopback})
	}
	f.SetSandboxes(boxes)
	stop := make(chan bool)
	var group sync.WaitGroup
	for _, spec := range specs {
		group.Go(func() { callUntil(t, spec, stop) })
	}
	for range 200 {
		for _, spec := range specs {
			if err := f.Open(spec); err != nil {
				t.Error(err)
			}
		}
		for _, spec := range specs {
			if err := f.Close(spec.Key()); err != nil {
				t.Error(err)
			}
		}
	}
	close(stop)
	group.Wait()
}

func callUntil(t *testing.T, spec forwarder.Spec, stop <-chan bool) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", spec.Port))
		if err != nil {
			continue
		}
		conn.SetDeadline(time.Now().Add(patience))
		if line, err := bufio.NewReader(conn).ReadString('\n'); err == nil && line != spec.Agent+"\n" {
			t.Errorf("port of %s reached %s", spec.Agent, line)
		}
		conn.Close()
	}
}

func TestProxyProtocol(t *testing.T) {
	lines := make(chan string, 1)
	at := service(t, "127.0.0.1:0", func(conn *net.TCPConn) {
		line, _ := bufio.NewReader(conn).ReadString('\n')
		lines <- line
	})
	f := start(t, forwarder.Options{})
	f.SetSandboxes([]forwarder.Sandbox{sandboxAt("mox", at.Addr())})
	port := freePort(t)
	if err := f.Open(forwarder.Spec{Port: port, To: int(at.Port()), Bind: forwarder.Loopback, ProxyProtocol: true}); err != nil {
		t.Fatal(err)
	}
	conn := dial(t, port)
	from := netip.MustParseAddrPort(conn.LocalAddr().String())
	if got, want := <-lines, fmt.Sprintf("PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\n", from.Port(), port); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A loop that waits behind the scheduler's back must not hold the rest of the
// program up: stopping the world interrupts it. Were it not so, nothing at all
// would run, not even this test's time limit, and go test would end it.
func TestAWaitingLoopLetsTheWorldStop(t *testing.T) {
	_, port := forward(t, echo)
	conn := dial(t, port)
	for range 50 {
		mustEcho(t, conn) // after which the loop waits for more
		runtime.GC()
	}
}
