package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/event"

	"github.com/githabideri/fraktalia/e2e/client"
	"github.com/githabideri/fraktalia/e2e/harness"
)

// The homeserver and the gateway come to listen elsewhere; OpenClaw's
// configuration follows by two values and no other byte, which the admin room is
// shown, and the agent answers as before. What was said is remembered.
func TestTheAgentFollowsTheHomeserver(t *testing.T) {
	h := moveInHouse(t, "moved")
	ctx := patient(t)
	path := filepath.Join(h.DataDir, "openclaw", "openclaw.json")
	before, err := os.ReadFile(path)
	must(t, err)
	was := h.Homeserver
	must(t, h.Process.Stop(ctx))
	must(t, h.Move())
	port, err := harness.FreePort()
	must(t, err)
	must(t, h.Up(ctx, "--gateway-port", strconv.Itoa(port)))
	if h.Homeserver == was {
		t.Fatal("it listens where it did")
	}
	after, err := os.ReadFile(path)
	must(t, err)
	want := strings.Replace(string(before), was, h.Homeserver, 1)
	want = strings.Replace(want, "port: "+strconv.Itoa(h.GatewayPort), "port: "+strconv.Itoa(port), 1)
	wantClaw(t, path, want)
	must(t, h.Process.AwaitSaid(ctx, "OpenClaw's configuration follows"))
	must(t, h.Process.AwaitSaid(ctx, "+      homeserver: \""+h.Homeserver+"\""))
	owner, err := h.Owner(ctx)
	must(t, err)
	t.Cleanup(func() { owner.Close() })
	chat, err := owner.Enter(ctx, h.ChatRoom, h.BotUserID)
	must(t, err)
	h.asksUntilHeard(ctx, t, chat, "I have found you")

	// Without a word about addresses it is as it was last.
	must(t, h.Process.Stop(ctx))
	h.ListensAsBefore()
	at := h.Homeserver
	must(t, h.Up(ctx))
	if h.Homeserver != at {
		t.Errorf("it listens on %s, and not on %s as before", h.Homeserver, at)
	}
	wantClaw(t, path, string(after))
	h.asks(ctx, t, chat, `say: "here again"`, "here again")
	if out, said, err := h.Shell(ctx, nil, "config", "history"); err != nil || strings.Count(out, "up: the addresses of this start") != 1 {
		t.Errorf("%v\n%s\n%s", err, out, said)
	}
}

// asksUntilHeard asks again and again: for OpenClaw another address is another
// login, and what is said before that it cannot read.
func (h *house) asksUntilHeard(ctx context.Context, t *testing.T, chat *client.Room, word string) {
	t.Helper()
	record := chat.Client().Record
	for ctx.Err() == nil {
		_, err := chat.Say(ctx, fmt.Sprintf("say: %q", word))
		must(t, err)
		soon, cancel := context.WithTimeout(ctx, 10*time.Second)
		err = record.Wait(soon, func() bool {
			for _, e := range record.Events(chat.ID) {
				if string(e.Sender) == h.agentID() && e.Type == event.EventMessage.Type && strings.Contains(e.Content.AsMessage().Body, word) {
					return true
				}
			}
			return false
		})
		cancel()
		if err == nil {
			return
		}
	}
	t.Fatalf("the agent does not say %q; the model was asked %q", word, h.Model.Asked())
}
