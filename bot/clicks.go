package bot

import (
	"slices"
	"sync"

	"maunium.net/go/mautrix/id"
)

// clicks are the messages of ours under which an owner's reaction is awaited.
type clicks struct {
	mu      sync.Mutex
	waiting map[id.EventID]waiter
}

type waiter struct {
	keys []string
	to   chan<- string
}

// await asks for the first reaction on a message with one of keys.
func (c *clicks) await(target id.EventID, to chan<- string, keys ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting == nil {
		c.waiting = map[id.EventID]waiter{}
	}
	c.waiting[target] = waiter{keys, to}
}

// give passes a reaction on; one use. It tells whether somebody waits for
// reactions on this message, also where this one means nothing to them.
func (c *clicks) give(target id.EventID, key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.waiting[target]
	at := slices.IndexFunc(found.keys, func(wanted string) bool { return bare(wanted) == bare(key) })
	if ok && at >= 0 {
		delete(c.waiting, target)
		found.to <- found.keys[at]
	}
	return ok
}

func (c *clicks) forget(target id.EventID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, target)
}
