package e2e

import (
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/e2e/client"
	"github.com/githabideri/fraktalia/e2e/harness"
)

// --tailscale yes has tailscaled serve the homeserver: the terminal shows that
// address, and so does the room, to an owner who comes later. Where there is no
// tailnet the terminal says so, and what to do, and all else is up.
func TestUpHasTailscaleServe(t *testing.T) {
	programs, err := shared.tailscale(patient(t))
	must(t, err)
	net, err := harness.StartTailnet(patient(t), programs, t.TempDir())
	must(t, err)
	stop := func() { net.Stop() }
	defer func() { stop() }()
	ctx := patient(t)
	d, err := harness.New(ctx, shared.Binary, t.TempDir())
	must(t, err)
	t.Cleanup(func() { must(t, d.Down(within(t))) })
	d.Env = []string{shared.engine.Env()}
	must(t, d.Up(ctx))
	must(t, d.Process.Stop(ctx))
	must(t, d.SetConfig(`socket: ""`, `socket: "`+net.Socket("node1")+`"`))
	must(t, d.Up(ctx, "--tailscale", "yes"))
	if d.Public != "https://node1" {
		t.Errorf("the public address is %q\n%s", d.Public, d.LastWords())
	}
	admin := ownerIn(ctx, t, d)
	_, err = admin.WaitBot(ctx, func(e client.Event) bool { return says(e, "Friends reach the homeserver at https://node1 now") })
	must(t, err)
	if out := say(t, admin, "!address"); !out.OK || !strings.Contains(out.Body, "https://node1: tailscaled serves it") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	must(t, d.Process.Stop(ctx))
	stop()
	stop = func() {}
	must(t, d.Up(ctx, "--tailscale", "yes"))
	const sentence = "--tailscale yes: This machine is in no tailnet: install Tailscale and log in (tailscale up), or, where its socket is elsewhere, name that in " +
		"tailscale.socket. The homeserver runs without that; !address serve sets it up later."
	if said := d.Process.Said(); !strings.Contains(said, sentence) || d.Public != "" {
		t.Errorf("public address %q, no %q in\n%s", d.Public, sentence, said)
	}
	for _, e := range admin.FromBot() {
		if says(e, "phones refuse plain http") {
			t.Error("who has answered at the terminal is asked again")
		}
	}
}
