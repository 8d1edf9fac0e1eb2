package e2e

import (
	"strings"
	"testing"

	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/e2e/client"
	"github.com/githabideri/fraktalia/e2e/jsclient"
)

// Everything the bot has said to the owner came from one device, which the
// bot's identity has signed.
func TestTheBotsDeviceIsSigned(t *testing.T) {
	say(t, shared.admin, "!help")
	devices := map[id.DeviceID]bool{}
	for _, e := range shared.admin.FromBot() {
		if !e.Encrypted {
			continue
		}
		devices[e.Device] = true
		if !e.Signed() {
			t.Errorf("a red shield at %s", e.Summary())
		}
	}
	if len(devices) != 1 {
		t.Errorf("the bot spoke from %d devices: %v", len(devices), devices)
	}
}

// Element's own crypto, in its strictest mode: it gives keys to signed devices
// only, so the bot hears it only if the bot's device is signed.
func TestElementsCryptoAcceptsTheBot(t *testing.T) {
	ctx := within(t)
	element, err := jsclient.Start(ctx, jsclient.Login{
		Homeserver: shared.Homeserver, User: string(shared.Ready.Owner.UserID), Password: shared.Password, OnlySigned: true,
	})
	must(t, err)
	defer element.Close()
	must(t, element.SignWith(ctx, shared.recovery))
	room, bot := string(shared.AdminRoom), string(shared.BotUserID)
	must(t, element.Join(ctx, room))
	command, err := element.Say(ctx, room, "!help forward")
	must(t, err)
	reply, err := element.Reply(ctx, room, command)
	must(t, err)
	if !reply.Encrypted || reply.Shield == jsclient.ShieldRed || reply.Sender != bot || !strings.Contains(reply.Body, "!forward PORT") {
		t.Errorf("Element reads %+v", reply)
	}
	must(t, element.WaitMark(ctx, room, command, bot, client.Yes))
	trust, err := element.Trust(ctx, bot)
	must(t, err)
	if !trust.Identity || len(trust.Unsigned) > 0 {
		t.Errorf("Element takes the bot for %+v", trust)
	}

	verified, err := element.Verify(ctx, room, bot)
	must(t, err)
	if !verified.Verified {
		t.Errorf("verified by emoji, and not trusted: %+v", verified)
	}
	logHasEmoji(t, verified.Emoji)
}

// logHasEmoji looks for the bot's own emoji in its log, where an owner
// compares them.
func logHasEmoji(t *testing.T, emoji string) {
	t.Helper()
	logHas(t, append([]string{"verification"}, strings.Fields(emoji)...)...)
}

func TestTheOwnerVerifiesTheBotByEmoji(t *testing.T) {
	ctx := within(t)
	device, err := shared.Owner(ctx)
	must(t, err)
	defer device.Logout(ctx)
	must(t, device.SignWith(ctx, shared.recovery))
	room, err := device.Enter(ctx, shared.AdminRoom, shared.BotUserID)
	must(t, err)
	var shown client.Emoji
	look := func(e client.Emoji) bool { shown = e; return true }
	must(t, device.VerifyInRoom(ctx, room.ID, shared.BotUserID, look))
	logHasEmoji(t, shown.Pictures)
	if trusted, err := device.Trusts(ctx, shared.BotUserID); err != nil || !trusted {
		t.Errorf("trusted=%v, %v", trusted, err)
	}
	must(t, device.VerifyToDevice(ctx, shared.BotUserID, look))
	logHasEmoji(t, shown.Pictures)
	if out := say(t, room, "!help"); !out.OK || out.Replies[0].Trust < id.TrustStateCrossSignedVerified {
		t.Errorf("after the verification: ok=%v, trust %s", out.OK, &out.Replies[0].Trust)
	}
}

func TestAStrangerCannotVerify(t *testing.T) {
	ctx := within(t)
	out := say(t, shared.admin, "!adduser gus")
	gus := readCard(t, out.Body)
	his, err := shared.Person(ctx, gus.user, gus.password)
	must(t, err)
	defer his.Close()
	room, err := his.Enter(ctx, shared.ChatRoom, shared.BotUserID)
	must(t, err)
	short, cancel := shortly(t)
	defer cancel()
	if err := his.VerifyInRoom(short, room.ID, shared.BotUserID, func(client.Emoji) bool { return true }); err == nil {
		t.Error("the bot let a stranger verify it")
	}
	short, cancel = shortly(t)
	defer cancel()
	if err := his.VerifyToDevice(short, shared.BotUserID, func(client.Emoji) bool { return true }); err == nil {
		t.Error("the bot let a stranger verify it, between devices")
	}
}
