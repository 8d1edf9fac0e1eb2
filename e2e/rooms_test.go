package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto/attachment"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/e2e/client"
	"github.com/githabideri/fraktalia/e2e/harness"
)

// befriend makes an account and logs it in.
func befriend(t testing.TB, room *client.Room, d interface {
	Person(ctx context.Context, user, password string) (*client.Client, error)
}, name string) *client.Client {
	t.Helper()
	out := say(t, room, "!adduser "+name)
	if !out.OK {
		t.Fatal(out.Body)
	}
	card := readCard(t, out.Body)
	friend, err := d.Person(within(t), card.user, card.password)
	must(t, err)
	t.Cleanup(func() { friend.Close() })
	return friend
}

// listedRoom is a room as `!rooms --json` has it.
type listedRoom struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Alias     string   `json:"alias"`
	Members   int      `json:"members"`
	Encrypted bool     `json:"encrypted"`
	Public    bool     `json:"public"`
	Version   string   `json:"version"`
	Agents    []string `json:"agents"`
	Own       string   `json:"own"`
}

// listed finds a room by its name in the shell's list; nil where there is none.
func listed(t testing.TB, name string) *listedRoom {
	t.Helper()
	return listedOn(t, shared.Deployment, name)
}

func listedOn(t testing.TB, d *harness.Deployment, name string) *listedRoom {
	t.Helper()
	text, said, err := d.Shell(within(t), nil, "rooms", "--json")
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, text, said)
	}
	var rooms []listedRoom
	must(t, json.Unmarshal([]byte(text), &rooms))
	for _, room := range rooms {
		if room.Name == name {
			return &room
		}
	}
	return nil
}

func TestRoomIsMadeAndListed(t *testing.T) {
	rita := befriend(t, shared.admin, shared, "rita")
	out := say(t, shared.admin, `!createroom "Film club" --invite rita`)
	if !out.OK || !strings.Contains(out.Body, "Film club is made: encrypted, private") || !strings.Contains(out.Body, "@rita:fraktalia.test") {
		t.Fatalf("ok=%v\n%s", out.OK, out.Body)
	}
	room := listed(t, "Film club")
	if room == nil || room.Members != 1 || !room.Encrypted || room.Public || room.Version == "" {
		t.Fatalf("listed as %+v", room)
	}
	invite, err := rita.WaitInvite(within(t), id.RoomID(room.ID))
	must(t, err)
	if !invite.Encrypted || invite.From != shared.BotUserID {
		t.Errorf("invitation %+v", invite)
	}
	if _, err := shared.owner.Enter(within(t), id.RoomID(room.ID), shared.BotUserID); err != nil {
		t.Errorf("the owner: %v", err)
	}
	out = say(t, shared.admin, "!rooms")
	for _, want := range []string{"Film club", "admin room", "chat room", "encrypted"} {
		if !out.OK || !strings.Contains(out.Body, want) || !strings.Contains(out.HTML, "<table>") {
			t.Errorf("!rooms has no %q, ok=%v\n%s", want, out.OK, out.Body)
		}
	}
}

func TestPublicRoomHasAnAddress(t *testing.T) {
	out := say(t, shared.admin, `!createroom "Open House" --public`)
	if !out.OK || !strings.Contains(out.Body, "#open-house:fraktalia.test") {
		t.Fatalf("ok=%v\n%s", out.OK, out.Body)
	}
	room := listed(t, "Open House")
	if room == nil || !room.Public || !room.Encrypted || room.Alias != "#open-house:fraktalia.test" {
		t.Errorf("listed as %+v", room)
	}
	if out = say(t, shared.admin, `!createroom "Open House" --public`); out.OK || !strings.Contains(out.Body, "already. Choose another name.") {
		t.Errorf("twice: ok=%v\n%s", out.OK, out.Body)
	}
}

// clawMatrix has a Matrix account for the agents, and one that cannot be invited.
const clawMatrix = `{
  // made by hand
  meta: { lastTouchedVersion: '2026.9.6' },
  gateway: { mode: 'local' },
  agents: { ownership: 'explicit', entries: { mox: { name: 'Mox' }, odd: {}, mute: {} } },
  bindings: [
    { agentId: 'odd', match: { channel: 'matrix', accountId: 'odd' } },
    { agentId: 'mute', match: { channel: 'matrix', accountId: 'mute' } },
  ],
  channels: { matrix: {
    userId: '@moxbot:fraktalia.test', autoJoin: 'allowlist', autoJoinAllowlist: [], groupPolicy: 'allowlist', groups: {},
    accounts: { odd: { userId: '@odd:elsewhere.test' }, mute: { deviceName: 'x' } },
  } },
}
`

