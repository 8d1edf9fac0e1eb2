package e2e

import (
	"net"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/e2e/client"
)

// Whose device may command: before the owner has an identity, any device of
// theirs; after that, those it has signed; after a reset, none until the new
// identity is trusted in the shell.
func TestWhoseDeviceMayCommand(t *testing.T) {
	ctx := within(t)
	home, _, err := shared.deploy(ctx, shared.Binary, "trust")
	must(t, err)
	t.Cleanup(func() { checkStops(t, home.Listen(), func() error { return home.Down(within(t)) }) })

	login := func() (*client.Client, *client.Room) {
		device, err := home.Owner(ctx)
		must(t, err)
		t.Cleanup(func() { device.Close() })
		room, err := device.Enter(ctx, home.AdminRoom, home.BotUserID)
		must(t, err)
		return device, room
	}
	firstDevice, first := login()
	if out := say(t, first, "!help forward"); !out.OK {
		t.Fatalf("an owner without an identity is not heard: %s", out.Body)
	}
	recovery, err := firstDevice.Sign(ctx)
	must(t, err)
	if out := say(t, first, "!forward 9081"); !out.OK || !isOpen(9081) {
		t.Fatalf("the signed device is not heard: %s", out.Body)
	}

	secondDevice, second := login()
	refused(t, first, second, "!unforward 9081", "not verified")
	must(t, secondDevice.SignWith(ctx, recovery))
	if out := say(t, second, "!forwards"); !out.OK || !strings.Contains(out.Body, "9081") {
		t.Errorf("the second device is signed now: ok=%v\n%s", out.OK, out.Body)
	}

	// A new identity, as somebody makes who has got hold of the password.
	thiefDevice, thief := login()
	_, err = thiefDevice.Sign(ctx)
	must(t, err)
	refused(t, first, thief, "!unforward 9081", "identity of @mila:fraktalia.test has changed")
	refused(t, first, first, "!unforward 9081", "identity of @mila:fraktalia.test has changed")
	if out, said, err := home.Shell(ctx, strings.NewReader("no\n"), "trust", "@mila:fraktalia.test"); err == nil {
		t.Errorf("trusted without a yes: %s\n%s", out, said)
	}
	refused(t, first, thief, "!unforward 9081", "identity of @mila:fraktalia.test has changed")
	if out, said, err := home.Shell(ctx, strings.NewReader("yes\n"), "trust", "@mila:fraktalia.test"); err != nil {
		t.Fatalf("fraktalia trust: %v\n%s\n%s", err, out, said)
	}
	if out := say(t, thief, "!unforward 9081"); !out.OK {
		t.Errorf("the trusted new identity is not heard: %s", out.Body)
	}
	refused(t, thief, first, "!forwards", "not verified")
}

// refused has from say a line, and checks through the eyes of watcher that it
// was refused with the reason given and had no effect.
func refused(t *testing.T, watcher, from *client.Room, line, reason string) {
	t.Helper()
	ctx := within(t)
	sent, err := from.Say(ctx, line)
	must(t, err)
	turn := watcher.Turn(sent.ID)
	must(t, turn.Wait(ctx, "❌ and a reply", func(turn *client.Turn) bool {
		out, ended := turn.Now()
		return ended && len(out.Replies) > 0
	}))
	if out, _ := turn.Now(); out.OK || !strings.Contains(out.Body, reason) {
		t.Errorf("%s: ok=%v, want %q in\n%s", line, out.OK, reason, out.Body)
	}
	if line == "!unforward 9081" && !isOpen(9081) {
		t.Errorf("%s was refused with words, and done:\n%s", line, watcher.Transcript())
	}
}

// checkStops stops a deployment and checks that nothing of it is left.
func checkStops(t *testing.T, homeserver string, stop func() error) {
	t.Helper()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if conn, err := net.Dial("tcp", homeserver); err == nil {
		conn.Close()
		t.Error("the homeserver runs on after the program has stopped")
	}
}
