package e2e

import (
	"bytes"
	"context"
	"image"
	_ "image/png" // the joining card's picture
	"os"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/e2e/client"
)

// decided types a line that asks, answers, and waits for its end.
func decided(t *testing.T, room *client.Room, line, mark string) (question string, out client.Outcome) {
	t.Helper()
	ctx := within(t)
	turn, err := room.Say(ctx, line)
	must(t, err)
	asked, err := turn.WaitQuestion(ctx)
	must(t, err)
	_, err = room.React(ctx, asked.ID, mark)
	must(t, err)
	out, err = turn.Final(ctx)
	must(t, err)
	return asked.Body, out
}

// wait waits for the bot to have said something in its latest words.
func waitSaid(t *testing.T, room *client.Room, text string) {
	t.Helper()
	_, err := room.WaitBot(within(t), func(e client.Event) bool { return saysFinally(e, text) })
	must(t, err)
}

// The picture leads where the words say, and holds nothing that they do not.
func TestCardHasAPictureToScan(t *testing.T) {
	out := say(t, shared.admin, "!adduser pia --name 'Pia P'")
	card := readCard(t, out.Body)
	files := out.Files()
	if !out.OK || len(files) != 1 || files[0].MsgType != event.MsgImage || files[0].File.File == nil {
		t.Fatalf("ok=%v, files %+v", out.OK, files)
	}
	data, err := shared.owner.Download(within(t), files[0].File)
	must(t, err)
	picture, _, err := image.Decode(bytes.NewReader(data))
	must(t, err)
	bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
	must(t, err)
	read, err := qrcode.NewQRCodeReader().Decode(bitmap, nil)
	must(t, err)
	text := read.GetText()
	if !strings.HasPrefix(text, "https://mobile.element.io/element/?account_provider=http%3A%2F%2F127.0.0.1") || !strings.Contains(text, "login_hint=mxid%3A%40pia%3Afraktalia.test") ||
		strings.Contains(text, card.password) {
		t.Errorf("the picture says %s", text)
	}
	if out := say(t, shared.admin, "!users"); !strings.Contains(out.Body, "pia (Pia P)") || !strings.Contains(out.Body, "has a card, not logged in") {
		t.Error(out.Body)
	}
}

// The card goes when the friend has logged in, and the room hears how far they are.
func TestCardGoesWhenTheFriendIsIn(t *testing.T) {
	ctx := within(t)
	turn, err := shared.admin.Say(ctx, "!adduser quinn")
	must(t, err)
	out, err := turn.Final(ctx)
	must(t, err)
	card := readCard(t, out.Body)
	quinn, err := shared.Person(ctx, card.user, card.password)
	must(t, err)
	defer quinn.Close()
	must(t, turn.Wait(ctx, "the card's end", func(turn *client.Turn) bool { return redacted(turn.Replies()) == 2 }))
	waitSaid(t, shared.admin, "quinn has logged in, and is not in Friends yet.")
	if out := say(t, shared.admin, "!users"); !strings.Contains(out.Body, "logged in, not joined") {
		t.Error(out.Body)
	}
	_, err = quinn.Enter(ctx, shared.ChatRoom, shared.BotUserID)
	must(t, err)
	waitSaid(t, shared.admin, "quinn has logged in and is in Friends.")
}

func redacted(replies []client.Reply) (n int) {
	for _, r := range replies {
		if r.Redacted {
			n++
		}
	}
	return n
}

// Who else is in the admin room, the agent say, cannot read what is confided.
func TestOnlyOwnersReadTheCard(t *testing.T) {
	ctx := within(t)
	spy := readCard(t, say(t, shared.admin, "!adduser spy").Body)
	them, err := shared.Person(ctx, spy.user, spy.password)
	must(t, err)
	defer them.Close()
	_, err = them.Sign(ctx)
	must(t, err)
	raw := shared.owner.Raw()
	_, err = raw.InviteUser(ctx, shared.AdminRoom, &mautrix.ReqInviteUser{UserID: id.UserID(spy.user)})
	must(t, err)
	defer raw.KickUser(ctx, shared.AdminRoom, &mautrix.ReqKickUser{UserID: id.UserID(spy.user)})
	room, err := them.Enter(ctx, shared.AdminRoom, shared.BotUserID)
	must(t, err)
	waitSaid(t, shared.admin, spy.user+" is in this room")
	turn, err := shared.admin.Say(ctx, "!adduser rosa")
	must(t, err)
	out, err := turn.Final(ctx)
	must(t, err)
	readCard(t, out.Body) // the owner can
	if list := say(t, shared.admin, "!forwards"); !list.OK {
		t.Fatal(list.Body)
	}
	must(t, them.Record.Wait(ctx, func() bool { // they read what is said after it
		return len(room.Turn(turn.ID).Replies()) == 0 && lastWords(room, "No port is forwarded")
	}))
	for _, e := range room.FromBot() {
		if e.Broken == nil && saysFinally(e, "Password: ") {
			t.Errorf("a stranger reads the card: %s", e.Summary())
		}
	}
}

