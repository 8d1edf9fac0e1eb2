package forwarder_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/forwarder"
)

// mustReset checks that a connection ends by a reset and not in good order.
func mustReset(t *testing.T, conn net.Conn) {
	t.Helper()
	conn.SetDeadline(time.Now().Add(patience))
	if n, err := io.Copy(io.Discard, conn); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("after %d bytes: %v, want a reset", n, err)
	}
}

// mustRefuse checks that a new connection is reset, be it while it is made.
func mustRefuse(t *testing.T, port int) {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if errors.Is(err, syscall.ECONNRESET) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	mustReset(t, conn)
}

func TestWithoutASandboxTheClientIsResetAtOnce(t *testing.T) {
	f := start(t, forwarder.Options{})
	port := freePort(t)
	if err := f.Open(forwarder.Spec{Port: port, Agent: "mox", Bind: forwarder.Loopback}); err != nil {
		t.Fatal(err)
	}
	for _, world := range []struct {
		name string
		set  func()
		want forwarder.State
	}{
		{"nothing said yet", func() {}, forwarder.Unknown},
		{"no sandboxes", func() { f.SetSandboxes(nil) }, forwarder.Waiting},
		{"another agent's", func() { f.SetSandboxes([]forwarder.Sandbox{sandboxAt("mix", loopback4)}) }, forwarder.Waiting},
		{"without network", func() { f.SetSandboxes([]forwarder.Sandbox{{ID: "1", Agent: "mox"}}) }, forwarder.Unreachable},
		{"engine lost", func() { f.SetUnknown(errors.New("gone")) }, forwarder.Unknown},
	} {
		t.Run(world.name, func(t *testing.T) {
			world.set()
			mustRefuse(t, port)
			if got := status(t, f, port).State; got != world.want {
				t.Errorf("state %v, want %v", got, world.want)
			}
		})
	}
}

func TestSeveralAgentsAndNoneNamed(t *testing.T) {
	at := service(t, "127.0.0.1:0", echo)
	f := start(t, forwarder.Options{})
	f.SetSandboxes([]forwarder.Sandbox{sandboxAt("zoe", at.Addr()), sandboxAt("mox", at.Addr())})
	port := freePort(t)
	if err := f.Open(forwarder.Spec{Port: port, To: int(at.Port()), Bind: forwarder.Loopback}); err != nil {
		t.Fatal(err)
	}
	s := status(t, f, port)
	if s.State != forwarder.Ambiguous || fmt.Sprint(s.Agents) != "[mox zoe]" {
		t.Errorf("status %+v", s)
	}
	var ambiguous *forwarder.AmbiguousError
	if _, err := f.Probe(t.Context(), tcp(port)); !errors.As(err, &ambiguous) {
		t.Errorf("probe: %v", err)
	}
	mustRefuse(t, port)
}

func TestTheNewestOfAnAgentsSandboxesThatListensIsTaken(t *testing.T) {
	at := service(t, "127.0.0.2:0", echo)
	f := start(t, forwarder.Options{})
	old, young := sandboxAt("mox", at.Addr()), sandboxAt("mox", netip.MustParseAddr("127.0.0.3"))
	young.ID, young.Started = "young", old.Started.Add(time.Hour)
	f.SetSandboxes([]forwarder.Sandbox{old, young})
	port := freePort(t)
	if err := f.Open(forwarder.Spec{Port: port, To: int(at.Port()), Bind: forwarder.Loopback}); err != nil {
		t.Fatal(err)
	}
	mustEcho(t, dial(t, port))
}

func mustEcho(t *testing.T, conn net.Conn) {
	t.Helper()
	conn.SetDeadline(time.Now().Add(patience))
	io.WriteString(conn, "ping")
	got := make([]byte, 4)
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != "ping" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAConnectionBelongsToOneRunOfOneContainer(t *testing.T) {
	at := service(t, "127.0.0.1:0", echo)
	box := sandboxAt("mox", at.Addr())
	restarted, replaced, moved := box, box, box
	restarted.Started = box.Started.Add(time.Second)
	replaced.ID = "another"
	moved.Addrs = []netip.Addr{netip.MustParseAddr("127.0.0.9")}
	for _, change := range []struct {
		name string
		to   []forwarder.Sandbox
		dies bool
	}{
		{"still there", []forwarder.Sandbox{sandboxAt("mix", at.Addr()), box}, false},
		{"gone", nil, true},
		{"restarted", []forwarder.Sandbox{restarted}, true},
		{"its address given to another", []forwarder.Sandbox{replaced}, true},
		{"moved", []forwarder.Sandbox{moved}, true},
	} {
		t.Run(change.name, func(t *testing.T) {
			f := start(t, forwarder.Options{})
			f.SetSandboxes([]forwarder.Sandbox{box})
			port := freePort(t)
			if err := f.Open(forwarder.Spec{Port: port, To: int(at.Port()), Bind: forwarder.Loopback}); err != nil {
				t.Fatal(err)
			}
			conn := dial(t, port)
			mustEcho(t, conn)
			f.SetUnknown(errors.New("lost"))
			mustEcho(t, conn)
			f.SetSandboxes(change.to)
			if !change.dies {
				mustEcho(t, conn)
				return
			}
			mustReset(t, conn)
		})
	}
}

func TestASilentService(t *testing.T) {
	f := start(t, forwarder.Options{})
	f.SetSandboxes([]forwarder.Sandbox{sandboxAt("mox", loopback4)})
	port := freePort(t)
	if err := f.Open(forwarder.Spec{Port: port, To: freePort(t), Bind: forwarder.Loopback}); err != nil {
		t.Fatal(err)
	}
	var silent *forwarder.SilentError
	if _, err := f.Probe(t.Context(), tcp(port)); !errors.As(err, &silent) || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("probe: %v", err)
	}
	mustRefuse(t, port)
	if s := status(t, f, port); s.Answer != forwarder.Silent {
		t.Errorf("status %+v", s)
	}
	service(t, fmt.Sprintf("127.0.0.1:%d", status(t, f, port).To), echo)
	if way, err := f.Probe(t.Context(), tcp(port)); way != "direct" || err != nil {
		t.Errorf("probe: %q, %v", way, err)
	}
	mustEcho(t, dial(t, port))
}

// A client that is reset before the sandbox has answered, one that goes while
// the other side takes no bytes: nothing may be left over.
func TestAResetWhileTheOtherSideIsStuck(t *testing.T) {
	var held atomic.Pointer[net.TCPConn]
	release := make(chan bool)
	f, port := forward(t, func(conn *net.TCPConn) { held.Store(conn); <-release })
	defer close(release)
	conn := dial(t, port)
	fill(conn)
	conn.SetLinger(0)
	conn.Close()
	until(t, "the session ended", func() bool { return status(t, f, port).Open == 0 })
	until(t, "the service reset", func() bool {
		_, err := io.Copy(io.Discard, held.Load())
		return errors.Is(err, syscall.ECONNRESET)
	})
}

// fill writes until nothing more is taken.
func fill(conn net.Conn) (n int) {
	chunk := make([]byte, 1<<20)
	for {
		conn.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		w, err := conn.Write(chunk)
		n += w
		if err != nil {
			return n
		}
	}
}
