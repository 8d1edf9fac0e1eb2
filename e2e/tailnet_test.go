package e2e

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"

	"github.com/githabideri/fraktalia/e2e/client"
	"github.com/githabideri/fraktalia/e2e/harness"
)

// A friend on another machine of the tailnet does what the card says: logs in,
// joins the chat room, and opens a forwarded port.
func TestFriendInTheTailnet(t *testing.T) {
	programs, err := shared.tailscale(patient(t))
	must(t, err)
	net, err := harness.StartTailnet(within(t), programs, t.TempDir())
	must(t, err)
	t.Cleanup(func() { must(t, net.Stop()) })
	s := newSolo(t, "tailnet")
	must(t, s.SetConfig(`socket: "no-tailscaled"`, `socket: "`+net.Socket("node1")+`"`))
	s.start(t)
	ctx := within(t)

	out := say(t, s.admin, "!adduser nora")
	if !out.OK {
		t.Fatal(out.Body)
	}
	card := readCard(t, out.Body)
	if card.address != "http://node1:"+s.Listening() {
		t.Fatalf("the card says %s", card.address)
	}
	nora, err := s.PersonBy(ctx, card.address, net.Client().Transport, card.user, card.password)
	must(t, err)
	defer nora.Close()
	_, err = nora.WaitInvite(ctx, s.ChatRoom)
	must(t, err)
	chat, err := nora.Enter(ctx, s.ChatRoom, s.BotUserID)
	must(t, err)
	_, err = chat.Say(ctx, "hello from the second node")
	must(t, err)
	_, err = s.admin.WaitBot(ctx, func(e client.Event) bool { return saysFinally(e, "nora has logged in and is in Friends.") })
	must(t, err)

	out = say(t, s.admin, "!forward 9095")
	link := "http://node1:9095"
	if !out.OK || !strings.Contains(out.HTML, link) {
		t.Fatalf("ok=%v\n%s", out.OK, out.HTML)
	}
	if page := fetchBy(ctx, t, net.Client(), link); !strings.Contains(page, "hello") {
		t.Errorf("the forwarded port answers %q", page)
	}
	if out := say(t, s.admin, "!unforward 9095"); !out.OK {
		t.Error(out.Body)
	}
	t.Run("https", func(t *testing.T) { httpsIsOffered(ctx, t, s) })
}

// httpsIsOffered: one click has tailscaled serve the homeserver, and cards say so.
func httpsIsOffered(ctx context.Context, t *testing.T, s *solo) {
	offer, err := s.admin.WaitBot(ctx, func(e client.Event) bool { return says(e, "phones refuse plain http") })
	must(t, err)
	_, err = s.admin.WaitBot(ctx, func(e client.Event) bool {
		return e.Type == event.EventReaction.Type && e.RelatesTo().EventID == offer.ID
	})
	must(t, err)
	_, err = s.admin.React(ctx, offer.ID, client.Yes)
	must(t, err)
	_, err = s.admin.WaitBot(ctx, func(e client.Event) bool { return says(e, "Friends reach the homeserver at https://node1 now") })
	must(t, err)
	if out := say(t, s.admin, "!adduser otto"); !out.OK || readCard(t, out.Body).address != "https://node1" || !strings.Contains(out.Body, "Element X") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	if out := say(t, s.admin, "!address unserve"); !out.OK || !strings.Contains(out.Body, "http://node1:"+s.Listening()) {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	if out := say(t, s.admin, "!undo"); !out.OK || !strings.Contains(out.Body, "https://node1 now") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	if out := say(t, s.admin, "!address"); !out.OK || !strings.Contains(out.Body, "https://node1: tailscaled serves it") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
}

// saysFinally tells whether an event is a message, or brings one to its newest
// words, with a text in it.
func saysFinally(e client.Event, text string) bool {
	if e.Type != event.EventMessage.Type {
		return false
	}
	m := e.Content.AsMessage()
	return strings.Contains(m.Body, text) || m.NewContent != nil && strings.Contains(m.NewContent.Body, text)
}

func fetchBy(ctx context.Context, t *testing.T, c *http.Client, address string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	must(t, err)
	response, err := c.Do(request)
	must(t, err)
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	must(t, err)
	return string(page)
}