func lastWords(room *client.Room, text string) bool {
	for _, e := range room.FromBot() {
		if e.Broken == nil && saysFinally(e, text) {
			return true
		}
	}
	return false
}

func TestRemoveUserTakesEverythingBack(t *testing.T) {
	house := strings.Replace(clawHouse, "groups: {", "groupAllowFrom: ['@mila:fraktalia.test'], dm: { policy: 'allowlist', allowFrom: ['@mila:fraktalia.test'] }, groups: { '"+
		shared.ChatRoom.String()+"': { enabled: true, users: ['@mila:fraktalia.test'] }, ", 1)
	t.Cleanup(func() { clawFile(t, shared.DataDir, clawHouse) }) // others are not to be put on lists
	path := clawFile(t, shared.DataDir, house)
	ctx := within(t)
	turn, err := shared.admin.Say(ctx, "!adduser sam")
	must(t, err)
	out, err := turn.Final(ctx)
	must(t, err)
	var card card
	for _, r := range turn.Replies() {
		if strings.Contains(r.Body, "Password: ") {
			card = readCard(t, r.Body)
		}
	}
	listed, err := os.ReadFile(path)
	must(t, err)
	if !out.OK || strings.Count(string(listed), "'@sam:fraktalia.test'") != 3 || !strings.Contains(string(listed), "// made by hand") {
		t.Errorf("ok=%v\n%s\n%s", out.OK, out.Body, listed)
	}
	sam, err := shared.Person(ctx, card.user, card.password)
	must(t, err)
	defer sam.Close()
	_, err = sam.WaitInvite(ctx, shared.ChatRoom)
	must(t, err)
	_, err = sam.Enter(ctx, shared.ChatRoom, shared.BotUserID)
	must(t, err)
	waitSaid(t, shared.admin, "sam has logged in and is in Friends.")

	question, out := decided(t, shared.admin, "!removeuser sam", client.No)
	if out.OK || !strings.Contains(question, "1 session") || !strings.Contains(question, "in Friends") || !strings.Contains(question, "-") || !strings.Contains(out.Body, "nothing was changed") {
		t.Errorf("ok=%v\n%s\n%s", out.OK, question, out.Body)
	}
	if _, err := sam.Raw().Whoami(ctx); err != nil {
		t.Errorf("no was taken for yes: %v", err)
	}
	_, out = decided(t, shared.admin, "!removeuser sam --erase", client.Yes)
	if !out.OK || !strings.Contains(out.Body, "out of Friends, 1 session ended, the account is closed and its messages are hidden") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	wantClaw(t, path, house)
	if _, err := sam.Raw().Whoami(ctx); err == nil {
		t.Error("their session goes on")
	}
	if _, err := shared.Person(ctx, card.user, card.password); err == nil {
		t.Error("they log in again")
	}
	if botSees(ctx, t, "@sam:fraktalia.test") {
		t.Error("they are still in the chat room")
	}
	for line, want := range map[string]string{"!removeuser sam": "is removed already", "!adduser sam": "names are not given twice", "!passwd sam": "is removed, for ever"} {
		if out := say(t, shared.admin, line); out.OK || !strings.Contains(out.Body, want) {
			t.Errorf("%s: ok=%v\n%s", line, out.OK, out.Body)
		}
	}
	if out := say(t, shared.admin, "!users"); strings.Contains(out.Body, "sam") {
		t.Error(out.Body)
	}
}

// botSees asks who is in the chat room.
func botSees(ctx context.Context, t *testing.T, user id.UserID) bool {
	t.Helper()
	members, err := shared.owner.Raw().JoinedMembers(ctx, shared.ChatRoom)
	if err != nil { // the owner need not be in it
		_, err = shared.owner.Enter(ctx, shared.ChatRoom, shared.BotUserID)
		must(t, err)
		members, err = shared.owner.Raw().JoinedMembers(ctx, shared.ChatRoom)
		must(t, err)
	}
	_, in := members.Joined[user]
	return in
}

