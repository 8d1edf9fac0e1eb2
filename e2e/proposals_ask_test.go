package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"

	"github.com/githabideri/fraktalia/e2e/client"
)

// What a friend's line leaves open is asked of the owners, in the admin room:
// whether they said yes to the line, or had allowed it before. The room that
// asked reads nothing of the question.
func TestQuestionsGoToTheOwners(t *testing.T) {
	ctx := patient(t)
	s := newSolo(t, "asks")
	must(t, s.SetConfig("may_propose: []", "may_propose: [forward]"))
	must(t, s.SetConfig("proposals_an_hour: 1000", "proposals_an_hour: 6")) // and so 30 lines a minute
	s.start(t)
	second, err := shared.engine.StartSandbox(ctx, "fly", "buzz", "9063")
	must(t, err)
	defer func() { must(t, shared.engine.RemoveSandbox(within(t), second)) }()
	felix, err := moveInto(ctx, s.Deployment, s.admin, "felix")
	must(t, err)
	defer felix.Client().Close()
	sandboxSays(t, s, "fly")
	for _, line := range []string{"!role felix friend", "!allow felix forward --times 1"} {
		if out := say(t, s.admin, line); !out.OK {
			t.Fatal(line, out.Body)
		}
	}

	turn, err := felix.Say(ctx, "!forward 9063 --for 1h")
	must(t, err)
	s.answerWhose(t, felix, turn, "9063", "@felix:fraktalia.test asks in Friends, which is allowed beforehand:\n\n!forward 9063 --for 1h")

	turn, _, shown := proposeTo(t, s.admin, felix, "!forward 9064 --for 1h")
	_, err = s.admin.React(ctx, shown.ID, "✅")
	must(t, err)
	s.answerWhose(t, felix, turn, "9064", "")
	say(t, s.admin, "!unforward 9063 9064")
	t.Run("a flood", func(t *testing.T) { floodOfLines(t, s, felix) })
}

// Attack: an account in a loop says one wrong line after another, and one that
// is very long. What is more than 30 a minute is answered once, and not kept.
func floodOfLines(t *testing.T, s *solo, felix *client.Room) {
	ctx := patient(t)
	must(t, s.Process.Stop(ctx)) // so that all of them come within the minute
	var turns []*client.Turn
	for i := range 40 {
		line := fmt.Sprintf("!nonsense%d", i)
		if i == 0 {
			line = "!forwards " + strings.Repeat("x", 5000)
		}
		turn, err := felix.Say(ctx, line)
		must(t, err)
		turns = append(turns, turn)
	}
	s.start(t)
	must(t, turns[0].Wait(ctx, "30 answers, and that it is too fast", func(*client.Turn) bool {
		ends := 0
		for _, turn := range turns {
			if _, ended := turn.Now(); ended {
				ends++
			}
		}
		return ends == 31
	}))
	told := ""
	for _, turn := range turns {
		if out, _ := turn.Now(); strings.Contains(out.Body, "too ") {
			told += out.Body + "\n"
		}
	}
	if strings.Count(told, "too fast") != 1 || strings.Count(told, "too long") != 1 {
		t.Error(told)
	}
	if kept := s.count(t, "SELECT count(*) FROM fraktalia_journal WHERE line LIKE '!nonsense%' OR line LIKE '%xxxxx%'"); kept != 29 {
		t.Errorf("%d lines are in the journal", kept)
	}
}

// answerWhose waits for the question in the admin room, looks at its beginning,
// and clicks the first answer.
func (s *solo) answerWhose(t *testing.T, asks *client.Room, turn *client.Turn, port, begins string) {
	t.Helper()
	ctx := within(t)
	question, err := s.admin.WaitBot(ctx, func(e client.Event) bool {
		body := ""
		if e.Type == event.EventMessage.Type {
			body = e.Content.AsMessage().Body
		}
		return strings.Contains(body, "1️⃣ fly") && strings.Contains(body, "port "+port+" reach")
	})
	if err != nil {
		t.Fatalf("the owners are not asked: %v\nthe room that asks:\n%s", err, asks.Transcript())
	}
	must(t, s.admin.Turn(question.ID).Wait(ctx, "the marks under the question", func(turn *client.Turn) bool { return slices.Contains(turn.Marks(), "2️⃣") }))
	if body := question.Content.AsMessage().Body; !strings.HasPrefix(body, begins) {
		t.Errorf("the owners read:\n%s", body)
	}
	if out := say(t, s.admin, "!forward 9065 --agent mox"); !out.OK { // the question keeps nobody waiting
		t.Error(out.Body)
	}
	say(t, s.admin, "!unforward 9065")
	_, err = s.admin.React(ctx, question.ID, "1️⃣")
	must(t, err)
	if out := ended(t, turn); !out.OK || !strings.Contains(out.Body, "is open") {
		t.Errorf("ok=%v %s", out.OK, out.Body)
	}
	for _, e := range asks.FromBot() {
		if e.Type == event.EventMessage.Type && strings.Contains(e.Content.AsMessage().Body, "Whose shall") {
			t.Errorf("the room that asked reads the question:\n%s", e.Content.AsMessage().Body)
		}
	}
}
