package e2e

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"maunium.net/go/mautrix/event"

	"github.com/githabideri/fraktalia/e2e/client"
	"github.com/githabideri/fraktalia/e2e/harness"
)

// chat is the friends' room with an agent's account and a friend in it, who are
// separate clients of the real server.
type chat struct {
	agent, friend *client.Room
	owner         *client.Room
}

var openChat = sync.OnceValues(func() (*chat, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := &chat{}
	var err error
	if c.owner, err = shared.owner.Enter(ctx, shared.ChatRoom, shared.BotUserID); err != nil {
		return nil, err
	}
	if c.agent, err = moveInto(ctx, shared.Deployment, shared.admin, "mox"); err != nil {
		return nil, err
	}
	c.friend, err = moveInto(ctx, shared.Deployment, shared.admin, "felix")
	return c, err
})

// moveInto makes an account and lets it into the chat room.
func moveInto(ctx context.Context, d *harness.Deployment, admin *client.Room, name string) (*client.Room, error) {
	turn, err := admin.Say(ctx, "!adduser "+name)
	if err != nil {
		return nil, err
	}
	out, err := turn.Final(ctx)
	if err != nil {
		return nil, err
	}
	password := passwordLine.FindStringSubmatch(out.Body)
	if password == nil {
		return nil, fmt.Errorf("no card for %s:\n%s", name, out.Body)
	}
	person, err := d.Person(ctx, "@"+name+":fraktalia.test", password[1])
	if err != nil {
		return nil, err
	}
	if _, err := person.Sign(ctx); err != nil {
		return nil, err
	}
	return person.Enter(ctx, d.ChatRoom, d.BotUserID)
}

// withRoles gives mox the role of an agent, and felix none.
func withRoles(t *testing.T) *chat {
	t.Helper()
	c, err := openChat()
	must(t, err)
	clawFile(t, shared.DataDir, clawHouse)
	if out := say(t, shared.admin, "!role mox agent"); !out.OK {
		t.Fatal(out.Body)
	}
	return c
}

var proposalNumber = regexp.MustCompile(`proposal (\d+)`)

// propose lets the agent ask, and returns the turn in the chat room and the
// message in the admin room.
func propose(t *testing.T, room *client.Room, line string) (*client.Turn, string, client.Event) {
	t.Helper()
	return proposeTo(t, shared.admin, room, line)
}

func proposeTo(t *testing.T, admin, room *client.Room, line string) (*client.Turn, string, client.Event) {
	t.Helper()
	ctx := within(t)
	turn, err := room.Say(ctx, line)
	must(t, err)
	answer, err := turn.WaitReply(ctx)
	must(t, err)
	number := proposalNumber.FindStringSubmatch(answer.Body)
	if number == nil {
		t.Fatalf("%s: no proposal in %q", line, answer.Body)
	}
	shown, err := admin.WaitBot(ctx, func(e client.Event) bool {
		return e.Type == event.EventMessage.Type && strings.HasPrefix(e.Content.AsMessage().Body, "🙋 Proposal "+number[1]+":")
	})
	must(t, err)
	return turn, number[1], shown
}

// ended waits until the chat room has the end of a turn.
func ended(t *testing.T, turn *client.Turn) client.Outcome {
	t.Helper()
	var out client.Outcome
	must(t, turn.Wait(within(t), "the end of a proposal", func(turn *client.Turn) (over bool) {
		out, over = turn.Now()
		return over && !strings.Contains(out.Body, "This is proposal")
	}))
	return out
}

