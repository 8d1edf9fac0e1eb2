package command

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/forwarder"
	"github.com/githabideri/fraktalia/sandbox"
)

type fences = Containers // embedded, it may not be called as its method

// yard has a container of mox and one of max, and a shared one.
type yard struct{ fences }

func (yard) Containers(context.Context) (list []sandbox.Container, err error) {
	for _, agent := range []string{"mox", "max", ""} {
		list = append(list, sandbox.Container{ID: agent, Agent: agent, Name: "sbx-" + agent, State: "running", Host: "host-of-" + agent, User: "user-of-" + agent,
			Networks: []string{"net-of-" + agent}})
	}
	return list, nil
}
func (yard) ImageOn(context.Context, string, string) (sandbox.Image, error) {
	return sandbox.Image{Exists: true}, nil
}
func (yard) Usages(_ context.Context, containers []sandbox.Container) (list []sandbox.Usage) {
	for _, c := range containers {
		list = append(list, sandbox.Usage{Works: []sandbox.Work{{Command: "secret-of-" + c.Agent}}})
	}
	return list
}
func (yard) LastUse(string) (last, since time.Time) { return time.Time{}, time.Time{} }

// What only reads shows an agent what is its own, and a friend nothing of any
// agent: in words and as JSON. Owners read all of it.
func TestReadingShowsWhatIsOnesOwn(t *testing.T) {
	b, _ := newCouncil(t)
	b.commands.services.Containers = yard{}
	for _, role := range []Role{Agent, Friend} {
		b.commands.services.Settings.Policies[role] = Policy{May: readable()}
	}
	b.commands.services.Health = []Check{{Part: "sun", Look: func(context.Context) Finding { return Finding{Mark: NotWell, Fact: "max burns it", Todo: "ask max"} }},
		{Part: "host max", OwnersOnly: true, Look: func(context.Context) Finding { return Finding{Mark: Well} }}}
	b.forwards.SetSandboxes([]forwarder.Sandbox{{ID: "1", Name: "sbx-mox", Agent: "mox"}, {ID: "2", Name: "sbx-max", Agent: "max"}})
	for _, line := range []string{"forward 29005 --agent mox", "forward 29006 --agent max"} {
		if _, err := b.do(t, line); err != nil {
			t.Fatal(line, err)
		}
	}
	for _, line := range []string{"sandbox", "agents", "forwards", "status", "sandbox --json", "agents --json", "forwards --json", "status --json"} {
		all, err := b.do(t, line)
		if err != nil || !strings.Contains(all, "max") {
			t.Fatalf("%s: an owner reads, %v:\n%s", line, err, all)
		}
		text, err := b.asMox(t, line)
		if err != nil || strings.Contains(text, "max") || strings.Contains(text, "secret-of-\"") {
			t.Errorf("%s: the agent mox reads, %v:\n%s", line, err, text)
		}
		if !strings.HasPrefix(line, "status") && !strings.Contains(text, "mox") {
			t.Errorf("%s: the agent mox does not find what is its own:\n%s", line, text)
		}
		text, err = b.doAs(t, Request{Sender: "@alice:test", Role: Friend, Room: "!chat", CommandID: 1}, line)
		if err != nil || strings.Contains(text, "max") || strings.Contains(text, "mox") {
			t.Errorf("%s: a friend reads, %v:\n%s", line, err, text)
		}
		if strings.HasPrefix(line, "forwards") && !(strings.Contains(text, "29005") && strings.Contains(text, "29006")) {
			t.Errorf("%s: a friend does not find the ports:\n%s", line, text)
		}
	}
}