func TestRoomForAnAgent(t *testing.T) {
	path := clawFile(t, shared.DataDir, clawMatrix)
	agent := befriend(t, shared.admin, shared, "moxbot")
	out := say(t, shared.admin, `!createroom Workshop --agent mox`)
	if !out.OK || !strings.Contains(out.Body, "mox is invited to Workshop as @moxbot:fraktalia.test") {
		t.Fatalf("ok=%v\n%s", out.OK, out.Body)
	}
	room := listed(t, "Workshop")
	if room == nil || len(room.Agents) != 1 || room.Agents[0] != "mox" {
		t.Fatalf("listed as %+v", room)
	}
	if _, err := agent.WaitInvite(within(t), id.RoomID(room.ID)); err != nil {
		t.Error(err)
	}
	if out = say(t, shared.admin, "!undo"); !out.OK {
		t.Error(out.Body)
	}
	wantClaw(t, path, clawMatrix)
	// An agent whose own account is elsewhere speaks here with one of this server.
	if out = say(t, shared.admin, `!createroom Loft --agent odd`); !out.OK || !strings.Contains(out.Body, "odd is invited to Loft as @moxbot:fraktalia.test") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	if out = say(t, shared.admin, "!undo"); !out.OK {
		t.Error(out.Body)
	}
	away := strings.ReplaceAll(clawMatrix, "@moxbot:fraktalia.test", "@moxbot:elsewhere.test") // none is of this server
	must(t, os.WriteFile(path, []byte(away), 0o600))
	for name, c := range map[string]struct{ line, want string }{
		"an account that cannot be invited": {`!createroom Attic --agent odd`, "could not be invited: "},
		"an account that is not known":      {`!createroom Attic --agent mute`, "has no channels.matrix.accounts.mute.userId"},
		"no such agent":                     {`!createroom Attic --agent mxo`, "There is no agent mxo. Did you mean mox?"},
	} {
		if out := say(t, shared.admin, c.line); out.OK || !strings.Contains(out.Body, c.want) {
			t.Errorf("%s: ok=%v\n%s", name, out.OK, out.Body)
		}
		wantClaw(t, path, away)
		if left := listed(t, "Attic"); left != nil {
			t.Errorf("%s leaves %+v", name, left)
		}
	}
}

func TestRoomMistakes(t *testing.T) {
	for line, want := range map[string]string{
		"!createroom":                                 "Say the room's name",
		"!createroom ''":                              "Say what the room shall be called",
		"!createroom a b":                             "one word too many",
		"!createroom " + long("name", 120):            "too long",
		"!createroom Nook --invite mlia":              "There is no account @mlia:fraktalia.test. Did you mean mila",
		"!createroom Nook --invite @x:elsewhere.test": "is no account of fraktalia.test",
		"!createroom Müß --public --invite mila,":     "",
		"!createroom 日本 --public":                     "I can make no address of that name",
		"!reset-room":                                 "Say a room",
		"!reset-room Frends":                          "There is no room \"Frends\": give its id, alias or name. Did you mean Friends?",
		"!reset-room !none:fraktalia.test":            "There is no room",
		"!reset-room Fraktalia":                       "The admin room holds the commands",
		"!rooms Friends":                              "one word too many",
	} {
		out := say(t, shared.admin, line)
		if out.OK || !strings.Contains(out.Body, want) || strings.Contains(out.Body, "nternal error") {
			t.Errorf("%.60q: ok=%v, want %q in\n%s", line, out.OK, want, out.Body)
		}
	}
	if room := listed(t, "Nook"); room != nil {
		t.Errorf("made all the same: %+v", room)
	}
}

// sendFile sends an encrypted file as clients do, and returns where it lies.
func sendFile(t testing.TB, room *client.Room, name, text string) id.ContentURIString {
	t.Helper()
	ctx := within(t)
	file := attachment.NewEncryptedFile()
	sealed := []byte(text)
	file.EncryptInPlace(sealed)
	uploaded, err := room.Client().Raw().UploadMedia(ctx, mautrix.ReqUploadMedia{ContentBytes: sealed, ContentType: "application/octet-stream"})
	must(t, err)
	address := uploaded.ContentURI.CUString()
	_, err = room.Send(ctx, &event.MessageEventContent{MsgType: event.MsgFile, Body: name, File: &event.EncryptedFileInfo{EncryptedFile: *file, URL: address}})
	must(t, err)
	return address
}

// there says whether a file can still be had.
func there(t testing.TB, c *client.Client, address id.ContentURIString) bool {
	t.Helper()
	uri, err := address.Parse()
	must(t, err)
	path := fmt.Sprintf("%s/_matrix/client/v1/media/download/%s/%s", c.Raw().HomeserverURL, url.PathEscape(uri.Homeserver), url.PathEscape(uri.FileID))
	request, err := http.NewRequestWithContext(within(t), http.MethodGet, path, nil)
	must(t, err)
	request.Header.Set("Authorization", "Bearer "+c.Raw().AccessToken)
	answer, err := http.DefaultClient.Do(request)
	must(t, err)
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode == http.StatusOK
}

