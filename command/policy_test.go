package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/forwarder"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

// council is the place where owners are asked: it remembers what was shown.
type council struct {
	shown    []store.Proposal
	previews []string
}

func (h *council) Show(_ context.Context, p store.Proposal, preview reply.Doc) error {
	h.shown, h.previews = append(h.shown, p), append(h.previews, preview.Text())
	return nil
}
func (h *council) Approve(context.Context, int64, string) (store.Proposal, error) {
	return store.Proposal{}, &ProposalOver{}
}
func (h *council) Deny(context.Context, int64, string, string) (store.Proposal, error) {
	return store.Proposal{}, &ProposalOver{}
}

// newCouncil is a house with an agent mox and a friend, and the default policies.
func newCouncil(t *testing.T) (*bench, *council) {
	t.Helper()
	b, _ := newClaw(t)
	h := &council{}
	b.commands.services.Proposals = h
	b.commands.services.Settings.Policies = map[Role]Policy{
		Agent:  {May: []string{"help", "forwards", "status"}, MayPropose: proposable()},
		Friend: {May: []string{"help", "forwards"}},
	}
	b.commands.services.Settings.Owners = []string{"@o:test"}
	return b, h
}

// asMox runs a line as the agent in the chat room.
func (b *bench) asMox(t *testing.T, line string) (string, error) {
	t.Helper()
	b.rows++
	event := fmt.Sprint("$", b.rows)
	row, _, err := b.records.AddCommand(context.Background(), store.Command{EventID: event, RoomID: "!chat", Sender: "@mox:test", Line: "!" + line})
	if err != nil {
		t.Fatal(err)
	}
	return b.doAs(t, Request{Sender: "@mox:test", Role: Agent, Agent: "mox", Room: "!chat", CommandID: row, Ref: event}, line)
}

func TestAnAgentAsksAndNothingHappens(t *testing.T) {
	b, h := newCouncil(t)
	text, err := b.asMox(t, "forward 29005 --for 1h")
	if err != nil || !strings.Contains(text, "proposal 1") {
		t.Fatalf("%q %v", text, err)
	}
	if len(b.specs()) != 0 {
		t.Error("the port is open before anybody said yes")
	}
	p := h.shown[0]
	if p.Line != `!forward 29005 --for 1h --agent "mox"` || p.RoomID != "!chat" || p.Grave || time.Until(p.Until) > time.Hour {
		t.Errorf("%+v", p)
	}
	if want := "Opens port 29005 of this machine to the sandbox of mox, for 1h."; h.previews[0] != want {
		t.Errorf("%q", h.previews[0])
	}
	// What an owner approves is that line, and it is run as it stands.
	request := Request{Sender: "@mox:test", Role: Agent, Agent: "mox", Proposal: p.ID}
	if _, err := b.doAs(t, request, p.Line[1:]); err != nil {
		t.Fatal(err)
	}
	if specs := b.specs(); len(specs) != 1 || specs[0].Port != 29005 || specs[0].Agent != "mox" {
		t.Errorf("%+v", specs)
	}
}

