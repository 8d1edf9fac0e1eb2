package remote_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/githabideri/fraktalia/remote"
	"github.com/githabideri/fraktalia/remote/remotetest"
	"github.com/githabideri/fraktalia/sandbox"
	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
)

// patience bounds what must happen; it is no measurement.
const patience = 60 * time.Second

func machine(t *testing.T) *remotetest.Machine {
	t.Helper()
	m, err := remotetest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Stop)
	return m
}

func options(m *remotetest.Machine) remote.Options {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return remote.Options{Name: "attic", User: m.User, Address: m.Address, KeyFile: m.KeyFile, KnownHosts: m.KnownHosts, Socket: m.Socket, Log: logrus.NewEntry(log)}
}

func host(t *testing.T, o remote.Options) *remote.Host {
	t.Helper()
	h := remote.New(o)
	t.Cleanup(func() { h.Close() })
	return h
}

func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never came true: %s", what)
		}
	}
}

// The engine of another machine, and a container there that only that machine
// can reach.
func TestAnotherMachinesEngine(t *testing.T) {
	m := machine(t)
	if err := m.StartEngine(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DOCKER_HOST", "unix://"+m.Socket) // for the stand-in only
	id := sandboxtest.Start(t, sandboxtest.Sandbox{Image: sandboxtest.Image(t), Agent: "mox", Network: remotetest.Network, Listen: []string{":9005"}})
	h := host(t, options(m))
	engine, err := sandbox.ConnectThrough("attic", h.Engine)
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	list, err := engine.Containers(t.Context())
	if err != nil || len(list) != 1 || list[0].ID != id || list[0].Host != "attic" || len(list[0].Addrs) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	if near, err := net.DialTimeout("tcp", netip.AddrPortFrom(list[0].Addrs[0], 9005).String(), time.Second); err == nil {
		near.SetDeadline(time.Now().Add(time.Second))
		line, _ := bufio.NewReader(near).ReadString('\n')
		near.Close()
		if line == id[:12]+"\n" {
			t.Fatal("this machine reaches the container by itself: the test proves nothing")
		}
	}
	conn, err := h.Dial(t.Context(), netip.AddrPortFrom(list[0].Addrs[0], 9005))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "hello")
	conn.(*remote.Conn).CloseWrite()
	if got, err := io.ReadAll(conn); err != nil || string(got) != id[:12]+"\nhello" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := h.Dial(t.Context(), netip.AddrPortFrom(list[0].Addrs[0], 9006)); err == nil || h.Check(t.Context()) != nil {
		t.Errorf("nobody listens: %v", err)
	}
	var out sandbox.Capture
	out.Most = 100
	if status, err := engine.Exec(t.Context(), id, sandbox.Command{Args: []string{"/server", "-dial", "127.0.0.1:9005"}, Stdout: &out}); err != nil || status != 0 || out.String() != id[:12]+"\n\n" {
		t.Errorf("exec: status %d, %v, %q", status, err, out.String())
	}
}

// echo listens over there.
func echo(t *testing.T, m *remotetest.Machine) netip.AddrPort {
	t.Helper()
	file := filepath.Join(t.TempDir(), "server")
	compile := exec.Command("go", "build", "-o", file, "github.com/githabideri/fraktalia/sandbox/sandboxtest/server")
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := m.Run(file, "127.0.0.1:7007"); err != nil {
		t.Fatal(err)
	}
	return netip.MustParseAddrPort("127.0.0.1:7007")
}

func TestConnectionsAreLostAndComeBack(t *testing.T) {
	for name, lose := range map[string]struct {
		off, on func(*remotetest.Machine) error
	}{
		"the server crashes": {func(m *remotetest.Machine) error { m.StopSSH(); return nil }, (*remotetest.Machine).StartSSH},
		"the cable is cut":   {(*remotetest.Machine).Unplug, (*remotetest.Machine).Plug},
	} {
		t.Run(name, func(t *testing.T) {
			m := machine(t)
			at := echo(t, m)
			h := host(t, options(m))
			var conn net.Conn
			until(t, "the service over there answers", func() (ok bool) {
				var err error
				conn, err = h.Dial(t.Context(), at)
				return err == nil
			})
			bufio.NewReader(conn).ReadString('\n')
			if err := lose.off(m); err != nil {
				t.Fatal(err)
			}
			if n, err := conn.Read(make([]byte, 1)); !errors.Is(err, remote.ErrLost) {
				t.Errorf("%d bytes, %v: a loss must not look like an end", n, err)
			}
			if err := h.Check(t.Context()); err == nil {
				t.Error("nothing is wrong")
			}
			if err := lose.on(m); err != nil {
				t.Fatal(err)
			}
			until(t, "it is back", func() bool {
				again, err := h.Dial(t.Context(), at)
				if err != nil {
					return false
				}
				defer again.Close()
				_, err = bufio.NewReader(again).ReadString('\n')
				return err == nil
			})
		})
	}
}

