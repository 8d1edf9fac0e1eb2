package sandbox

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
)

// uses remembers when containers were last used: when a command was begun or
// ended in them. The engine keeps no such record, but its last few hundred
// events.
type uses struct {
	mu    sync.Mutex
	since time.Time // what was earlier, nobody saw
	last  map[string]time.Time
	ours  map[string]bool // our relay's commands, by the engine's id of them
}

// LastUse is when a command was last begun or ended in a container, as far as
// this watcher or the engine's own memory goes; zero where none was seen since
// the time that it returns besides.
func (w *Watcher) LastUse(id string) (last, since time.Time) {
	w.uses.mu.Lock()
	defer w.uses.mu.Unlock()
	return w.uses.last[id], w.uses.since
}

// recall reads what the engine still remembers from before the watcher began.
func (w *Watcher) recall(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, listLimit)
	defer cancel()
	w.uses.begin(time.Now())
	messages, ended := w.engine.api.Events(ctx, events.ListOptions{Since: "1", Until: "1s", // a second ago
		Filters: filters.NewArgs(filters.Arg("type", "container"), filters.Arg("label", labelSandbox))})
	for {
		select {
		case message := <-messages:
			w.uses.note(message)
		case <-ended:
			return
		}
	}
}

func (u *uses) begin(now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.since, u.last, u.ours = now, map[string]time.Time{}, map[string]bool{}
}

// note takes an event of the engine's; most mean nothing here.
func (u *uses) note(message events.Message) {
	if _, sandbox := message.Actor.Attributes[labelSandbox]; !sandbox || message.Type != events.ContainerEventType {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	what, command, _ := strings.Cut(string(message.Action), ": ")
	exec := message.Actor.Attributes["execID"]
	switch what {
	case string(events.ActionExecCreate), string(events.ActionExecStart):
		if relays(command) {
			u.ours[exec] = true
			return
		}
	case string(events.ActionExecDie):
		if u.ours[exec] {
			delete(u.ours, exec)
			return
		}
	case string(events.ActionDestroy):
		delete(u.last, message.Actor.ID)
		return
	default:
		return
	}
	if at := time.Unix(0, message.TimeNano); at.After(u.last[message.Actor.ID]) {
		u.last[message.Actor.ID] = at
	}
}
