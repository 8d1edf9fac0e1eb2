package openclaw

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/openclaw/json5"
)

// guarded runs a guard on a configuration and gives its events.
func guarded(t *testing.T, text string) (*Guard, *Config, chan Event) {
	t.Helper()
	config := loadText(t, text)
	events := make(chan Event, 10)
	g := NewGuard(config.Path(), 10*time.Millisecond, func(_ context.Context, e Event) { events <- e }, quiet())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	time.Sleep(50 * time.Millisecond) // the guard has had its first look
	return g, config, events
}

func next(t *testing.T, events chan Event) Event {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(10 * time.Second):
		t.Fatal("the guard says nothing")
		return Event{}
	}
}

func TestGuardTellsAndRestores(t *testing.T) {
	less := strings.Replace(entriesHouse, "      max: { skills: ['web'] }, // second\n", "", 1)
	unbound := strings.Replace(entriesHouse, "    { agentId: 'max', match: { channel: 'matrix', peer: { kind: 'channel', id: '!two:host.org' } } },\n", "", 1)
	for _, c := range []struct {
		name, text string
		aside      bool
		want       EventKind
	}{
		{"an agent vanishes", less, false, Shrunk},
		{"a binding vanishes", unbound, false, Shrunk},
		{"OpenClaw reverts", less, true, Reverted},
		{"the file breaks", "{", false, Broken},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, config, events := guarded(t, entriesHouse)
			if c.aside {
				must(t, os.WriteFile(config.Path()+".clobbered.123", []byte(entriesHouse), 0o600))
			}
			must(t, os.WriteFile(config.Path(), []byte(c.text), 0o600))
			e := next(t, events)
			if e.Kind != c.want || e.Diff == "" || !e.Restorable() {
				t.Errorf("event %+v", e)
			}
			must(t, e.Restore(context.Background()))
			if data, _ := os.ReadFile(config.Path()); string(data) != entriesHouse {
				t.Errorf("restored to\n%s", data)
			}
		})
	}
}

func TestGuardIsSilent(t *testing.T) {
	g, config, events := guarded(t, entriesHouse)
	must(t, os.WriteFile(config.Path(), []byte(strings.Replace(entriesHouse, "'Mox'", "'Moxie'", 1)), 0o600)) // nothing is lost
	time.Sleep(100 * time.Millisecond)
	now, err := LoadConfig(config.Path())
	must(t, err)
	plan, err := now.Plan(RemoveAgent("mox")) // we do it ourselves
	must(t, err)
	g.Own(plan.Changes())
	_, err = plan.Commit(context.Background())
	must(t, err)
	select {
	case e := <-events:
		t.Errorf("event %+v", e)
	case <-time.After(200 * time.Millisecond):
	}
	must(t, os.Remove(config.Path()))
	if e := next(t, events); e.Kind != Gone {
		t.Errorf("event %+v", e)
	}
}

func TestRestoreRefusesNewerContent(t *testing.T) {
	config := loadText(t, "{a: 1}")
	done, err := Edit(context.Background(), config.Path(), []json5.Operation{{Verb: json5.Set, Path: parsePath(t, "a"), Value: json5.NumberValue(2)}})
	must(t, err)
	must(t, os.WriteFile(config.Path(), []byte("{a: 3}"), 0o600))
	if _, err := Restore(context.Background(), done.Path, done.After, done.Before); err == nil {
		t.Error("somebody else's content was replaced")
	}
}
