package forwarder_test

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/githabideri/fraktalia/forwarder"
)

// elsewhere is a sandbox of another host whose address is one that a service
// of this host has.
func elsewhere(addr netip.Addr) forwarder.Sandbox {
	far := sandboxAt("mox", addr)
	far.ID, far.Name, far.Host = "far", "far", "attic"
	return far
}

// An address of another host is never dialled from here: here it is another
// container's.
func TestAnotherHostsAddressIsNotDialledHere(t *testing.T) {
	at := service(t, "127.0.0.1:0", func(conn *net.TCPConn) { conn.Write([]byte("the wrong one")) })
	f := start(t, forwarder.Options{})
	f.SetSandboxes(nil)
	f.SetHost("attic", []forwarder.Sandbox{elsewhere(at.Addr())})
	port := freePort(t)
	if err := f.Open(forwarder.Spec{Port: port, To: int(at.Port()), Bind: forwarder.Loopback}); err != nil {
		t.Fatal(err)
	}
	mustRefuse(t, port)
	if s := status(t, f, port); s.State != forwarder.Unreachable || s.Sandbox.Host != "attic" {
		t.Errorf("status %+v", s)
	}
}

func TestAnEngineOfAnotherHostIsLost(t *testing.T) {
	at := service(t, "127.0.0.1:0", func(conn *net.TCPConn) { conn.Write([]byte("here")) })
	f := start(t, forwarder.Options{})
	lost := errors.New("lost")
	for _, port := range []forwarder.Spec{{Port: freePort(t), Agent: "mox"}, {Port: freePort(t), Agent: "max"}} {
		port.To, port.Bind = int(at.Port()), forwarder.Loopback
		if err := f.Open(port); err != nil {
			t.Fatal(err)
		}
	}
	states := func() (mox, max forwarder.State) {
		for _, s := range f.List() {
			if s.Agent == "mox" {
				mox = s.State
			} else {
				max = s.State
			}
		}
		return mox, max
	}
	check := func(what string, wantMox, wantMax forwarder.State) {
		t.Helper()
		if mox, max := states(); mox != wantMox || max != wantMax {
			t.Errorf("%s: mox %s, max %s; want %s, %s", what, mox, max, wantMox, wantMax)
		}
	}
	check("at the start", forwarder.Unknown, forwarder.Unknown)
	f.SetSandboxes([]forwarder.Sandbox{sandboxAt("mox", at.Addr())})
	check("this host alone", forwarder.Serving, forwarder.Waiting)
	f.SetHostUnknown("attic", lost)
	check("the other lost", forwarder.Serving, forwarder.Unknown)
	for _, s := range f.List() {
		if s.Agent == "max" && !errors.Is(s.Err, lost) {
			t.Errorf("status %+v", s)
		}
	}
	f.SetHost("attic", nil)
	check("the other is back", forwarder.Serving, forwarder.Waiting)
	f.SetUnknown(lost)
	check("this one lost", forwarder.Unknown, forwarder.Unknown)
}

// While an engine is lost its agents still count for whom an unnamed forward
// could mean: callers of one agent must not be given to another.
func TestAnUnnamedForwardDoesNotGuessWhileAnEngineIsLost(t *testing.T) {
	at := service(t, "127.0.0.1:0", func(conn *net.TCPConn) { conn.Write([]byte("here")) })
	f := start(t, forwarder.Options{})
	unnamed, named := freePort(t), freePort(t)
	for _, spec := range []forwarder.Spec{{Port: unnamed}, {Port: named, Agent: "mox"}} {
		spec.To, spec.Bind = int(at.Port()), forwarder.Loopback
		if err := f.Open(spec); err != nil {
			t.Fatal(err)
		}
	}
	check := func(what string, want forwarder.State, agents ...string) {
		t.Helper()
		if s := status(t, f, unnamed); s.State != want || !slices.Equal(s.Agents, agents) {
			t.Errorf("%s: %s of %v, want %s of %v", what, s.State, s.Agents, want, agents)
		}
		if s := status(t, f, named); s.State != forwarder.Serving {
			t.Errorf("%s: the named one is %s", what, s.State)
		}
	}
	lost := errors.New("lost")
	mox, max := sandboxAt("mox", at.Addr()), elsewhere(at.Addr())
	max.Agent = "max"
	f.SetSandboxes([]forwarder.Sandbox{mox})
	check("one engine", forwarder.Serving)
	f.SetHostUnknown("attic", nil)
	check("another that was never seen", forwarder.Unknown)
	mustRefuse(t, unnamed)
	f.SetHost("attic", []forwarder.Sandbox{max})
	check("seen", forwarder.Ambiguous, "max", "mox")
	for range 2 {
		f.SetHostUnknown("attic", lost)
		check("lost", forwarder.Ambiguous, "max", "mox")
		mustRefuse(t, unnamed)
	}
	var ambiguous *forwarder.AmbiguousError
	if _, err := f.Probe(t.Context(), tcp(unnamed)); !errors.As(err, &ambiguous) || !slices.Equal(ambiguous.Agents, []string{"max", "mox"}) {
		t.Errorf("probe: %v", err)
	}
	f.SetHost("attic", nil)
	check("back, without any", forwarder.Serving)
	f.SetHostUnknown("attic", lost)
	check("lost again, with nobody's", forwarder.Serving)
}
