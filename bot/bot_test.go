package bot

import (
	"context"
	"encoding/json"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

func quiet() *logrus.Entry {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return logrus.NewEntry(log)
}

// Only a plain, encrypted, fresh message of an owner in the admin room is a
// command line.
func TestHeard(t *testing.T) {
	records, err := store.Open(context.Background(), filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	defer records.Close()
	if err := records.SaveRole(context.Background(), store.Role{UserID: "@mox:x", Role: "agent", Agent: "mox"}); err != nil {
		t.Fatal(err)
	}
	b := New(Options{Owners: []string{"@mila:x"}, Log: quiet(), Store: records})
	b.places.set("!admin", "!chat", time.Time{})
	for name, c := range map[string]struct {
		room, sender, content string
		plain                 bool
		want                  string
	}{
		"a command":                  {content: `{"msgtype":"m.text","body":"!status"}`, want: "!status"},
		"talk":                       {content: `{"msgtype":"m.text","body":"hello"}`},
		"a notice":                   {content: `{"msgtype":"m.notice","body":"!status"}`},
		"an emote":                   {content: `{"msgtype":"m.emote","body":"!status"}`},
		"an edit":                    {content: `{"msgtype":"m.text","body":"!status","m.new_content":{"msgtype":"m.text","body":"!status"},"m.relates_to":{"rel_type":"m.replace","event_id":"$1"}}`},
		"a bridged double":           {content: `{"msgtype":"m.text","body":"!status","fi.mau.double_puppet_source":"mautrix-x"}`},
		"a quote":                    {content: `{"msgtype":"m.text","body":"> <@mila:x> !status"}`},
		"a second line":              {content: `{"msgtype":"m.text","body":"look:\n!status"}`},
		"a hidden first letter":      {content: `{"msgtype":"m.text","body":"\u200b!status"}`},
		"a stranger":                 {sender: "@eve:x", content: `{"msgtype":"m.text","body":"!status"}`},
		"an owner of other case":     {sender: "@Mila:x", content: `{"msgtype":"m.text","body":"!status"}`},
		"another room":               {room: "!other", content: `{"msgtype":"m.text","body":"!status"}`},
		"the chat room":              {room: "!chat", content: `{"msgtype":"m.text","body":"!status"}`},
		"a plain text event":         {plain: true, content: `{"msgtype":"m.text","body":"!status"}`},
		"a reply with a command":     {content: `{"msgtype":"m.text","body":"!status","m.relates_to":{"m.in_reply_to":{"event_id":"$1"}}}`, want: "!status"},
		"a file named like one":      {content: `{"msgtype":"m.file","body":"!status"}`},
		"a body that is no text":     {content: `{"msgtype":"m.text","body":7}`},
		"a message without a body":   {content: `{"msgtype":"m.text"}`},
		"an agent in a chat room":    {room: "!chat", sender: "@mox:x", content: `{"msgtype":"m.text","body":"!status\n"}`, want: "!status\n"},
		"an agent's reply":           {room: "!chat", sender: "@mox:x", content: `{"msgtype":"m.text","body":"!status","m.relates_to":{"m.in_reply_to":{"event_id":"$1"}}}`, want: "!status"},
		"an agent in the admin room": {sender: "@mox:x", content: `{"msgtype":"m.text","body":"!status"}`},
		"an agent's second line":     {room: "!chat", sender: "@mox:x", content: `{"msgtype":"m.text","body":"!help\n!forward 9005"}`},
		"an agent's hidden line":     {room: "!chat", sender: "@mox:x", content: `{"msgtype":"m.text","body":"!help\u2028!forward 9005"}`},
		"an agent's quote":           {room: "!chat", sender: "@mox:x", content: `{"msgtype":"m.text","body":"> !status"}`},
		"an agent's code":            {room: "!chat", sender: "@mox:x", content: "{\"msgtype\":\"m.text\",\"body\":\"```\\n!status\\n```\"}"},
		"an agent's reply fallback":  {room: "!chat", sender: "@mox:x", content: `{"msgtype":"m.text","body":"> <@mila:x> hi\n\n!status"}`},
		"an agent's edit":            {room: "!chat", sender: "@mox:x", content: `{"msgtype":"m.text","body":"!status","m.relates_to":{"rel_type":"m.replace","event_id":"$1"}}`},
		"an agent in plain text":     {room: "!chat", sender: "@mox:x", plain: true, content: `{"msgtype":"m.text","body":"!status"}`},
	} {
		evt := &event.Event{ID: "$e", RoomID: "!admin", Sender: "@mila:x", Type: event.EventMessage}
		if c.room != "" {
			evt.RoomID = id.RoomID(c.room)
		}
		if c.sender != "" {
			evt.Sender = id.UserID(c.sender)
		}
		evt.Mautrix.WasEncrypted = !c.plain
		if err := json.Unmarshal([]byte(c.content), &evt.Content); err != nil {
			t.Fatal(err)
		}
		if err := evt.Content.ParseRaw(evt.Type); err != nil {
			continue // the library hands such events to nobody
		}
		if line, _ := b.heard(context.Background(), evt); line != c.want {
			t.Errorf("%s: heard %q, want %q", name, line, c.want)
		}
	}
}

// A click is for one question, one answer, once.
func TestClicks(t *testing.T) {
	var c clicks
	if c.give("$q", doneMark) {
		t.Error("a click nobody waits for was taken")
	}
	got := make(chan string, 1)
	c.await("$q", got, doneMark, failedMark)
	if !c.give("$q", "🎉") || len(got) != 0 {
		t.Error("another reaction on a question was taken for an answer")
	}
	if !c.give("$q", failedMark) || <-got != failedMark {
		t.Error("the answer did not arrive")
	}
	if c.give("$q", doneMark) {
		t.Error("a question was answered twice")
	}
}

func TestUsageStandsOnItsOwnLine(t *testing.T) {
	doc := sentences("Say a port.\nUsage: !forward PORT")
	if got, want := doc.HTML(), "<p>Say a port.<br>Usage: <code>!forward PORT</code></p>"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := doc.Text(); got != "Say a port.\nUsage: !forward PORT" {
		t.Errorf("%q", got)
	}
}

// The same sending has the same name after a crash, another one has not.
func TestTransactionsAreNamedAfterTheirCommand(t *testing.T) {
	if a, b := transaction("$abc", "answer"), transaction("$abc", "answer"); a != b {
		t.Errorf("%s is not %s", a, b)
	}
	if a, b := transaction("$abc", "answer"), transaction("$abd", "answer"); a == b {
		t.Errorf("two commands share %s", a)
	}
}

func TestMessagesReadWellWithoutHTML(t *testing.T) {
	content := message(reply.Say("Port ", reply.Bold("9005"), " is open."), event.MsgNotice)
	if content.Body != "Port 9005 is open." || content.FormattedBody != "Port <b>9005</b> is open." {
		t.Errorf("%+v", content)
	}
}
