package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/e2e/client"
)

// unheard checks that the bot has neither marked nor answered a line, once a
// later one has been answered, and that the line had no effect.
func unheard(t *testing.T, turn *client.Turn, what string) {
	t.Helper()
	list := say(t, shared.admin, "!forwards")
	if marks, replies := turn.Marks(), turn.Replies(); len(marks) > 0 || len(replies) > 0 {
		t.Errorf("%s: marks %v, replies %v", what, marks, replies)
	}
	if strings.Contains(list.Body, "9060") {
		t.Errorf("%s was obeyed:\n%s", what, list.Body)
		say(t, shared.admin, "!unforward 9060")
	}
}

func logHas(t *testing.T, words ...string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(shared.DataDir, "logs", "fraktalia.log"))
	must(t, err)
	for line := range strings.Lines(string(text)) {
		all := true
		for _, word := range words {
			all = all && strings.Contains(line, word)
		}
		if all {
			return
		}
	}
	t.Errorf("the log has no line with %q", words)
}

func TestEditsNoticesAndBridgesAreNotHeard(t *testing.T) {
	ctx := within(t)
	harmless, err := shared.admin.Say(ctx, "good morning")
	must(t, err)
	edited, err := shared.admin.Edit(ctx, harmless.ID, "!forward 9060")
	must(t, err)
	unheard(t, edited, "a command by edit")
	unheard(t, harmless, "the message that was edited")

	for what, content := range map[string]map[string]any{
		"an edit without a star": {"msgtype": "m.text", "body": "!forward 9060",
			"m.new_content": map[string]any{"msgtype": "m.text", "body": "!forward 9060"},
			"m.relates_to":  map[string]any{"rel_type": "m.replace", "event_id": harmless.ID}},
		"a notice":            {"msgtype": "m.notice", "body": "!forward 9060"},
		"an emote":            {"msgtype": "m.emote", "body": "!forward 9060"},
		"a bridged double":    {"msgtype": "m.text", "body": "!forward 9060", "fi.mau.double_puppet_source": "bridge"},
		"a body that is none": {"msgtype": "m.text", "body": 9060},
		"no type":             {"body": "!forward 9060"},
		"a file's name":       {"msgtype": "m.file", "body": "!forward 9060", "url": "mxc://fraktalia.test/none"},
		"an exclamation":      {"msgtype": "m.text", "body": "! forward 9060"},
		"HTML only":           {"msgtype": "m.text", "body": "x", "format": "org.matrix.custom.html", "formatted_body": "!forward 9060"},
		"a quotation":         {"msgtype": "m.text", "body": "> <@x:y> !forward 9060\n\nwhat is this?"},
	} {
		turn, err := shared.admin.Send(ctx, content)
		must(t, err)
		unheard(t, turn, what)
	}
	logHas(t, "not obeyed", "edit")
	logHas(t, "not obeyed", "m.notice")
}

func TestPlainTextIsNotHeard(t *testing.T) {
	turn, err := shared.admin.SendPlain(within(t), "!forward 9060")
	must(t, err)
	unheard(t, turn, "a command without encryption")
}

func TestOtherRoomsAreNotHeard(t *testing.T) {
	ctx := within(t)
	raw := shared.owner.Raw()
	made, err := raw.CreateRoom(ctx, &mautrix.ReqCreateRoom{
		Preset: "private_chat", Invite: []id.UserID{shared.BotUserID},
		InitialState: []*event.Event{{Type: event.StateEncryption, Content: event.Content{
			Parsed: &event.EncryptionEventContent{Algorithm: id.AlgorithmMegolmV1}}}},
	})
	must(t, err)
	must(t, shared.owner.Record.Wait(ctx, func() bool { return botIsIn(ctx, shared.owner, made.RoomID) }))
	elsewhere, err := shared.owner.Enter(ctx, made.RoomID, shared.BotUserID)
	must(t, err)
	turn, err := elsewhere.Say(ctx, "!forward 9060")
	must(t, err)
	unheard(t, turn, "a command from another room")

	chat, err := shared.owner.Enter(ctx, shared.ChatRoom, shared.BotUserID)
	must(t, err)
	if turn, err = chat.Say(ctx, "!forward 9060"); err != nil {
		t.Fatal(err)
	}
	unheard(t, turn, "a command from the chat room")
}

func botIsIn(ctx context.Context, c *client.Client, room id.RoomID) bool {
	members, err := c.Raw().JoinedMembers(ctx, room)
	if err != nil {
		return false
	}
	_, in := members.Joined[shared.BotUserID]
	return in
}

func TestStrangersAreNotHeard(t *testing.T) {
	ctx := within(t)
	eve := readCard(t, say(t, shared.admin, "!adduser eve").Body)
	her, err := shared.Person(ctx, eve.user, eve.password)
	must(t, err)
	defer her.Close()
	_, err = her.Sign(ctx)
	must(t, err)
	raw := shared.owner.Raw()
	_, err = raw.InviteUser(ctx, shared.AdminRoom, &mautrix.ReqInviteUser{UserID: id.UserID(eve.user)})
	must(t, err)
	defer raw.KickUser(ctx, shared.AdminRoom, &mautrix.ReqKickUser{UserID: id.UserID(eve.user)})
	room, err := her.Enter(ctx, shared.AdminRoom, shared.BotUserID)
	must(t, err)
	if _, err := shared.admin.WaitBot(ctx, func(e client.Event) bool {
		return e.Type == event.EventMessage.Type && strings.Contains(e.Content.AsMessage().Body, eve.user+" is in this room")
	}); err != nil {
		t.Error(err)
	}
	turn, err := room.Say(ctx, "!forward 9060")
	must(t, err)
	must(t, shared.owner.Record.Wait(ctx, func() bool { _, ok := shared.owner.Record.Find(turn.ID); return ok }))
	unheard(t, shared.admin.Turn(turn.ID), "a stranger in the admin room")
	logHas(t, "not obeyed", eve.user, "no owner")

	// Nor may a stranger answer a question or make a card vanish.
	ask, err := shared.admin.Say(ctx, "!adduser frida")
	must(t, err)
	out, err := ask.Final(ctx)
	must(t, err)
	shown := out.Replies[len(out.Replies)-1]
	if _, err := room.React(ctx, shown.ID, "🗑️"); err != nil {
		t.Fatal(err)
	}
	say(t, shared.admin, "!forwards")
	for _, r := range ask.Replies() {
		if r.Redacted {
			t.Error("a stranger's click made the joining card vanish")
		}
	}
}

func TestVeryLongLines(t *testing.T) {
	for _, line := range []string{
		"!forward " + strings.Repeat("9", 30<<10),
		"!" + strings.Repeat("x", 30<<10),
		"!help " + strings.Repeat("forward ", 4<<10),
		"!forward " + strings.Repeat("„", 9<<10),
	} {
		out := say(t, shared.admin, line)
		if out.OK || len(out.Body) > 1000 || out.Body == "" {
			t.Errorf("%.20s…: ok=%v, %d bytes of answer: %.200s", line, out.OK, len(out.Body), out.Body)
		}
	}
	// 64 kB do not fit into one event: the server refuses it.
	if _, err := shared.admin.Say(within(t), "!help "+strings.Repeat("x", 64<<10)); err == nil {
		t.Error("the server took an event of more than 64 kB")
	}
	if out := say(t, shared.admin, "!help"); !out.OK {
		t.Errorf("the bot is not well afterwards: %s", out.Body)
	}
}