func TestWhatHindersIsToldApart(t *testing.T) {
	m := machine(t)
	good := options(m)
	locked := filepath.Join(t.TempDir(), "locked")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "secret words", "-f", locked).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	stranger := filepath.Join(t.TempDir(), "stranger")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", stranger).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	empty := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change func(*remote.Options)
		is     func(error) bool
	}{
		"nobody listens": {func(o *remote.Options) { o.Address = strings.Replace(o.Address, ":2222", ":2223", 1) }, is[*remote.UnreachableError]},
		"not known":      {func(o *remote.Options) { o.KnownHosts = empty }, is[*remote.HostKeyError]},
		"no known_hosts": {func(o *remote.Options) { o.KnownHosts = empty + "x" }, is[*remote.HostKeyError]},
		"another key":    {func(o *remote.Options) { o.KeyFile = stranger }, is[*remote.RefusedError]},
		"another user":   {func(o *remote.Options) { o.User = "nobody" }, is[*remote.RefusedError]},
		"no key":         {func(o *remote.Options) { o.KeyFile += "x" }, is[*remote.KeyError]},
		"a passphrase": {func(o *remote.Options) { o.KeyFile = locked }, func(err error) bool {
			var key *remote.KeyError
			return errors.As(err, &key) && key.Passphrase()
		}},
		"no agent":  {func(o *remote.Options) { o.KeyFile = "" }, is[*remote.KeyError]},
		"no engine": {func(*remote.Options) {}, is[*remote.EngineError]},
	} {
		t.Run(name, func(t *testing.T) {
			o := good
			test.change(&o)
			if _, err := host(t, o).Engine(t.Context()); !test.is(err) {
				t.Errorf("%T: %v", err, err)
			}
		})
	}
}

func is[E error](err error) bool {
	var target E
	return errors.As(err, &target)
}

func TestAnotherHostKeyIsRefused(t *testing.T) {
	m := machine(t)
	m.StopSSH()
	if err := errors.Join(m.NewHostKey(), m.StartSSH()); err != nil {
		t.Fatal(err)
	}
	var key *remote.HostKeyError
	h := host(t, options(m))
	if err := h.Check(t.Context()); !errors.As(err, &key) || !key.Changed || key.Line != 1 {
		t.Fatalf("error %v", err)
	}
	// The person has looked, and mends known_hosts.
	if err := m.Know(); err != nil {
		t.Fatal(err)
	}
	until(t, "it is let in", func() bool { return h.Check(t.Context()) == nil })
}

func TestForwardingForbidden(t *testing.T) {
	m := machine(t)
	m.StopSSH()
	if err := errors.Join(m.Forbid("AllowTcpForwarding local"), m.Forbid("PermitOpen none"), m.StartSSH()); err != nil {
		t.Fatal(err)
	}
	if _, err := host(t, options(m)).Dial(t.Context(), netip.MustParseAddrPort("127.0.0.1:7007")); !is[*remote.ForbiddenError](err) {
		t.Errorf("error %v", err)
	}
}

func TestAnAgentsKey(t *testing.T) {
	m := machine(t)
	socket := filepath.Join(t.TempDir(), "agent")
	agent := exec.Command("ssh-agent", "-D", "-a", socket)
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { agent.Process.Kill(); agent.Wait() })
	until(t, "the agent has the key", func() bool {
		add := exec.Command("ssh-add", m.KeyFile)
		add.Env = append(os.Environ(), "SSH_AUTH_SOCK="+socket)
		return add.Run() == nil
	})
	o := options(m)
	o.KeyFile, o.Agent = "", socket
	if err := host(t, o).Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// A machine that is down is asked once a while, not at each connection.
func TestAFailureIsRemembered(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	asked := make(chan bool, 100)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			asked <- true
			conn.Close()
		}
	}()
	known := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(known, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(t.TempDir(), "key")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	h := host(t, remote.Options{Name: "attic", User: "x", Address: listener.Addr().String(), KeyFile: key, KnownHosts: known, Log: logrus.NewEntry(log)})
	for range 20 {
		if err := h.Check(t.Context()); !is[*remote.UnreachableError](err) {
			t.Errorf("error %v", err)
		}
	}
	if n := len(asked); n > 2 {
		t.Errorf("asked %d times", n)
	}
}
