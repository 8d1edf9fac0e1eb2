package forwarder_test

import (
	"os/exec"
	"testing"

	"github.com/githabideri/fraktalia/forwarder"
	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
)

// The engine is killed, and when it is back the sandbox's address belongs to
// a stranger. Whoever connects all the while must never reach the stranger.
func TestTheEngineRestartsAndTheAddressIsAnothers(t *testing.T) {
	if !sandboxtest.InOwnNetwork(t) {
		return
	}
	daemon := sandboxtest.NewDaemon(t)
	image := sandboxtest.Image(t)
	network := sandboxtest.UniqueName("frk")
	sandboxtest.Docker(t, "network", "create", "--opt", "com.docker.network.bridge.name="+network, "--subnet", "10.213.11.0/24", network)
	t.Cleanup(func() { exec.Command("docker", "network", "rm", network).Run() })
	box := sandboxtest.Sandbox{Image: image, Agent: "mox", Network: network, Listen: []string{":9005"}}
	stranger := box
	stranger.Agent = "stranger"

	f := start(t, forwarder.Options{})
	follow(t, f, "", box.Agent)
	port := freePort(t)
	if err := f.Open(forwarder.Spec{Port: port, To: 9005, Agent: box.Agent, Bind: forwarder.Loopback}); err != nil {
		t.Fatal(err)
	}
	id := sandboxtest.Start(t, box)
	until(t, "the container answers", func() bool { return greeting(port) == id[:12] })
	address := addressOf(t, id)

	stop, met := make(chan bool), make(chan map[string]int)
	go func() { met <- greetings(port, stop) }()
	daemon.Kill()
	until(t, "the loss is seen", func() bool { return status(t, f, port).State == forwarder.Unknown })
	mustRefuse(t, port)
	daemon.Start()
	sandboxtest.Docker(t, "rm", "-f", id)
	other := sandboxtest.Start(t, stranger)
	if got := addressOf(t, other); got != address {
		t.Errorf("the stranger got %s instead of %s: this test proves nothing", got, address)
	}
	again := sandboxtest.Start(t, box)
	until(t, "the new container answers", func() bool { return greeting(port) == again[:12] })
	close(stop)
	names := <-met
	if names[other[:12]] > 0 {
		t.Errorf("the stranger was reached: %v", names)
	}
	t.Logf("reached: %v", names)
}

func addressOf(t *testing.T, id string) string {
	t.Helper()
	return sandboxtest.Docker(t, "inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", id)
}

// greetings connects again and again and counts who answered; "" is a reset.
func greetings(port int, stop <-chan bool) map[string]int {
	names := map[string]int{}
	for {
		select {
		case <-stop:
			return names
		default:
			names[greeting(port)]++
		}
	}
}
