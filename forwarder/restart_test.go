package forwarder_test

import (
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/forwarder"
	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
)

// The engine is killed, and when it is back the sandbox's address belongs to a
// stranger. Whoever connects, or sends datagrams, all the while must never
// reach the stranger: also not in the flow that was open before.
func TestTheEngineRestartsAndTheAddressIsAnothers(t *testing.T) {
	if !sandboxtest.InOwnNetwork(t) {
		return
	}
	daemon := sandboxtest.NewDaemon(t)
	image := sandboxtest.Image(t)
	network := sandboxtest.UniqueName("frk")
	sandboxtest.Docker(t, "network", "create", "--opt", "com.docker.network.bridge.name="+network, "--subnet", "10.213.11.0/24", network)
	t.Cleanup(func() { exec.Command("docker", "network", "rm", network).Run() })
	box := sandboxtest.Sandbox{Image: image, Agent: "mox", Network: network, Listen: []string{":9005", "udp::9005"}}
	stranger := box
	stranger.Agent = "stranger"

	f := start(t, forwarder.Options{})
	follow(t, f, "", box.Agent)
	port := freePort(t)
	if err := f.Open(forwarder.Spec{Port: port, To: 9005, Agent: box.Agent, Bind: forwarder.Loopback}); err != nil {
		t.Fatal(err)
	}
	datagrams := freeUDPPort(t)
	if err := f.Open(forwarder.Spec{Port: datagrams, To: 9005, Agent: box.Agent, UDP: true, Bind: forwarder.Loopback}); err != nil {
		t.Fatal(err)
	}
	id := sandboxtest.Start(t, box)
	until(t, "the container answers", func() bool { return greeting(port) == id[:12] })
	address := addressOf(t, id)

	flow := dialUDP(t, "127.0.0.1", datagrams)
	if got := ask(t, flow, "who?"); got != id[:12]+" who?" {
		t.Fatalf("a datagram came back as %q", got)
	}
	met := counted(func() string { return greeting(port) })
	told := counted(func() string { return answerer(flow) })
	until(t, "both are under way", func() bool { return met.of(id) > 0 && told.of(id) > 0 })
	daemon.Kill()
	until(t, "the loss is seen", func() bool { return status(t, f, port).State == forwarder.Unknown })
	mustRefuse(t, port)
	mustStaySilent(t, dialUDP(t, "127.0.0.1", datagrams))
	daemon.Start()
	sandboxtest.Docker(t, "rm", "-f", id)
	other := sandboxtest.Start(t, stranger)
	if got := addressOf(t, other); got != address {
		t.Errorf("the stranger got %s instead of %s: this test proves nothing", got, address)
	}
	again := sandboxtest.Start(t, box)
	until(t, "the new container answers", func() bool { return greeting(port) == again[:12] })
	until(t, "its datagrams, too", func() bool { return answerer(dialUDP(t, "127.0.0.1", datagrams)) == again[:12] })
	for _, c := range []*count{met, told} {
		if c.end(); c.of(other) > 0 {
			t.Errorf("the stranger was reached: %v", c.names)
		}
		t.Logf("reached: %v", c.names)
	}
	if n := datagramsAt(t, other); n != "0" {
		t.Errorf("%s datagrams came to the stranger", n)
	}
	if n := datagramsAt(t, again); n == "0" {
		t.Error("no datagram is counted where some came: this test proves nothing")
	}
}

// datagramsAt is how many datagrams the kernel has delivered in a container.
func datagramsAt(t *testing.T, id string) string {
	t.Helper()
	text, err := os.ReadFile("/proc/" + sandboxtest.Docker(t, "inspect", "-f", "{{.State.Pid}}", id) + "/net/snmp")
	if err != nil {
		t.Fatal(err)
	}
	_, values, _ := strings.Cut(string(text), "\nUdp: ") // the names
	_, values, _ = strings.Cut(values, "\nUdp: ")
	return strings.Fields(values)[0]
}

// count is how often who has answered, asked again and again; "" is nobody, or a
// reset.
type count struct {
	mu          sync.Mutex
	names       map[string]int
	stop, ended chan struct{}
}

func counted(ask func() string) *count {
	c := &count{names: map[string]int{}, stop: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		for {
			select {
			case <-c.stop:
				return
			default:
				c.note(ask())
			}
		}
	}()
	return c
}

func (c *count) note(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.names[name]++
}

// of is how often a container answered.
func (c *count) of(id string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.names[id[:12]]
}

func (c *count) end() {
	close(c.stop)
	<-c.ended
}

// answerer sends a datagram and waits a moment for who answers; "" is nobody.
func answerer(conn net.Conn) string {
	io.WriteString(conn, "who?") // an error tells of an earlier one that was refused
	conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	got := make([]byte, 100)
	n, _ := conn.Read(got)
	name, _, _ := strings.Cut(string(got[:n]), " ")
	return name
}

func addressOf(t *testing.T, id string) string {
	t.Helper()
	return sandboxtest.Docker(t, "inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", id)
}
