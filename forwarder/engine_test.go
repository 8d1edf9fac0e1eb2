package forwarder_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/githabideri/fraktalia/forwarder"
	"github.com/githabideri/fraktalia/sandbox"
	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
)

// follow feeds a forwarder from the engine at host ("" is the default one),
// with the containers of one agent only: others may be tested meanwhile.
func follow(t *testing.T, f *forwarder.Forwarder, host, agent string) {
	t.Helper()
	engine, err := sandbox.Connect(host)
	if err != nil {
		t.Fatal(err)
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	watcher := sandbox.NewWatcher(engine, logrus.NewEntry(log), func(s sandbox.Snapshot) {
		if !s.Known {
			f.SetUnknown(s.Err)
			return
		}
		var boxes []forwarder.Sandbox
		for _, c := range s.Containers {
			if c.Running() && c.Agent == agent {
				boxes = append(boxes, forwarder.Sandbox{ID: c.ID, Name: c.Name, Agent: c.Agent, Addrs: c.Addrs, Started: c.Started})
			}
		}
		f.SetSandboxes(boxes)
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- watcher.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-ended
		engine.Close()
	})
}

// greeting asks the stand-in behind a port for its name; "" if it was reset.
func greeting(port int) string {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return ""
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	line, _ := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line)
}

func TestAForwardFollowsItsContainer(t *testing.T) {
	image := sandboxtest.Image(t)
	box := sandboxtest.Sandbox{Image: image, Name: sandboxtest.UniqueName("fraktalia-test"), Agent: sandboxtest.UniqueName("mox"), Listen: []string{":9005"}}
	f := start(t, forwarder.Options{})
	follow(t, f, "", box.Agent)
	port := freePort(t)
	if err := f.Open(forwarder.Spec{Port: port, To: 9005, Agent: box.Agent, Bind: forwarder.Loopback}); err != nil {
		t.Fatal(err)
	}
	until(t, "the engine is known", func() bool { return status(t, f, port).State == forwarder.Waiting })
	id := sandboxtest.Start(t, box)
	until(t, "the container answers", func() bool { return greeting(port) == id[:12] })

	for _, step := range []struct {
		name    string
		off, on []string
	}{
		{"paused", []string{"pause", id}, []string{"unpause", id}},
		{"killed", []string{"kill", id}, []string{"start", id}},
		{"restarted", []string{"restart", "-t", "0", id}, nil},
		{"disconnected", []string{"network", "disconnect", "-f", "bridge", id}, []string{"network", "connect", "bridge", id}},
	} {
		t.Run(step.name, func(t *testing.T) {
			conn := dial(t, port)
			if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || line != id[:12]+"\n" {
				t.Fatalf("greeting %q, %v", line, err)
			}
			sandboxtest.Docker(t, step.off...)
			mustEnd(t, conn)
			if step.on != nil {
				mustRefuse(t, port)
				sandboxtest.Docker(t, step.on...)
			}
			until(t, "the container answers again", func() bool { return greeting(port) == id[:12] })
		})
	}
	t.Run("removed, and its address given to a stranger", func(t *testing.T) {
		conn := dial(t, port)
		sandboxtest.Docker(t, "rm", "-f", id)
		mustEnd(t, conn)
		stranger := box
		stranger.Name, stranger.Agent = "", "stranger"
		sandboxtest.Start(t, stranger)
		for range 50 {
			mustRefuse(t, port)
		}
		again := sandboxtest.Start(t, box)
		until(t, "the new container answers", func() bool { return greeting(port) == again[:12] })
	})
}

// mustEnd checks that a connection does not hang. Where the program inside
// was killed, its own orderly end may come before the engine's word.
func mustEnd(t *testing.T, conn net.Conn) {
	t.Helper()
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.Copy(io.Discard, conn); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("the connection did not end: %v", err)
	}
}

// A sandbox must not reach another's port through the host.
func TestASandboxIsRefusedItself(t *testing.T) {
	image := sandboxtest.Image(t)
	agent := sandboxtest.UniqueName("mox")
	f := start(t, forwarder.Options{})
	follow(t, f, "", agent)
	port := freePort(t)
	if err := f.Open(forwarder.Spec{Port: port, To: 9005, Agent: agent}); err != nil {
		t.Fatal(err)
	}
	id := sandboxtest.Start(t, sandboxtest.Sandbox{Image: image, Agent: agent, Listen: []string{":9005"}})
	until(t, "the container answers", func() bool { return greeting(port) == id[:12] })
	gateway := sandboxtest.Docker(t, "inspect", "-f", "{{.NetworkSettings.Gateway}}", id)
	for _, at := range status(t, f, port).Listening {
		if at.Addr().String() == gateway {
			t.Errorf("listening on the containers' gateway %s", at)
		}
	}
	if conn, err := net.Dial("tcp", net.JoinHostPort(gateway, strconv.Itoa(port))); err == nil {
		conn.Close()
		t.Error("the gateway takes connections")
	}
	// Nor does it get through by an address that is listened on.
	lan := "10.214.9.1"
	run(t, "ip", "addr", "add", lan+"/32", "dev", "lo")
	t.Cleanup(func() { exec.Command("ip", "addr", "del", lan+"/32", "dev", "lo").Run() })
	at := net.JoinHostPort(lan, strconv.Itoa(port))
	until(t, "the new address is listened on", func() bool { return strings.Contains(fmt.Sprint(status(t, f, port).Listening), at) })
	barred := status(t, f, port).Failures[forwarder.Barred]
	defer func() {
		if got := status(t, f, port).Failures[forwarder.Barred]; got != barred+1 {
			t.Errorf("%d clients were barred, want 1", got-barred)
		}
	}()
	if got := sandboxtest.Docker(t, "exec", id, "/server", "-dial", at); !strings.Contains(got, "reset") {
		t.Errorf("the sandbox got %q", got)
	}
	run(t, "ip", "addr", "del", lan+"/32", "dev", "lo")
	until(t, "the address is left", func() bool { return !strings.Contains(fmt.Sprint(status(t, f, port).Listening), at) })
}

func run(t *testing.T, program string, args ...string) {
	t.Helper()
	if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v (needs root)\n%s", program, strings.Join(args, " "), err, out)
	}
}