// history counts the messages that somebody in a room can still get.
func history(t testing.TB, room *client.Room) (messages int) {
	t.Helper()
	page, err := room.Client().Raw().Messages(within(t), room.ID, "", "", mautrix.DirectionBackward, nil, 200)
	must(t, err)
	for _, evt := range page.Chunk {
		if evt.StateKey == nil && evt.Unsigned.RedactedBecause == nil {
			messages++
		}
	}
	return messages
}

// full makes a room with things in it: messages of two, a file of each, and one
// of the owner's from another room that the friend passes on.
type full struct {
	room   *client.Room
	friend *client.Room
	files  []id.ContentURIString
	passed id.ContentURIString
}

func fill(t testing.TB, admin *client.Room, friend *client.Client, name string) full {
	t.Helper()
	out := say(t, admin, fmt.Sprintf("!createroom %q --invite %s", name, friend.UserID))
	if !out.OK {
		t.Fatal(out.Body)
	}
	room := id.RoomID(roomIDIn(t, out.Body))
	ctx := within(t)
	var f full
	var err error
	f.room, err = admin.Client().Enter(ctx, room, admin.Bot)
	must(t, err)
	f.friend, err = friend.Enter(ctx, room, admin.Bot)
	must(t, err)
	for i := range 5 {
		_, err = f.friend.Say(ctx, fmt.Sprint("line ", i))
		must(t, err)
	}
	f.files = append(f.files, sendFile(t, f.friend, "letter.txt", "Dear all"), sendFile(t, f.room, "list.txt", "bread"))
	f.passed = sendFile(t, admin, "elsewhere.txt", "in the admin room")
	_, err = f.friend.Send(ctx, &event.MessageEventContent{MsgType: event.MsgFile, Body: "elsewhere.txt", URL: f.passed})
	must(t, err)
	return f
}

// roomIDIn finds the id of the room that was made in an answer.
func roomIDIn(t testing.TB, body string) string {
	t.Helper()
	for word := range strings.FieldsSeq(body) {
		if strings.HasPrefix(word, "!") {
			return strings.TrimSuffix(word, ".")
		}
	}
	t.Fatalf("no room id in\n%s", body)
	return ""
}

func TestRoomIsEmptied(t *testing.T) {
	friend := befriend(t, shared.admin, shared, "sven")
	f := fill(t, shared.admin, friend, "Attic talk")
	if out := answered(t, "!reset-room 'attic talk'", client.No); out.OK || !strings.Contains(out.Body, "Not done; nothing was deleted.") {
		t.Errorf("refused: ok=%v\n%s", out.OK, out.Body)
	}
	for _, file := range f.files {
		if !there(t, friend, file) {
			t.Errorf("%s is gone before anybody said yes", file)
		}
	}
	before := history(t, f.friend)
	out := answered(t, "!reset-room "+string(f.room.ID), client.Yes)
	if !out.OK || !strings.Contains(out.Body, "Attic talk is empty. Deleted: 2 files, ") || !strings.Contains(out.Body, "1 file passed on from elsewhere") {
		t.Fatalf("ok=%v\n%s", out.OK, out.Body)
	}
	for _, file := range f.files {
		if there(t, friend, file) {
			t.Errorf("%s is there still", file)
		}
	}
	if !there(t, shared.owner, f.passed) {
		t.Error("a file of another room is gone with it")
	}
	after := history(t, f.friend)
	if after > 1 || !strings.Contains(out.Body, fmt.Sprintf("%d messages", before-after)) {
		t.Errorf("%d messages before, %d after\n%s", before, after, out.Body)
	}
	if _, err := f.friend.Say(within(t), "anew"); err != nil {
		t.Errorf("the room does not work any more: %v", err)
	}
}

// answered types a line, answers the bot's question with mark, and waits for the end.
func answered(t testing.TB, line, mark string) client.Outcome {
	t.Helper()
	return answeredIn(t, shared.admin, line, mark)
}

func answeredIn(t testing.TB, room *client.Room, line, mark string) client.Outcome {
	t.Helper()
	ctx := within(t)
	turn, err := room.Say(ctx, line)
	must(t, err)
	question, err := turn.WaitQuestion(ctx)
	must(t, err)
	_, err = room.React(ctx, question.ID, mark)
	must(t, err)
	must(t, turn.Wait(ctx, "the end", func(turn *client.Turn) bool { _, ended := turn.Now(); return ended }))
	out, _ := turn.Now()
	return out
}