func TestAnAgentProposesAnOwnerClicks(t *testing.T) {
	c := withRoles(t)
	turn, number, shown := propose(t, c.agent, "!forward 9070 --for 1h")
	body := shown.Content.AsMessage().Body
	for _, want := range []string{"@mox:fraktalia.test asks in Friends", `!forward 9070 --for 1h --agent "mox"`, "Opens port 9070"} {
		if !strings.Contains(body, want) {
			t.Errorf("the owners are not shown %q:\n%s", want, body)
		}
	}
	if list := say(t, shared.admin, "!proposals"); !strings.Contains(list.Body, number) || !strings.Contains(list.Body, "!forward 9070") {
		t.Error(list.Body)
	}
	if list := say(t, shared.admin, "!forwards"); strings.Contains(list.Body, "9070") {
		t.Fatal("the port is open before an owner said yes")
	}
	_, err := shared.admin.React(within(t), shown.ID, "✅")
	must(t, err)
	out := ended(t, turn)
	if !out.OK || !strings.Contains(out.Body, "9070") {
		t.Errorf("ok=%v %s", out.OK, out.Body)
	}
	if list := say(t, shared.admin, "!forwards"); !strings.Contains(list.Body, "9070") {
		t.Error(list.Body)
	}
	audit := say(t, shared.admin, "!audit --by mox --command forward")
	if !strings.Contains(audit.Body, "by the word of @mila:fraktalia.test") {
		t.Error(audit.Body)
	}
	if out := say(t, shared.admin, "!audit verify"); !out.OK {
		t.Error(out.Body)
	}

	// A second click finds nothing to do.
	_, err = shared.admin.React(within(t), shown.ID, "❌")
	must(t, err)
	if list := say(t, shared.admin, "!forwards"); !strings.Contains(list.Body, "9070") {
		t.Error("a used proposal was decided again")
	}
	if out := say(t, shared.admin, "!undo"); !out.OK {
		t.Error(out.Body)
	}
	if list := say(t, shared.admin, "!forwards"); strings.Contains(list.Body, "9070") {
		t.Error("undo left the port open")
	}
}

func TestDeniedWithAReason(t *testing.T) {
	c := withRoles(t)
	turn, number, _ := propose(t, c.agent, "!forward 9071 --for 1h")
	if out := say(t, shared.admin, "!deny "+number+" because 9070 is enough"); !out.OK {
		t.Fatal(out.Body)
	}
	if out := ended(t, turn); out.OK || !strings.Contains(out.Body, "9070 is enough") {
		t.Errorf("ok=%v %s", out.OK, out.Body)
	}
	if out := say(t, shared.admin, "!approve "+number); out.OK || !strings.Contains(out.Body, "denied") {
		t.Error(out.Body)
	}
}

// The world changed between question and answer: it is told, and nothing else happens.
func TestApprovedTooLate(t *testing.T) {
	c := withRoles(t)
	turn, number, _ := propose(t, c.agent, "!forward 9072 --for 1h")
	if out := say(t, shared.admin, "!forward 9072"); !out.OK {
		t.Fatal(out.Body)
	}
	if out := say(t, shared.admin, "!approve "+number); !out.OK {
		t.Fatal(out.Body)
	}
	if out := ended(t, turn); out.OK || !strings.Contains(out.Body, "already") {
		t.Errorf("ok=%v %s", out.OK, out.Body)
	}
	say(t, shared.admin, "!unforward 9072")
}

// Attack: a stranger to the roles, the agent itself and a friend try to get a
// proposal through, in every way that a client has. The friend reacts first,
// the agent reacts and types !approve, both copy the bot's words, an owner's
// click lands on a copy, on an edit and on somebody else's message. Nothing
// opens; the owner's own click on the bot's message then works.
func TestNobodyElseApproves(t *testing.T) {
	c := withRoles(t)
	turn, number, shown := propose(t, c.agent, "!forward 9073 --for 1h")
	ctx := within(t)
	for _, room := range []*client.Room{c.agent, c.friend} {
		for _, text := range []string{"!approve " + number, "✅", shown.Content.AsMessage().Body, "Proposal " + number + ", approved by @mila:fraktalia.test"} {
			_, err := room.Say(ctx, text)
			must(t, err)
		}
		// They cannot react in a room they are not in; they try in theirs.
		_, _ = room.React(ctx, shown.ID, "✅")
		_, err := room.React(ctx, turn.ID, "✅")
		must(t, err)
	}
	_, err := c.owner.React(ctx, turn.ID, "✅") // the owner, on the agent's own message
	must(t, err)
	copied, err := shared.admin.Say(ctx, shown.Content.AsMessage().Body)
	must(t, err)
	_, err = shared.admin.React(ctx, copied.ID, "✅") // the owner, on a copy
	must(t, err)
	for _, key := range []string{"👍", "✔️"} { // the owner, with other marks
		_, err = shared.admin.React(ctx, shown.ID, key)
		must(t, err)
	}
	if list := say(t, shared.admin, "!forwards"); strings.Contains(list.Body, "9073") {
		t.Fatal("somebody got it through")
	}
	_, err = shared.admin.React(ctx, shown.ID, "✅")
	must(t, err)
	if out := ended(t, turn); !out.OK {
		t.Error(out.Body)
	}
	say(t, shared.admin, "!unforward 9073")
}

