package forwarder_test

import (
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/forwarder"
	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
)

// Out of a real container, and not to another one.
func TestDatagramsFollowAContainer(t *testing.T) {
	image := sandboxtest.Image(t)
	box := sandboxtest.Sandbox{Image: image, Name: sandboxtest.UniqueName("fraktalia-test"), Agent: sandboxtest.UniqueName("mox"), Listen: []string{"udp::9005"}}
	f := start(t, forwarder.Options{})
	follow(t, f, "", box.Agent)
	port := freeUDPPort(t)
	if err := f.Open(forwarder.Spec{Port: port, To: 9005, Agent: box.Agent, UDP: true}); err != nil {
		t.Fatal(err)
	}
	id := sandboxtest.Start(t, box)
	conn := dialUDP(t, "127.0.0.1", port)
	if got, want := ask(t, conn, "who?"), id[:12]+" who?"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	sandboxtest.Docker(t, "pause", id)
	until(t, "the pause is seen", func() bool { return statusUDP(t, f, port).State == forwarder.Waiting })
	mustStaySilent(t, conn)
	sandboxtest.Docker(t, "unpause", id)
	ask(t, conn, "back?")
	sandboxtest.Docker(t, "rm", "-f", id)
	stranger := box
	stranger.Name, stranger.Agent = "", "stranger"
	sandboxtest.Start(t, stranger)
	for range 5 {
		mustStaySilent(t, conn)
	}
	again := sandboxtest.Start(t, box)
	if got, want := ask(t, conn, "who?"), again[:12]+" who?"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A sandbox must not reach another's port through the host, whatever address
// it writes into its datagrams as its own.
func TestASandboxesDatagramsAreRefused(t *testing.T) {
	image := sandboxtest.Image(t)
	agent := sandboxtest.UniqueName("mox")
	lan := "10.214.9.2"
	run(t, "ip", "addr", "add", lan+"/32", "dev", "lo")
	t.Cleanup(func() { exec.Command("ip", "addr", "del", lan+"/32", "dev", "lo").Run() })
	f := start(t, forwarder.Options{})
	follow(t, f, "", agent)
	port := freeUDPPort(t)
	if err := f.Open(forwarder.Spec{Port: port, To: 9005, Agent: agent, UDP: true}); err != nil {
		t.Fatal(err)
	}
	sandboxtest.Start(t, sandboxtest.Sandbox{Image: image, Agent: agent, Listen: []string{"udp::9005"}})
	ask(t, dialUDP(t, lan, port), "hello")
	before := statusUDP(t, f, port)
	id := sandboxtest.Start(t, sandboxtest.Sandbox{Image: image, Agent: "stranger", Listen: []string{":9005"}})
	at := net.JoinHostPort(lan, strconv.Itoa(port))
	if got := sandboxtest.Docker(t, "exec", id, "/server", "-dial", "udp:"+at); !strings.Contains(got, "timeout") {
		t.Errorf("a container got %q", got)
	}
	// The kernel drops such a datagram itself where its rp_filter is strict.
	if got := sandboxtest.Docker(t, "exec", id, "/server", "-forge", "198.51.100.7", at); got != "sent" {
		t.Fatalf("the stand-in's server said %q", got)
	}
	ask(t, dialUDP(t, lan, port), "behind it in the queue")
	if after := statusUDP(t, f, port); after.Failures[forwarder.Barred] == 0 {
		t.Errorf("failures %v", failures(after))
	}
	if after := statusUDP(t, f, port); after.Total != before.Total+1 {
		t.Errorf("%d flows began, want 1", after.Total-before.Total)
	}
}
