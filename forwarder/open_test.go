package forwarder_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/githabideri/fraktalia/forwarder"
)

func occupy(t *testing.T, addr string) (net.Listener, int) {
	t.Helper()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener, listener.Addr().(*net.TCPAddr).Port
}

func TestOpenRefuses(t *testing.T) {
	_, taken := occupy(t, "127.0.0.1:0")
	f := start(t, forwarder.Options{Holder: func(key forwarder.Key) string { return fmt.Sprintf("holder of %s", key) }})
	open := freePort(t)
	if err := f.Open(forwarder.Spec{Port: open, Agent: "mox", Bind: forwarder.Loopback}); err != nil {
		t.Fatal(err)
	}
	var inUse *forwarder.InUseError
	if err := f.Open(forwarder.Spec{Port: taken, Bind: forwarder.Loopback}); !errors.As(err, &inUse) ||
		inUse.Holder != fmt.Sprintf("holder of %d", taken) || int(inUse.Addr.Port()) != taken {
		t.Errorf("a port in use: %v", err)
	}
	if conn, err := net.Dial("tcp", fmt.Sprintf("[::1]:%d", taken)); err == nil {
		conn.Close()
		t.Error("one of the addresses was left open")
	}
	var already *forwarder.AlreadyError
	if err := f.Open(forwarder.Spec{Port: open}); !errors.As(err, &already) || already.Spec.Agent != "mox" || already.Spec.To != open {
		t.Errorf("a port that is open: %v", err)
	}
	for _, spec := range []forwarder.Spec{{}, {Port: -1}, {Port: 70000}, {Port: 9005, To: 70000}, {Port: 9005, Bind: 1 << 7}} {
		if err := f.Open(spec); err == nil {
			t.Errorf("%+v was opened", spec)
		}
	}
	if n := len(f.List()); n != 1 {
		t.Errorf("%d forwards are listed", n)
	}
}

func TestRestoreRetriesAPortThatIsHeld(t *testing.T) {
	at := service(t, "127.0.0.1:0", echo)
	holder, held := occupy(t, "0.0.0.0:0")
	free := freePort(t)
	f := start(t, forwarder.Options{Holder: func(forwarder.Key) string { return "portainer (pid 1)" }})
	f.SetSandboxes([]forwarder.Sandbox{sandboxAt("mox", at.Addr())})
	specs := []forwarder.Spec{{Port: held, To: int(at.Port()), Bind: forwarder.Loopback}, {Port: free, To: int(at.Port()), Bind: forwarder.Loopback}}
	if err := f.Restore(specs); err != nil {
		t.Fatal(err)
	}
	mustEcho(t, dial(t, free))
	s := status(t, f, held)
	if s.Holder != "portainer (pid 1)" || s.Err == nil {
		t.Errorf("status %+v", s)
	}
	holder.Close()
	until(t, "the port is served", func() bool { return len(status(t, f, held).Listening) == 2 })
	if s := status(t, f, held); s.State != forwarder.Serving || s.Holder != "" || s.Err != nil {
		t.Errorf("status %+v", s)
	}
	mustEcho(t, dial(t, held))
}

// Connections that come between Open and Run wait; Run returns only after
// what was open has ended, by force after the drain time.
func TestRunDrains(t *testing.T) {
	at := service(t, "127.0.0.1:0", echo)
	log := logrus.New()
	log.SetOutput(io.Discard)
	f := forwarder.New(forwarder.Options{Log: logrus.NewEntry(log), Drain: 200 * time.Millisecond})
	f.SetSandboxes([]forwarder.Sandbox{sandboxAt("mox", at.Addr())})
	port := freePort(t)
	if err := f.Open(forwarder.Spec{Port: port, To: int(at.Port()), Bind: forwarder.Loopback}); err != nil {
		t.Fatal(err)
	}
	early := dial(t, port)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	mustEcho(t, early)
	cancel()
	until(t, "the port is closed", func() bool {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	select {
	case <-ended:
		t.Error("Run returned while a connection was open and the drain time not over")
	default:
	}
	mustReset(t, early)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestListening(t *testing.T) {
	f := start(t, forwarder.Options{})
	port := freePort(t)
	if err := f.Open(forwarder.Spec{Port: port, Bind: forwarder.Loopback}); err != nil {
		t.Fatal(err)
	}
	want := []netip.AddrPort{netip.MustParseAddrPort(fmt.Sprintf("127.0.0.1:%d", port)), netip.MustParseAddrPort(fmt.Sprintf("[::1]:%d", port))}
	if got := status(t, f, port).Listening; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("listening on %v, want %v", got, want)
	}
	wide := freePort(t)
	if err := f.Open(forwarder.Spec{Port: wide, Bind: forwarder.Any}); err != nil {
		t.Fatal(err)
	}
	if got := status(t, f, wide).Listening; fmt.Sprint(got) != fmt.Sprintf("[[::]:%d]", wide) {
		t.Errorf("any: listening on %v", got)
	}
	f.SetSandboxes(nil)
	mustRefuse(t, wide)
}