// What no role may do, not even by asking: each with one plain sentence, and
// nothing put before the owners.
func TestWhatCannotBeAsked(t *testing.T) {
	b, h := newCouncil(t)
	for line, want := range map[string]string{
		"forward 29005":                        "for how long",
		"forward 29005 --for 1h --agent max":   "own sandbox",
		"forward 29005 --for 1h --on any":      "Only the owners may use --on",
		"forward 29005 --for forever":          "no time",
		"forward 29005 --for 30d":              "A week",
		"unforward 29007":                      "not opened for you",
		"unforward all":                        "",
		"agent max set name Max":               "own entry",
		"agent mox set sandbox.mode off":       "not of sandbox.mode",
		"agent mox set tools.allow [\"exec\"]": "not of tools.allow",
		"agent mox unset name":                 "Only the owners",
		"agent mox":                            "Only the owners",
		"role @mox:test agent":                 "Only the owners",
		"roles":                                "Only the owners",
		"allow mox forward --for 7d":           "Only the owners",
		"disallow 1":                           "Only the owners",
		"approve 1":                            "Only the owners",
		"deny 1":                               "Only the owners",
		"proposals":                            "Only the owners",
		"audit":                                "Only the owners",
		"undo":                                 "Only the owners",
		"config history":                       "Only the owners",
		"trust":                                "Only the owners",
		"removeagent max":                      "Only the owners",
		"rebuild-sandbox --no-cache":           "--no-cache",
		"adduser alice --json":                 "no JSON",
		"nonsense":                             "no !nonsense",
	} {
		text, err := b.asMox(t, line)
		var problem *Problem
		if !errors.As(err, &problem) || !strings.Contains(problem.Sentence, want) {
			t.Errorf("%s: %q %v, want %q", line, text, err, want)
		}
	}
	if len(h.shown) != 0 {
		t.Errorf("put before the owners: %+v", h.shown)
	}
	if _, err := b.doAs(t, Request{Sender: "@eve:test", Role: Nobody, Room: "!chat", CommandID: 1}, "help"); !errors.As(err, new(*Refused)) {
		t.Errorf("somebody without a role: %v", err)
	}
	if _, err := b.doAs(t, Request{Sender: "@alice:test", Role: Friend, Room: "!chat", CommandID: 1}, "forward 29005 --for 1h"); err == nil {
		t.Error("a friend may propose")
	}
	if text, err := b.doAs(t, Request{Sender: "@alice:test", Role: Friend, Room: "!chat", CommandID: 1}, "help"); err != nil || strings.Contains(text, "adduser") || !strings.Contains(text, "!forwards") {
		t.Errorf("a friend's help: %v\n%s", err, text)
	}
}

// Attack: a line with so many hidden characters that what the owners read of it
// is cut off before its end. It is not put before them.
func TestWhatCannotBeShownCannotBeAsked(t *testing.T) {
	b, h := newCouncil(t)
	for _, line := range []string{
		"agent mox set name " + strings.Repeat("\u200b", 600) + "x",
		"createroom " + strings.Repeat("x", mostShown),
	} {
		_, err := b.asMox(t, line)
		var problem *Problem
		if !errors.As(err, &problem) || !strings.Contains(problem.Sentence, "too long to be shown") || len(h.shown) > 0 {
			t.Errorf("%.30s: %v, shown: %d", line, err, len(h.shown))
		}
	}
	if _, err := b.asMox(t, "agent mox set name "+strings.Repeat("家", 600)); err != nil || len(h.shown) != 1 {
		t.Errorf("a long name: %v", err)
	}
}

// Lines are counted whatever they say: too many are told once, and one that is
// too long each time.
func TestLinesAreCounted(t *testing.T) {
	b := newBench(t)
	taken, told, silent := 0, 0, 0
	for range 2 * linesAMinute {
		err := b.commands.Hear("@mox:test", "!nonsense")
		switch {
		case err == nil:
			taken++
		case errors.As(err, new(*Refused)):
			silent++
		default:
			told++
		}
	}
	if taken != linesAMinute || told != 1 || silent != linesAMinute-1 {
		t.Errorf("%d taken, %d told, %d silent", taken, told, silent)
	}
	var problem *Problem
	if err := b.commands.Hear("@fly:test", "!help "+strings.Repeat("x", longestLine)); !errors.As(err, &problem) || !strings.Contains(problem.Sentence, "too long") {
		t.Error(err)
	}
}

func TestAFloodOfProposalsIsToldOnce(t *testing.T) {
	b, h := newCouncil(t)
	told, silent := 0, 0
	for i := range 12 {
		_, err := b.asMox(t, fmt.Sprintf("forward %d --for 1h", 29010+i))
		var problem *Problem
		switch {
		case errors.As(err, &problem):
			told++
		case errors.As(err, new(*Refused)):
			silent++
		case err != nil:
			t.Fatal(err)
		}
	}
	if len(h.shown) != proposalsAnHour || told != 1 || silent != 12-proposalsAnHour-1 {
		t.Errorf("%d shown, told %d times, %d silent", len(h.shown), told, silent)
	}
}

