package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/e2e/client"
)

// crowd is a pasted list of friends.
func crowd(name string, n int) string {
	var list strings.Builder
	list.WriteString("!adduser\n```\n")
	for i := range n {
		fmt.Fprintf(&list, "%s%03d Friend %d\n", name, i, i)
	}
	return list.String() + "```"
}

var (
	pageUser     = regexp.MustCompile(`User: (\S+?)<br>`)
	pagePassword = regexp.MustCompile(`Password: (\S+?)<br>`)
)

// cardsIn reads the cards of a file: passwords by user.
func cardsIn(t *testing.T, c *client.Client, out client.Outcome) map[string]string {
	t.Helper()
	cards := map[string]string{}
	for _, file := range out.Files() {
		page, err := c.Download(within(t), file.File)
		must(t, err)
		users, passwords := pageUser.FindAllStringSubmatch(string(page), -1), pagePassword.FindAllStringSubmatch(string(page), -1)
		if len(users) != len(passwords) || strings.Count(string(page), "data:image/png;base64,") != len(users) {
			t.Errorf("%d users and %d passwords in %s", len(users), len(passwords), file.Body)
		}
		for i := range users {
			cards[users[i][1]] = passwords[i][1]
		}
	}
	return cards
}

// Two hundred friends by one paste; the bot is killed in the middle, twice, and
// nobody is lost or made twice.
func TestTwoHundredFriends(t *testing.T) {
	t.Parallel()
	s := newSolo(t, "crowd")
	list := crowd("guest", 200)
	accounts := func() int {
		n, err := s.CountAccounts(within(t), "@guest")
		must(t, err)
		return n
	}
	for _, at := range []string{"adduser.registered", "adduser.listed-50"} {
		s.start(t, "FRAKTALIA_CRASH_AT="+at)
		ctx := patient(t)
		turn, err := s.admin.Say(ctx, list)
		must(t, err)
		s.waitKilled(ctx, t)
		s.start(t)
		out, err := turn.Final(ctx)
		must(t, err)
		if out.OK || !strings.Contains(out.Body, "say the same again") || len(out.Files()) != 0 {
			t.Errorf("killed at %s: ok=%v, %d files\n%s", at, out.OK, len(out.Files()), out.Body)
		}
		must(t, s.Process.Stop(ctx))
	}
	made := accounts()
	if made < 50 || made >= 200 {
		t.Fatalf("%d accounts when it was killed", made)
	}
	s.start(t)
	ctx := patient(t)
	turn, err := s.admin.Say(ctx, list)
	must(t, err)
	out, err := turn.Final(ctx)
	must(t, err)
	cards := cardsIn(t, s.owner, out)
	if !out.OK || len(cards) != 200 || accounts() != 200 {
		t.Fatalf("ok=%v, %d cards, %d accounts\n%s", out.OK, len(cards), accounts(), out.Body)
	}
	progress := 0
	for _, r := range out.Replies {
		progress += len(r.Edits)
	}
	if progress == 0 {
		t.Error("no progress was shown")
	}
	for _, name := range []string{"@guest000:fraktalia.test", "@guest016:fraktalia.test", "@guest049:fraktalia.test", "@guest199:fraktalia.test"} {
		friend, err := s.Person(ctx, name, cards[name])
		if err != nil {
			t.Errorf("%s cannot log in with the card: %v", name, err)
			continue
		}
		if _, err := friend.WaitInvite(ctx, s.ChatRoom); err != nil {
			t.Error(err)
		}
		friend.Close()
	}
	if out := say(t, s.admin, list); !out.OK || !strings.Contains(out.Body, "All 200 have accounts already") {
		t.Errorf("once more: ok=%v\n%s", out.OK, out.Body)
	}
}

// The friends of a list are told of together.
func TestListIsFollowedTogether(t *testing.T) {
	ctx := within(t)
	out := say(t, shared.admin, "!adduser\nhana Hana\nhugo")
	cards := cardsIn(t, shared.owner, out)
	if !out.OK || len(cards) != 2 {
		t.Fatalf("ok=%v, %d cards\n%s", out.OK, len(cards), out.Body)
	}
	hana, err := shared.Person(ctx, "@hana:fraktalia.test", cards["@hana:fraktalia.test"])
	must(t, err)
	defer hana.Close()
	waitSaid(t, shared.admin, "0 of 2 friends have joined. Logged in, but not in every room yet: hana. Not logged in yet: hugo.")
	_, err = hana.Enter(ctx, shared.ChatRoom, shared.BotUserID)
	must(t, err)
	waitSaid(t, shared.admin, "1 of 2 friends have joined. Not logged in yet: hugo.")
	_, out = decided(t, shared.admin, "!removeuser hana hugo", client.Yes)
	if !out.OK || !strings.Contains(out.Body, "@hana:fraktalia.test: out of Friends") || !strings.Contains(out.Body, "@hugo:fraktalia.test: out of Friends") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
}
