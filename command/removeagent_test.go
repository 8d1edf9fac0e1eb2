package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/openclaw/json5"
	"github.com/githabideri/fraktalia/store"
)

// A removal is shown, done and told part by part; undo brings everything back,
// to the byte.
func TestAgentIsRemovedAndBroughtBack(t *testing.T) {
	n := newNursery(t, "")
	if _, err := n.do(t, addMix); err != nil {
		t.Fatal(err)
	}
	added := n.text(t)
	n.desk.yes = false
	if _, err := n.do(t, "removeagent mix"); err == nil || n.text(t) != added {
		t.Fatalf("%v\n%s", err, n.text(t))
	}
	question := n.desk.question.Text()
	for _, want := range []string{"-      mix: ", "@agent:test leaves !new:test.", "Its role ends.", filepath.Join(n.at, "mix") + " is moved aside.", "!undo brings it back."} {
		if !strings.Contains(question, want) {
			t.Errorf("the question has no %q:\n%s", want, question)
		}
	}
	n.desk.yes = true
	out := n.journaled(t, "removeagent mix")
	for _, want := range []string{"@agent:test is out of !new:test.", "@agent:test has no role any more.", "Its workspace is moved aside, to "} {
		if !strings.Contains(out, want) {
			t.Errorf("the receipt has no %q:\n%s", want, out)
		}
	}
	_, role, _ := n.records.RoleOf(t.Context(), "@agent:test")
	if _, err := os.Stat(filepath.Join(n.at, "mix")); !os.IsNotExist(err) || role || n.town.in["!new:test@agent:test"] != "" || n.town.users["@agent:test"].DisplayName != "Claw" {
		t.Errorf("left: %v %v %v %+v", err, role, n.town.in, n.town.users["@agent:test"])
	}
	if out := n.journaled(t, "undo"); !strings.Contains(out, "mix is in !new:test, as @agent:test.") {
		t.Error(out)
	}
	back, role, _ := n.records.RoleOf(t.Context(), "@agent:test")
	if _, err := os.Stat(filepath.Join(n.at, "mix", "AGENTS.md")); err != nil || n.text(t) != added || !role || back.Agent != "mix" || n.town.users["@agent:test"].DisplayName != "Mix" {
		t.Errorf("%v %v %+v\n%s", err, role, n.town.users["@agent:test"], n.text(t))
	}
	if _, err := n.do(t, "removeagent mix --back 99"); err == nil || !strings.Contains(err.Error(), "There is no removal 99 of mix") {
		t.Error(err)
	}
	text, err := n.do(t, "removeagent mix --erase")
	if left, _ := os.ReadDir(n.at); err != nil || len(left) > 0 || len(n.rooms.made) != 1 || !strings.Contains(text, "The room that was made for it is removed.") {
		t.Errorf("%v %v %v\n%s", err, left, n.rooms.made, text)
	}
}

// Killed in the middle, a removal is brought to its end; or it had not begun.
func TestRemovalIsFinishedLater(t *testing.T) {
	n := newNursery(t, "")
	if _, err := n.do(t, addMix); err != nil {
		t.Fatal(err)
	}
	r := n.run(t)
	rm, err := r.plannedRemoval(t.Context(), "mix", false)
	must(t, err)
	_, err = r.beginWork(t.Context(), store.WorkRemove, "mix", rm.made)
	must(t, err)
	if told := n.recover(t); !strings.Contains(told, "mix was to be removed when I was stopped; nothing of it was.") {
		t.Error(told)
	}
	_, err = r.beginWork(t.Context(), store.WorkRemove, "mix", rm.made)
	must(t, err)
	if _, err := r.change(t.Context(), change{what: "removeagent mix", edit: openclaw.RemoveAgent("mix")}); err != nil {
		t.Fatal(err)
	}
	told := n.recover(t)
	if _, err := os.Stat(filepath.Join(n.at, "mix")); !os.IsNotExist(err) || !strings.Contains(told, "mix was being removed when I was stopped; I have done the rest.") || !strings.Contains(told, "has no role any more") {
		t.Errorf("%v %s", err, told)
	}
}

