package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/e2e/client"
	"github.com/githabideri/fraktalia/e2e/harness"
	"github.com/githabideri/fraktalia/homeserver"
)

// Continuwuity cannot be had for tests. Here a real Synapse says that it is one,
// and somebody plays its server account in the admin room, in the words of its
// source (src/admin/user/commands.rs and src/admin/processor.rs at 09073235): so
// the bot's part, and every call of the Client-Server API, are the real ones.
type continuwuity struct {
	t      *testing.T
	s      *solo
	server *client.Client
	room   id.RoomID
	done   map[id.EventID]bool
	shown  []string // passwords that stood in the room
	heard  []string
}

func playContinuwuity(t *testing.T, s *solo, proxy *harness.Proxy) *continuwuity {
	t.Helper()
	ctx := within(t)
	proxy.Answer("/_continuwuity/server_version", `{"name":"continuwuity","version":"26.8.0"}`)
	proxy.Answer("/_continuwuity/admin/rooms/list", `{"rooms":[]}`)
	c := &continuwuity{t: t, s: s, done: map[id.EventID]bool{}}
	password := c.register(ctx, "conduit")
	var err error
	c.server, err = s.Person(ctx, "conduit", password)
	must(t, err)
	t.Cleanup(func() { c.server.Close() })
	made, err := c.server.Raw().CreateRoom(ctx, &mautrix.ReqCreateRoom{Preset: "public_chat", RoomAliasName: "admins", Name: "Admin Room"})
	must(t, err)
	c.room = made.RoomID
	return c
}

// register makes an account with a password of the server's own.
func (c *continuwuity) register(ctx context.Context, name string) string {
	c.t.Helper()
	secrets, err := filepath.Glob(filepath.Join(c.s.DataDir, "synapse", "*registration*"))
	if err != nil || len(secrets) == 0 {
		secrets, _ = filepath.Glob(filepath.Join(c.s.DataDir, "*", "*registration*"))
	}
	if len(secrets) == 0 {
		c.t.Fatal("Synapse's registration secret is not found")
	}
	secret, err := os.ReadFile(secrets[0])
	must(c.t, err)
	password := homeserver.NewPassword()
	driver := homeserver.NewSynapse(homeserver.NewClient("http://"+c.s.Listen(), nil), homeserver.Secret(strings.TrimSpace(string(secret))), "")
	_, err = driver.Register(ctx, homeserver.Account{Localpart: name, Password: password})
	must(c.t, err)
	return password.Reveal()
}

// serve answers commands until ctx ends.
func (c *continuwuity) serve(ctx context.Context) {
	for {
		var next client.Event
		err := c.server.Record.Wait(ctx, func() bool {
			for _, e := range c.server.Record.Events(c.room) {
				if e.Sender == c.s.BotUserID && e.Type == event.EventMessage.Type && !c.done[e.ID] {
					next = e
					return true
				}
			}
			return false
		})
		if err != nil {
			return
		}
		c.done[next.ID] = true
		said := next.Content.AsMessage().Body
		c.heard = append(c.heard, said)
		answer := &event.MessageEventContent{MsgType: event.MsgNotice, Body: c.answer(ctx, said), RelatesTo: &event.RelatesTo{InReplyTo: &event.InReplyTo{EventID: next.ID}}}
		if _, err := c.server.Raw().SendMessageEvent(ctx, c.room, event.EventMessage, answer, mautrix.ReqSendEvent{DontEncrypt: true}); err != nil {
			return
		}
	}
}

func (c *continuwuity) answer(ctx context.Context, said string) string {
	if name, ok := strings.CutPrefix(said, "!admin users create -- "); ok {
		if name == "mila" {
			return "Command failed with error:\n```\nRequest(\n    UserInUse,\n    \"Username is not available.\",\n    400,\n)\n```"
		}
		password := c.register(ctx, name)
		c.shown = append(c.shown, password)
		return fmt.Sprintf("Created user @%s:fraktalia.test with password `%s`", name, password)
	}
	switch said { // src/admin/room/commands.rs, list_rooms
	case "!admin rooms list 1":
		return fmt.Sprintf("Rooms (1):\n```\n%s\tMembers: 2\tName: Friends\n```", c.s.ChatRoom)
	case "!admin rooms list 2":
		return "Command failed with error:\n```\nErr(\n    \"No more rooms.\",\n)\n```"
	}
	return "Command failed with error:\n```\nErr(\n    \"not played here\",\n)\n```"
}

func TestAccountsByTheServersAdminRoom(t *testing.T) {
	s := newSolo(t, "serverroom")
	proxy, err := harness.NewProxy(s.Homeserver)
	must(t, err)
	t.Cleanup(proxy.Close)
	must(t, s.SetConfig("address: "+s.Homeserver, "address: "+proxy.Address))
	c := playContinuwuity(t, s, proxy)
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan struct{})
	go func() { c.serve(ctx); close(served) }()
	t.Cleanup(func() { stop(); <-served })
	s.start(t)

	if out := say(t, s.admin, "!status"); !strings.Contains(out.Body, "Continuwuity, which has no way to") {
		t.Errorf("!status:\n%s", out.Body)
	}
	out := say(t, s.admin, "!adduser wanda")
	if !out.OK {
		t.Fatalf("%s\n%s", out.Body, s.Process.Said())
	}
	got := readCard(t, out.Body)
	wanda, err := s.Person(within(t), got.user, got.password)
	if err != nil {
		t.Fatalf("the card is of no use: %v", err)
	}
	defer wanda.Close()
	if out := say(t, s.admin, "!adduser mila"); out.OK || !strings.Contains(out.Body, "exists already") {
		t.Errorf("a name that is taken: ok=%v\n%s", out.OK, out.Body)
	}
	out = say(t, s.admin, "!reset-room Friends --yes")
	if out.OK || !strings.Contains(out.Body, "Continuwuity has no way to purge history") {
		t.Errorf("!reset-room: ok=%v\n%s", out.OK, out.Body)
	}
	stop()
	<-served
	for _, password := range c.shown {
		if _, err := s.Person(within(t), got.user, password); err == nil {
			t.Error("the password that stood in the room still opens the account")
		}
	}
	for _, said := range c.heard {
		if strings.Contains(said, got.password) {
			t.Errorf("a secret was said in the room: %s", said)
		}
	}
}
