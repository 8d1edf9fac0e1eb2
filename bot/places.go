package bot

import (
	"sync"
	"time"

	"maunium.net/go/mautrix/id"
)

// places are the two rooms. They change when a room is upgraded, which makes
// another room of it.
type places struct {
	mu                  sync.RWMutex
	adminRoom, chatRoom id.RoomID
	// joined is when the bot came into an admin room that was there before;
	// what was said earlier is none of its business.
	joined time.Time
}

func (p *places) set(admin, chat id.RoomID, joined time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.adminRoom, p.chatRoom, p.joined = admin, chat, joined
}

// admin is where the bot obeys; "" before it has opened its rooms.
func (p *places) admin() id.RoomID {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.adminRoom
}

// chat is the friends' room.
func (p *places) chat() id.RoomID {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.chatRoom
}

func (p *places) since() time.Time {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.joined
}