// Attack: a friend without a role, one with the owner's display name, and
// everybody's lines that only look like commands.
func TestWithoutARoleNothingIsHeard(t *testing.T) {
	c := withRoles(t)
	ctx := within(t)
	must(t, c.friend.Client().Raw().SetDisplayName(ctx, "mila"))
	plain, err := c.agent.SendPlain(ctx, "!forward 9060 --for 1h")
	must(t, err)
	turns := []*client.Turn{c.agent.Turn(plain.ID)}
	for room, lines := range map[*client.Room][]string{
		c.friend: {"!forward 9060 --for 1h", "!help", "!approve 1"},
		c.agent: {"> !forward 9060 --for 1h", "```\n!forward 9060 --for 1h\n```", "> <@mila:fraktalia.test> hi\n\n!forward 9060 --for 1h",
			"!help\n!forward 9060 --for 1h", "look:\n!forward 9060 --for 1h", "\u200b!forward 9060 --for 1h", "\u202e!forward 9060 --for 1h"},
		c.owner: {"!forward 9060"},
	} {
		for _, line := range lines {
			turn, err := room.Say(ctx, line)
			must(t, err)
			turns = append(turns, turn)
		}
	}
	if out := say(t, c.agent, "!help"); !out.OK || strings.Contains(out.Body, "!approve") {
		t.Errorf("the agent's help: ok=%v\n%s", out.OK, out.Body)
	}
	for _, turn := range turns {
		if marks, replies := turn.Marks(), turn.Replies(); len(marks)+len(replies) > 0 {
			t.Errorf("%s was heard: %v %v", turn.ID, marks, replies)
		}
	}
	if list := say(t, shared.admin, "!proposals"); strings.Contains(list.Body, "9060") {
		t.Error(list.Body)
	}
}

// Attack: the agent edits its line after it was shown, to something else. What
// runs is what was shown.
func TestAnEditedProposalRunsAsItWasShown(t *testing.T) {
	c := withRoles(t)
	turn, number, _ := propose(t, c.agent, "!forward 9074 --for 1h")
	_, err := c.agent.Edit(within(t), turn.ID, "!forward 9075 --for 9d")
	must(t, err)
	if out := say(t, shared.admin, "!approve "+number); !out.OK || !strings.Contains(out.Body, "9074") {
		t.Error(out.Body)
	}
	if out := ended(t, turn); !out.OK {
		t.Error(out.Body)
	}
	list := say(t, shared.admin, "!forwards")
	if !strings.Contains(list.Body, "9074") || strings.Contains(list.Body, "9075") {
		t.Error(list.Body)
	}
	say(t, shared.admin, "!unforward 9074")
}

// Attack: bidirectional marks and zero-width characters, which would make the
// owners read another command than the one that runs.
func TestHiddenCharactersAreShown(t *testing.T) {
	c := withRoles(t)
	_, number, shown := propose(t, c.agent, "!createroom \"a\u202eb\u200bc\"")
	if body := shown.Content.AsMessage().Body; !strings.Contains(body, `a\u{202e}b\u{200b}c`) || strings.ContainsAny(body, "\u202e\u200b") {
		t.Errorf("%q", body)
	}
	say(t, shared.admin, "!deny "+number)
}

// What is grave takes words from a signed device: a reaction is not encrypted.
// The joining card comes to the owners, and the asking room hears that it did.
func TestGraveOnesTakeWords(t *testing.T) {
	c := withRoles(t)
	turn, number, shown := propose(t, c.agent, "!adduser gerda")
	_, err := shared.admin.React(within(t), shown.ID, "✅")
	must(t, err)
	if _, err := shared.admin.WaitBot(within(t), func(e client.Event) bool {
		return e.Type == event.EventMessage.Type && strings.Contains(e.Content.AsMessage().Body, "A click is not enough for proposal "+number)
	}); err != nil {
		t.Error(err)
	}
	if out := say(t, shared.admin, "!approve "+number); !out.OK {
		t.Fatal(out.Body)
	}
	out := ended(t, turn)
	if !out.OK || strings.Contains(out.Body, "Password") {
		t.Errorf("ok=%v %s", out.OK, out.Body)
	}
	cards := func(room *client.Room) int {
		return len(slices.DeleteFunc(room.FromBot(), func(e client.Event) bool {
			return e.Type != event.EventMessage.Type || !strings.Contains(e.Content.AsMessage().Body, "@gerda:fraktalia.test\nPassword: ")
		}))
	}
	if cards(shared.admin) == 0 || cards(c.agent) != 0 || cards(c.friend) != 0 {
		t.Errorf("cards: %d for the owners, %d in the chat room", cards(shared.admin), cards(c.agent))
	}
}