// What is left of agents is found, and goes only where somebody says so; words
// and files of people only where they say that, too.
func TestOrphansAreFoundAndOffered(t *testing.T) {
	n := newNursery(t, "")
	if _, err := n.do(t, addMix); err != nil {
		t.Fatal(err)
	}
	clean, err := n.do(t, "agents --orphans")
	if err != nil || clean != "Nothing is left of agents that are not in openclaw.json." {
		t.Fatalf("%v %s", err, clean)
	}
	before := n.text(t)
	config, err := n.Load() // as another program does it: the entry and the binding, and no more
	must(t, err)
	agent, err := config.Agent("mix")
	must(t, err)
	plan, err := config.Plan(openclaw.Operations(json5.Operation{Verb: json5.Unset, Path: agent.Path}, json5.Operation{Verb: json5.Unset, Path: json5.Path{json5.Key("bindings"), json5.Index(1)}}))
	must(t, err)
	_, err = plan.Commit(t.Context())
	must(t, err)
	n.remains = []Remains{{Agent: "mix", Path: "/home/workspace-mix"}}
	left := n.text(t)
	n.desk.choice = 2
	text, err := n.do(t, "agents --orphans")
	for _, want := range []string{"sbx", "!new:test: no agent is bound to it", "@agent:test", "Mix's room", "/home/workspace-mix", "Nothing was removed."} {
		if err != nil || !strings.Contains(text, want) {
			t.Errorf("%v: no %q in\n%s", err, want, text)
		}
	}
	if n.text(t) != left || left == before {
		t.Errorf("changed to\n%s", n.text(t))
	}
	n.desk.choice = 0
	if _, err = n.do(t, "agents --orphans"); err != nil || strings.Contains(n.text(t), "!new:test") || len(n.remains) != 1 || len(n.rooms.made) != 2 || len(n.claw.removed) == 0 {
		t.Errorf("%v %v %v %v\n%s", err, n.remains, n.rooms.made, n.claw.removed, n.text(t))
	}
	if _, had, _ := n.records.RoleOf(t.Context(), "@agent:test"); had {
		t.Error("the role is left")
	}
	n.desk.choice = 1
	if _, err = n.do(t, "agents --orphans"); err != nil || len(n.remains) > 0 || len(n.rooms.made) != 1 {
		t.Errorf("%v %v %v", err, n.remains, n.rooms.made)
	}
	for role, request := range map[string]Request{"agent": {Sender: "@agent:test", Role: Agent}} {
		n.commands.services.Settings.Policies = map[Role]Policy{Agent: {May: []string{"agents"}}}
		if _, err := n.doAs(t, request, "agents --orphans"); err == nil || !strings.Contains(err.Error(), "Only the owners") {
			t.Errorf("%s: %v", role, err)
		}
		if _, err := n.doAs(t, request, "agents"); err != nil {
			t.Errorf("%s: %v", role, err)
		}
	}
}

// Where no room is bound to anybody, one agent may have them all: then those
// alone are left over that were made for an agent which is gone.
func TestEntriesOfAGoneAgentAreFoundWithoutBindings(t *testing.T) {
	n := newNursery(t, "")
	if _, err := n.do(t, addMix); err != nil {
		t.Fatal(err)
	}
	config, err := n.Load()
	must(t, err)
	agent, err := config.Agent("mix")
	must(t, err)
	plan, err := config.Plan(openclaw.Operations(json5.Operation{Verb: json5.Unset, Path: agent.Path}, json5.Operation{Verb: json5.Unset, Path: json5.Path{json5.Key("bindings")}}))
	must(t, err)
	_, err = plan.Commit(t.Context())
	must(t, err)
	n.desk.choice = 0
	if text, err := n.do(t, "agents --orphans"); err != nil || !strings.Contains(text, "!new:test: no agent is bound to it") || strings.Contains(n.text(t), "!new:test") || !strings.Contains(n.text(t), "!two:test") {
		t.Errorf("%v\n%s\n%s", err, text, n.text(t))
	}
}
