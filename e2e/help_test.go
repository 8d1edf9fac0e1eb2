package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/e2e/client"
)

func TestHelpListsTheCommands(t *testing.T) {
	out := say(t, shared.admin, "!help")
	if !out.OK || !slices.Contains(out.Marks, client.Seen) {
		t.Errorf("marks %v, want 👀 and ✅", out.Marks)
	}
	for _, word := range []string{"!forward", "!unforward", "!forwards", "!rebuild-sandbox", "!adduser", "!status"} {
		if !strings.Contains(out.Body, word) {
			t.Errorf("!help does not name %s:\n%s", word, out.Body)
		}
	}
	if !strings.Contains(out.HTML, "<table>") {
		t.Errorf("the list is no table for clients that show HTML:\n%s", out.HTML)
	}
}

func TestHelpOfOneCommand(t *testing.T) {
	for _, line := range []string{"!help forward", "!forward --help", "!help !forward", "!help fwd"} {
		out := say(t, shared.admin, line)
		if !out.OK || !strings.Contains(out.Body, "!forward PORT") || !strings.Contains(out.Body, "--agent") {
			t.Errorf("%s: ok=%v\n%s", line, out.OK, out.Body)
		}
	}
}

func TestMistakesGetOneOrTwoLines(t *testing.T) {
	for line, want := range map[string]string{
		"!frobnicate":         "There is no !frobnicate.",
		"!forwrad 9005":       "Did you mean !forward",
		"!forward":            "Usage: !forward",
		"!forward 9005 --foo": "Usage: !forward",
		"!adduser":            "Usage: !adduser",
		"!adduser a b":        "Usage: !adduser",
		"!status now":         "Usage: !status",
		"!help frobnicate":    "There is no !frobnicate.",
	} {
		out := say(t, shared.admin, line)
		if out.OK || !strings.Contains(out.Body, want) {
			t.Errorf("%s: ok=%v, want %q in\n%s", line, out.OK, want, out.Body)
		}
		if lines := strings.Count(strings.TrimSpace(out.Body), "\n") + 1; lines > 2 {
			t.Errorf("%s: %d lines for a mistake:\n%s", line, lines, out.Body)
		}
	}
}

func TestAnswersAreRepliesAndMarksAreOnTheCommand(t *testing.T) {
	ctx := within(t)
	turn, err := shared.admin.Say(ctx, "!forwards")
	must(t, err)
	out, err := turn.Final(ctx)
	must(t, err)
	if len(out.Replies) != 1 {
		t.Fatalf("%d messages for one answer", len(out.Replies))
	}
	relation := out.Replies[0].RelatesTo()
	if relation.GetReplyTo() != turn.ID || !out.Replies[0].Signed() {
		t.Errorf("reply to %s, want %s; trust %s", relation.GetReplyTo(), turn.ID, &out.Replies[0].Trust)
	}
}
