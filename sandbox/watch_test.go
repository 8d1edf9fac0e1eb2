package sandbox_test

import (
	"context"
	"io"
	"net/netip"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/githabideri/fraktalia/sandbox"
	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
)

const patience = 30 * time.Second

// watch starts a watcher of the engine at host and returns its snapshots.
func watch(t *testing.T, host string) <-chan sandbox.Snapshot {
	t.Helper()
	engine, err := sandbox.Connect(host)
	if err != nil {
		t.Fatal(err)
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	snapshots := make(chan sandbox.Snapshot, 1000)
	watcher := sandbox.NewWatcher(engine, logrus.NewEntry(log), func(s sandbox.Snapshot) { snapshots <- s })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- watcher.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		engine.Close()
	})
	return snapshots
}

// until reads snapshots until one fits.
func until(t *testing.T, snapshots <-chan sandbox.Snapshot, what string, fits func(sandbox.Snapshot) bool) sandbox.Snapshot {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case s := <-snapshots:
			if fits(s) {
				return s
			}
		case <-deadline:
			t.Fatalf("no snapshot with %s", what)
		}
	}
}

func find(s sandbox.Snapshot, id string) (sandbox.Container, bool) {
	at := slices.IndexFunc(s.Containers, func(c sandbox.Container) bool { return c.ID == id })
	if at < 0 {
		return sandbox.Container{}, false
	}
	return s.Containers[at], true
}

func running(id string) func(sandbox.Snapshot) bool {
	return func(s sandbox.Snapshot) bool {
		c, ok := find(s, id)
		return s.Known && ok && c.Running() && len(c.Addrs) > 0
	}
}

// reachable is what must never be said of a container whose address is in doubt.
func unreachable(id string) func(sandbox.Snapshot) bool {
	return func(s sandbox.Snapshot) bool { return !running(id)(s) }
}

func TestContainersAreFoundByLabel(t *testing.T) {
	image := sandboxtest.Image(t)
	network := sandboxtest.UniqueName("fraktalia-test-net")
	sandboxtest.Docker(t, "network", "create", network)
	t.Cleanup(func() { exec.Command("docker", "network", "rm", network).Run() })
	agent := sandboxtest.UniqueName("mox")
	id := sandboxtest.Start(t, sandboxtest.Sandbox{Image: image, Agent: agent, Network: network, Listen: []string{":9005"},
		Options: []string{"--user", "1000:1000"}})
	alone := sandboxtest.Start(t, sandboxtest.Sandbox{Image: image, Network: "none", Listen: []string{":9005"}})
	other := sandboxtest.Docker(t, "create", image)
	t.Cleanup(func() { exec.Command("docker", "rm", other).Run() })

	engine, err := sandbox.Connect("")
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	containers, err := engine.Containers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := sandbox.Snapshot{Containers: containers}
	got, ok := find(s, id)
	if !ok {
		t.Fatal("the sandbox is not listed")
	}
	address := sandboxtest.Docker(t, "inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", id)
	if got.Agent != agent || got.SessionKey != "agent:"+agent+":workspace:00" || got.User != "1000:1000" || got.Image != image ||
		!slices.Equal(got.Networks, []string{network}) || !slices.Equal(got.Addrs, []netip.Addr{netip.MustParseAddr(address)}) ||
		!got.Running() || got.Started.IsZero() {
		t.Errorf("got %+v, address %s", got, address)
	}
	if got, ok := find(s, alone); !ok || got.Agent != "" || len(got.Addrs) > 0 || !slices.Equal(got.Networks, []string{"none"}) {
		t.Errorf("network none: got %+v", got)
	}
	if _, ok := find(s, other); ok {
		t.Error("a container without OpenClaw's label is listed")
	}
}

func TestWatcherFollowsAContainer(t *testing.T) {
	image := sandboxtest.Image(t)
	snapshots := watch(t, "")
	until(t, snapshots, "a listing", func(s sandbox.Snapshot) bool { return s.Known })
	id := sandboxtest.Start(t, sandboxtest.Sandbox{Image: image, Agent: "mox", Listen: []string{":9005"}})
	until(t, snapshots, "the new container", running(id))

	for _, step := range []struct {
		name     string
		off, on  []string
		goneOnly bool
	}{
		{name: "pause", off: []string{"pause", id}, on: []string{"unpause", id}},
		{name: "restart", off: []string{"restart", "-t", "0", id}},
		{name: "kill", off: []string{"kill", id}, on: []string{"start", id}},
		{name: "disconnect", off: []string{"network", "disconnect", "-f", "bridge", id}, on: []string{"network", "connect", "bridge", id}},
		{name: "remove", off: []string{"rm", "-f", id}, goneOnly: true},
	} {
		t.Run(step.name, func(t *testing.T) {
			sandboxtest.Docker(t, step.off...)
			until(t, snapshots, "the container gone", unreachable(id))
			if step.goneOnly {
				return
			}
			if step.on != nil {
				sandboxtest.Docker(t, step.on...)
			}
			until(t, snapshots, "the container back", running(id))
		})
	}
}

func TestASignalThatIsAnOrderLeavesTheContainer(t *testing.T) {
	image := sandboxtest.Image(t)
	id := sandboxtest.Start(t, sandboxtest.Sandbox{Image: image, Agent: "mox", Listen: []string{":9005"}})
	snapshots := watch(t, "")
	until(t, snapshots, "the container", running(id))
	sandboxtest.Docker(t, "kill", "-s", "WINCH", id)
	marker := sandboxtest.Start(t, sandboxtest.Sandbox{Image: image, Agent: "marker", Listen: []string{":9005"}})
	until(t, snapshots, "the marker", func(s sandbox.Snapshot) bool {
		if unreachable(id)(s) {
			t.Fatal("taken out by a signal that does not stop it")
		}
		return running(marker)(s)
	})
}