func TestStandingPermissions(t *testing.T) {
	b, h := newCouncil(t)
	must := func(line string) string {
		t.Helper()
		text, err := b.do(t, line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		return text
	}
	for line, want := range map[string]string{
		"allow mox forward --for 7d": "has no role",
		"role mox owner":             "fraktalia.yaml",
		"role @o:test agent":         "neither takes a role",
		"role @mox:elsewhere agent":  "on test only",
		"role zed agent":             "--agent",
		"role mox king":              "no role",
	} {
		if _, err := b.do(t, line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
	if text := must("role mox agent"); !strings.Contains(text, "agent mox") {
		t.Error(text)
	}
	for line, want := range map[string]string{
		"allow mox forward":                    "nothing is allowed for ever",
		"allow mox isolation --for 1d":         "may propose",
		"allow mox forward 1-5 --for 1d":       "outside",
		"allow mox forward --for 100d":         "too long",
		"allow mox forward --times 5000":       "1 to 1000",
		"allow mox rebuild-sandbox x --for 1d": "one word too many",
	} {
		if _, err := b.do(t, line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
	must("allow mox forward 29000-29009 --times 1")
	if _, err := b.asMox(t, "forward 29011 --for 1h"); err != nil || len(h.shown) != 1 {
		t.Errorf("outside of the permission: %v, %d shown", err, len(h.shown))
	}
	if _, err := b.asMox(t, "forward 29005 --for 1h"); err != nil || len(b.specs()) != 1 {
		t.Errorf("within the permission: %v, %+v", err, b.specs())
	}
	if _, err := b.asMox(t, "forward 29006 --for 1h"); err != nil || len(h.shown) != 2 {
		t.Errorf("after its one use: %v, %d shown", err, len(h.shown))
	}
	if _, err := b.asMox(t, "unforward 29005"); err != nil || len(h.shown) != 3 {
		t.Errorf("its own port: %v, %d shown", err, len(h.shown))
	}
	must("allow mox forward --for 1d")
	must("role mox none")
	if text := must("allow"); !strings.Contains(text, "everything is asked") {
		t.Errorf("permissions outlast the role:\n%s", text)
	}
}

// An agent with a permission is not asked whose sandbox it means: its own.
func TestNobodyIsAskedWhoseSandboxAnAgentMeans(t *testing.T) {
	b, _ := newCouncil(t)
	b.forwards.SetSandboxes([]forwarder.Sandbox{{ID: "1", Name: "sbx-mox", Agent: "mox"}, {ID: "2", Name: "sbx-max", Agent: "max"}})
	for _, line := range []string{"role mox agent", "allow mox forward --times 1"} {
		if _, err := b.do(t, line); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	b.desk.choice = 0 // max, if anybody asked
	if _, err := b.asMox(t, "forward 29005 --for 1h"); err != nil || b.desk.question != nil {
		t.Errorf("%v, asked: %s", err, b.desk.question.Text())
	}
	if specs := b.specs(); len(specs) != 1 || specs[0].Agent != "mox" {
		t.Errorf("%+v", specs)
	}
}

func TestPoliciesThatCannotBe(t *testing.T) {
	wrong := Policy{May: []string{"forwards", "users"}, MayPropose: []string{"forward", "role", "isolation off"}}.Check("agent")
	if len(wrong) != 3 || !strings.Contains(wrong[0], `roles.agent.may: "users"`) {
		t.Errorf("%q", wrong)
	}
}

// What a screen hides is shown.
func TestVisible(t *testing.T) {
	for text, want := range map[string]string{
		"!forward 9005":           "!forward 9005",
		"a\u202eb":                `a\u{202e}b`,
		"a\u200bb\u2066":          `a\u{200b}b\u{2066}`,
		"a\nb\tc":                 `a\u{a}b\u{9}c`,
		"a\u00a0b":                `a\u{a0}b`,
		"Grüße, 家族 👪":             "Grüße, 家族 👪",
		"\u3164x\ufe0f\U000e0041": `\u{3164}x\u{fe0f}\u{e0041}`,
	} {
		if got := Visible(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}
