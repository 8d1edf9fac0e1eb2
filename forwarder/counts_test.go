package forwarder_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/githabideri/fraktalia/forwarder"
)

// failures reads a port's counts by name, without those that are zero.
func failures(s forwarder.Status) map[string]uint64 {
	all := map[string]uint64{}
	for kind, count := range s.Failures {
		if count > 0 {
			all[forwarder.Failure(kind).String()] = count
		}
	}
	return all
}

// mustCount waits until a port's failures are those.
func mustCount(t *testing.T, f *forwarder.Forwarder, port int, want map[string]uint64) {
	t.Helper()
	until(t, fmt.Sprintf("the failures are %v, not %v", want, failures(status(t, f, port))), func() bool {
		return fmt.Sprint(failures(status(t, f, port))) == fmt.Sprint(want)
	})
}

func TestFailuresAreCountedByKind(t *testing.T) {
	at := service(t, "127.0.0.1:0", echo)
	nobody := netip.MustParseAddr("127.0.0.7")
	mox := sandboxAt("mox", at.Addr())
	for kind, one := range map[string]struct {
		agent string
		set   func(*forwarder.Forwarder)
	}{
		"refused":        {"mox", func(f *forwarder.Forwarder) { f.SetSandboxes([]forwarder.Sandbox{sandboxAt("mox", nobody)}) }},
		"unreachable":    {"mox", func(f *forwarder.Forwarder) { f.SetSandboxes([]forwarder.Sandbox{{ID: "1", Agent: "mox"}}) }},
		"no_sandbox":     {"mox", func(f *forwarder.Forwarder) { f.SetSandboxes(nil) }},
		"ambiguous":      {"", func(f *forwarder.Forwarder) { f.SetSandboxes([]forwarder.Sandbox{mox, sandboxAt("zoe", at.Addr())}) }},
		"engine_unknown": {"mox", func(f *forwarder.Forwarder) { f.SetUnknown(errors.New("lost")) }},
	} {
		t.Run(kind, func(t *testing.T) {
			f := start(t, forwarder.Options{})
			port := freePort(t)
			if err := f.Open(forwarder.Spec{Port: port, To: int(at.Port()), Agent: one.agent, Bind: forwarder.Loopback}); err != nil {
				t.Fatal(err)
			}
			one.set(f)
			mustRefuse(t, port)
			mustRefuse(t, port)
			mustCount(t, f, port, map[string]uint64{kind: 2})
			if s := status(t, f, port); s.Reached["direct"] != 0 {
				t.Errorf("reached %v", s.Reached)
			}
		})
	}
}

// A sandbox that is there and does not answer: its queue is full.
func TestATimeoutIsCounted(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: loopback4.As4()}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	to := name.(*unix.SockaddrInet4).Port
	for full := false; !full; {
		conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", to), 200*time.Millisecond)
		if full = err != nil; !full {
			t.Cleanup(func() { conn.Close() })
		}
	}
	f := start(t, forwarder.Options{})
	f.SetSandboxes([]forwarder.Sandbox{sandboxAt("mox", loopback4)})
	port := freePort(t)
	if err := f.Open(forwarder.Spec{Port: port, To: to, Bind: forwarder.Loopback}); err != nil {
		t.Fatal(err)
	}
	mustReset(t, dial(t, port))
	mustCount(t, f, port, map[string]uint64{"timeout": 1})
}

func TestAContainersEndIsCounted(t *testing.T) {
	f, port := forward(t, echo)
	first, second := dial(t, port), dial(t, port)
	mustEcho(t, first)
	mustEcho(t, second)
	mustCount(t, f, port, nil)
	f.SetSandboxes(nil)
	mustReset(t, first)
	mustReset(t, second)
	mustCount(t, f, port, map[string]uint64{"container_ended": 2})
	if s := status(t, f, port); s.Reached["direct"] != 2 {
		t.Errorf("reached %v", s.Reached)
	}
}

func TestWaysAreCounted(t *testing.T) {
	f, port := forwardBySocket(t, 8080, func(conn *net.UnixConn) { conn.Write([]byte("ping")) })
	if _, err := f.Probe(t.Context(), tcp(port)); err != nil {
		t.Fatal(err)
	}
	conn := dial(t, port)
	if n, err := conn.Read(make([]byte, 4)); n != 4 {
		t.Fatal(err)
	}
	// The probe is nobody's connection.
	if s := status(t, f, port); s.Reached["socket"] != 1 || s.Reached["direct"] != 0 || len(failures(s)) != 0 {
		t.Errorf("reached %v, failures %v", s.Reached, failures(s))
	}
}

// What the address met says more than that the last way did not serve.
func TestNoWayIsCountedAsWhatTheAddressMet(t *testing.T) {
	f, port := forwardBySocket(t, 8081, nil)
	mustRefuse(t, port)
	mustCount(t, f, port, map[string]uint64{"unreachable": 1})
	f.SetSandboxes([]forwarder.Sandbox{sandboxAt("mox", netip.MustParseAddr("127.0.0.7"))})
	mustRefuse(t, port)
	mustCount(t, f, port, map[string]uint64{"unreachable": 1, "refused": 1})
}

func TestDatagramsAreCounted(t *testing.T) {
	at := udpService(t, "127.0.0.1:0", "mox")
	f, port := forwardUDP(t, forwarder.Options{}, forwarder.Loopback, at)
	conn := dialUDP(t, "127.0.0.1", port)
	ask(t, conn, "hello")
	until(t, "both datagrams are counted", func() bool {
		s := statusUDP(t, f, port)
		return s.DatagramsIn >= 1 && s.DatagramsOut >= 1 && s.In == 5*s.DatagramsIn
	})
	f.SetSandboxes(nil)
	until(t, "the flow ends", func() bool { return statusUDP(t, f, port).Open == 0 })
	mustStaySilent(t, conn)
	until(t, "the container's end and the datagram without a sandbox are counted", func() bool {
		return fmt.Sprint(failures(statusUDP(t, f, port))) == "map[container_ended:1 no_sandbox:1]"
	})
	f.SetSandboxes(boxesAt(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.7"), at.Port())))
	mustStaySilent(t, conn)
	until(t, "the refusal is counted", func() bool { return failures(statusUDP(t, f, port))["refused"] == 1 })
}