func TestLockPasswordLogout(t *testing.T) {
	ctx := within(t)
	card := readCard(t, say(t, shared.admin, "!adduser tess").Body)
	tess, err := shared.Person(ctx, card.user, card.password)
	must(t, err)
	defer tess.Close()
	if out := say(t, shared.admin, "!lock tess"); !out.OK || !strings.Contains(out.Body, "is locked") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	if _, err := tess.Raw().Whoami(ctx); err == nil {
		t.Error("a locked account acts")
	}
	if out := say(t, shared.admin, "!users"); !strings.Contains(out.Body, "🔒 locked") {
		t.Error(out.Body)
	}
	if out := say(t, shared.admin, "!passwd tess"); out.OK || !strings.Contains(out.Body, "!unlock tess first") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	if out := say(t, shared.admin, "!undo"); !out.OK {
		t.Errorf("undo of lock: %s", out.Body)
	}
	if _, err := tess.Raw().Whoami(ctx); err != nil {
		t.Errorf("after unlock: %v", err)
	}
	question, out := decided(t, shared.admin, "!passwd tess", client.Yes)
	fresh := readCard(t, out.Body)
	if !strings.Contains(question, "1 session") || fresh.password == card.password {
		t.Errorf("%s\n%s", question, out.Body)
	}
	if _, err := tess.Raw().Whoami(ctx); err == nil {
		t.Error("the old session goes on")
	}
	again, err := shared.Person(ctx, card.user, fresh.password)
	must(t, err)
	defer again.Close()
	if out := say(t, shared.admin, "!logout tess --yes"); !out.OK || !strings.Contains(out.Body, "1 session of") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	if _, err := again.Raw().Whoami(ctx); err == nil {
		t.Error("the session goes on")
	}
	if out := say(t, shared.admin, "!logout tess"); !out.OK || !strings.Contains(out.Body, "has no session") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
}

func TestInviteAndKick(t *testing.T) {
	ctx := within(t)
	card := readCard(t, say(t, shared.admin, "!adduser uma --account-only").Body)
	uma, err := shared.Person(ctx, card.user, card.password)
	must(t, err)
	defer uma.Close()
	if len(uma.Invites()) != 0 {
		t.Errorf("--account-only invited to %v", uma.Invites())
	}
	if out := say(t, shared.admin, "!invite uma Freinds"); out.OK || !strings.Contains(out.Body, "Did you mean Friends?") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	if out := say(t, shared.admin, "!invite uma Friends"); !out.OK {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	_, err = uma.WaitInvite(ctx, shared.ChatRoom)
	must(t, err)
	if out := say(t, shared.admin, "!undo"); !out.OK || !strings.Contains(out.Body, "is taken back") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	if out := say(t, shared.admin, "!kick uma Friends"); out.OK || !strings.Contains(out.Body, "is not in Friends") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	if out := say(t, shared.admin, "!invite uma friends"); !out.OK {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	_, err = uma.Enter(ctx, shared.ChatRoom, shared.BotUserID)
	must(t, err)
	if out := say(t, shared.admin, "!kick uma "+shared.ChatRoom.String()); !out.OK || !strings.Contains(out.Body, "is out of Friends") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	if botSees(ctx, t, "@uma:fraktalia.test") {
		t.Error("they are still in the room")
	}
}

// What would take the deployment from its owners, and what is not there.
func TestPeopleMistakes(t *testing.T) {
	for line, want := range map[string]string{
		"!removeuser mila":                        "is an owner: I do not remove owners",
		"!removeuser fraktalia":                   "is my own account: I do not remove myself",
		"!lock mila":                              "is an owner",
		"!kick mila Friends":                      "is an owner",
		"!logout fraktalia":                       "is my own account",
		"!passwd mila":                            "is an owner",
		"!removeuser nobodyhere":                  "There is no account @nobodyhere:fraktalia.test.",
		"!removeuser mlia":                        "Did you mean mila",
		"!lock @alice:elsewhere.test":             "I look after accounts on fraktalia.test only",
		"!adduser vera --room Freinds":            "Did you mean Friends?",
		"!adduser vera --room Fraktalia":          "That is the admin room",
		"!invite vera Fraktalia":                  "That is the admin room",
		"!adduser vera --for 3h":                  "it needs --token",
		"!adduser vera --token --for 3":           "Invalid argument",
		"!adduser vera --token --for 1s":          "between 1m and 8760h",
		"!adduser vera --account-only --room x":   "contradict",
		"!adduser vera wanda":                     "one word too many",
		"!tokens revoke nothing":                  "No valid token begins with",
		"!tokens burn":                            "Say tokens alone",
		"!tokens new --uses 0":                    "--uses takes",
		"!adduser\n```\nvera\nWanda\nvera\n```":   "The list cannot be used as it is; nothing was changed.",
		"!adduser\n" + strings.Repeat("x\n", 201): "is there twice",
		"!address somewhere":                      "Say address alone",
		"!address serve":                          "This machine is in no tailnet",
	} {
		if strings.HasPrefix(line, "!address serve") {
			line += " --yes"
		}
		out := say(t, shared.admin, line)
		if out.OK || !strings.Contains(out.Body, want) || strings.Contains(out.Body, "nternal error") {
			t.Errorf("%.60q: ok=%v, want %q in\n%s", line, out.OK, want, out.Body)
		}
	}
	if out := say(t, shared.admin, "!users"); strings.Contains(out.Body, "vera") {
		t.Errorf("mistakes left an account:\n%s", out.Body)
	}
	text, said, err := shared.Shell(within(t), nil, "passwd", "mila", "--yes", "--help")
	if err != nil || !strings.Contains(text, "machine's own shell") {
		t.Errorf("%v %s %s", err, text, said)
	}
}
