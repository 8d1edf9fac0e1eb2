package e2e

import (
	"regexp"
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"

	"github.com/githabideri/fraktalia/e2e/client"
)

// card is a joining card's three lines.
var (
	addressLine  = regexp.MustCompile(`(?m)^Address: (\S+)$`)
	userLine     = regexp.MustCompile(`(?m)^User: (\S+)$`)
	passwordLine = regexp.MustCompile(`(?m)^Password: (\S+)$`)
)

type card struct{ address, user, password string }

func readCard(t testing.TB, body string) card {
	t.Helper()
	field := func(line *regexp.Regexp) string {
		found := line.FindStringSubmatch(body)
		if found == nil {
			t.Fatalf("the card has no %s:\n%s", line, body)
		}
		return found[1]
	}
	return card{field(addressLine), field(userLine), field(passwordLine)}
}

func TestAddUserMakesAnAccountThatCanJoin(t *testing.T) {
	out := say(t, shared.admin, "!adduser alice")
	if !out.OK {
		t.Fatal(out.Body)
	}
	got := readCard(t, out.Body)
	if got.user != "@alice:fraktalia.test" || got.address != shared.Homeserver || len(got.password) < 12 {
		t.Errorf("card %+v", got)
	}
	ctx := within(t)
	alice, err := shared.Person(ctx, got.user, got.password)
	must(t, err)
	defer alice.Close()
	invite, err := alice.WaitInvite(ctx, shared.ChatRoom)
	must(t, err)
	if invite.From != shared.BotUserID || !invite.Encrypted {
		t.Errorf("invitation %+v", invite)
	}
	if _, err := alice.Enter(ctx, shared.ChatRoom, shared.BotUserID); err != nil {
		t.Error(err)
	}
	if len(alice.Invites()) != 0 {
		t.Errorf("also invited to %v", alice.Invites())
	}

	again := say(t, shared.admin, "!adduser alice")
	if again.OK || !strings.Contains(again.Body, "exists") {
		t.Errorf("an account that exists: ok=%v\n%s", again.OK, again.Body)
	}
	second, err := shared.Person(ctx, got.user, got.password)
	if err != nil {
		t.Fatalf("the password was changed: %v", err)
	}
	second.Close()
}

func TestAddUserCardVanishesOnReaction(t *testing.T) {
	ctx := within(t)
	turn, err := shared.admin.Say(ctx, "!adduser bob")
	must(t, err)
	out, err := turn.Final(ctx)
	must(t, err)
	secret := readCard(t, out.Body).password
	shown := out.Replies[len(out.Replies)-1]
	if _, err := shared.admin.React(ctx, shown.ID, "🗑️"); err != nil {
		t.Fatal(err)
	}
	must(t, turn.Wait(ctx, "the card's end, and its picture's", func(turn *client.Turn) bool {
		gone := 0
		for _, r := range turn.Replies() {
			if r.Redacted {
				gone++
			}
		}
		return gone == 2
	}))
	for _, e := range shared.admin.FromBot() {
		if e.ID != shown.ID && e.Type == event.EventMessage.Type && strings.Contains(e.Content.AsMessage().Body, secret) {
			t.Errorf("the password is in %s, too", e.ID)
		}
	}
}

func TestAddUserRefusesBadNames(t *testing.T) {
	for line, want := range map[string]string{
		"!adduser mila":                  "exists",
		"!adduser fraktalia":             "exists",
		"!adduser Carol":                 "capital",
		"!adduser carol@home":            "",
		"!adduser @carol:elsewhere.test": "fraktalia.test",
		"!adduser _carol":                "_",
		"!adduser 12345":                 "digits",
		"!adduser 'carol smith'":         "",
		"!adduser žofie":                 "",
		"!adduser #carol:fraktalia.test": "",
		"!adduser ''":                    "",
		"!adduser " + long("carol", 300): "long",
	} {
		out := say(t, shared.admin, line)
		if out.OK || !strings.Contains(out.Body, want) || strings.Contains(out.Body, "nternal error") {
			t.Errorf("%.60q: ok=%v, want %q in\n%s", line, out.OK, want, out.Body)
		}
	}
}

func TestAddUserTakesOurOwnServersName(t *testing.T) {
	out := say(t, shared.admin, "!adduser @dora:fraktalia.test")
	if !out.OK || readCard(t, out.Body).user != "@dora:fraktalia.test" {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
}

// long repeats word until it has n characters.
func long(word string, n int) string {
	return strings.Repeat(word, n/len(word)+1)[:n]
}