// Attack: an owner's account has a device that the owner has not signed (a
// stolen password). It cannot approve.
func TestAnUnsignedDeviceDoesNotApprove(t *testing.T) {
	c := withRoles(t)
	turn, number, _ := propose(t, c.agent, "!forward 9076 --for 1h")
	ctx := within(t)
	thief, err := shared.Owner(ctx)
	must(t, err)
	defer thief.Logout(context.WithoutCancel(ctx)) //nolint:errcheck // best effort
	room, err := thief.Enter(ctx, shared.AdminRoom, shared.BotUserID)
	must(t, err)
	_, err = room.Say(ctx, "!approve "+number)
	must(t, err)
	if list := say(t, shared.admin, "!forwards"); strings.Contains(list.Body, "9076") {
		t.Error("an unsigned device approved")
	}
	say(t, shared.admin, "!deny "+number)
	if out := ended(t, turn); out.OK {
		t.Error(out.Body)
	}
}

// Two owners click at once, and a third types: it runs once.
func TestManyClicksAtOnce(t *testing.T) {
	c := withRoles(t)
	turn, number, shown := propose(t, c.agent, "!forward 9077 --for 1h")
	ctx := within(t)
	var clicking sync.WaitGroup
	for range 3 {
		clicking.Go(func() { _, _ = shared.admin.React(ctx, shown.ID, "✅") }) // the server refuses doubles
	}
	typed, err := shared.admin.Say(ctx, "!approve "+number)
	must(t, err)
	clicking.Wait()
	if out := ended(t, turn); !out.OK {
		t.Error(out.Body)
	}
	if _, err := typed.Final(ctx); err != nil {
		t.Error(err)
	}
	runs := 0
	for _, e := range c.agent.FromBot() {
		rel := e.RelatesTo()
		if e.Type == event.EventMessage.Type && rel.GetReplyTo() == turn.ID && strings.Contains(e.Content.AsMessage().Body, "9077") {
			runs++
		}
	}
	if runs != 1 {
		t.Errorf("it was answered %d times:\n%s", runs, c.agent.Transcript())
	}
	say(t, shared.admin, "!unforward 9077")
}

// What is allowed beforehand is done at once, within its bounds only.
func TestStandingPermission(t *testing.T) {
	c := withRoles(t)
	given := say(t, shared.admin, "!allow mox forward 9078 --times 1 --for 2h")
	number := regexp.MustCompile(`disallow (\d+)`).FindStringSubmatch(given.Body)
	if !given.OK || number == nil {
		t.Fatal(given.Body)
	}
	// Taken back, and that taken back: what was left of it is there again.
	for _, line := range []string{"!disallow " + number[1], "!undo"} {
		if out := say(t, shared.admin, line); !out.OK {
			t.Fatal(line, out.Body)
		}
	}
	if out := say(t, shared.admin, "!allow"); !strings.Contains(out.Body, "forward 9078, 1 time, until") {
		t.Fatal(out.Body)
	}
	turn, err := c.agent.Say(within(t), "!forward 9078 --for 1h")
	must(t, err)
	if out := ended(t, turn); !out.OK || !strings.Contains(out.Body, "9078") {
		t.Errorf("ok=%v %s", out.OK, out.Body)
	}
	if out := say(t, shared.admin, "!allow"); strings.Contains(out.Body, "9078") {
		t.Errorf("a used permission is still there:\n%s", out.Body)
	}
	turn, asked, shown := propose(t, c.agent, "!unforward 9078")
	_, err = shared.admin.React(within(t), shown.ID, "✅")
	must(t, err)
	if out := ended(t, turn); !out.OK {
		t.Errorf("proposal %s: %s", asked, out.Body)
	}
}

// A role that was taken away ends what was asked under it.
func TestARoleTakenAway(t *testing.T) {
	c := withRoles(t)
	_, number, _ := propose(t, c.agent, "!forward 9079 --for 1h")
	if out := say(t, shared.admin, "!role mox none"); !out.OK {
		t.Fatal(out.Body)
	}
	say(t, shared.admin, "!approve "+number)
	if list := say(t, shared.admin, "!forwards"); strings.Contains(list.Body, "9079") {
		t.Error("it ran for somebody without a role")
	}
	withRoles(t)
}
