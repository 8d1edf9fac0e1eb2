package client

import (
	"context"
	"fmt"
	"maps"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// Room is an encrypted room with a bot in it, seen by one client.
type Room struct {
	ID  id.RoomID
	Bot id.UserID

	client *Client
}

// Enter waits for the invitation to room where the client is not in it yet,
// joins, and learns the room's members and encryption. It refuses rooms that
// are not encrypted: nothing may be typed there.
func (c *Client) Enter(ctx context.Context, room id.RoomID, bot id.UserID) (*Room, error) {
	if !c.isJoined(room) {
		if _, err := c.WaitInvite(ctx, room); err != nil {
			return nil, err
		}
		if _, err := c.matrix.JoinRoomByID(ctx, room); err != nil {
			return nil, fmt.Errorf("join %s: %w", room, err)
		}
		if err := c.Record.Wait(ctx, func() bool { return c.isJoined(room) }); err != nil {
			return nil, fmt.Errorf("joined %s, but it does not come with the sync: %w", room, err)
		}
	}
	// Without the state a message sent before the next sync would go out
	// in plain text.
	if _, err := c.matrix.State(ctx, room); err != nil {
		return nil, fmt.Errorf("state of %s: %w", room, err)
	}
	encrypted, err := c.matrix.StateStore.IsEncrypted(ctx, room)
	if err != nil || !encrypted {
		return nil, fmt.Errorf("room %s is not encrypted (%w)", room, err)
	}
	return &Room{ID: room, Bot: bot, client: c}, nil
}

// Invites is a copy of the invitations that wait for an answer.
func (c *Client) Invites() map[id.RoomID]Invite {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.invites)
}

// WaitInvite waits until the client is invited to room.
func (c *Client) WaitInvite(ctx context.Context, room id.RoomID) (Invite, error) {
	var invite Invite
	err := c.Record.Wait(ctx, func() (ok bool) {
		invite, ok = c.Invites()[room]
		return ok
	})
	if err != nil {
		return Invite{}, fmt.Errorf("%s waits for an invitation to %s: %w (last sync error: %w)", c.UserID, room, err, c.SyncErr())
	}
	return invite, nil
}

// Client is whose view this room is.
func (r *Room) Client() *Client { return r.client }

// Say types text and returns the turn that it opens.
func (r *Room) Say(ctx context.Context, text string) (*Turn, error) {
	return r.Send(ctx, &event.MessageEventContent{MsgType: event.MsgText, Body: text})
}

// Send sends a message of any content, encrypted, and returns its turn.
func (r *Room) Send(ctx context.Context, content any) (*Turn, error) {
	return r.send(ctx, event.EventMessage, content, mautrix.ReqSendEvent{})
}

// SendPlain sends a message without encryption into the encrypted room, as a
// broken client or a lying server would.
func (r *Room) SendPlain(ctx context.Context, text string) (*Turn, error) {
	content := &event.MessageEventContent{MsgType: event.MsgText, Body: text}
	return r.send(ctx, event.EventMessage, content, mautrix.ReqSendEvent{DontEncrypt: true})
}

func (r *Room) send(ctx context.Context, kind event.Type, content any, how mautrix.ReqSendEvent) (*Turn, error) {
	start := time.Now()
	sent, err := r.client.matrix.SendMessageEvent(ctx, r.ID, kind, content, how)
	if err != nil {
		return nil, fmt.Errorf("send to %s: %w", r.ID, err)
	}
	return &Turn{ID: sent.EventID, Started: start, room: r}, nil
}

// Edit replaces the text of an earlier message of ours.
func (r *Room) Edit(ctx context.Context, target id.EventID, text string) (*Turn, error) {
	content := &event.MessageEventContent{MsgType: event.MsgText, Body: text}
	content.SetEdit(target)
	return r.Send(ctx, content)
}

// React puts a reaction under an event and returns the reaction's id.
func (r *Room) React(ctx context.Context, target id.EventID, key string) (id.EventID, error) {
	sent, err := r.client.matrix.SendReaction(ctx, r.ID, target, key)
	if err != nil {
		return "", fmt.Errorf("react with %s: %w", key, err)
	}
	return sent.EventID, nil
}

// Turn is the turn of a command that is in the room already.
func (r *Room) Turn(command id.EventID) *Turn {
	return &Turn{ID: command, Started: time.Now(), room: r}
}

// FromBot is all that the bot has sent into this room.
func (r *Room) FromBot() []Event {
	var out []Event
	for _, e := range r.client.Record.Events(r.ID) {
		if e.Sender == r.Bot {
			out = append(out, e)
		}
	}
	return out
}

// WaitBot waits for an event of the bot that is as wanted.
func (r *Room) WaitBot(ctx context.Context, wanted func(Event) bool) (Event, error) {
	var found Event
	err := r.client.Record.Wait(ctx, func() bool {
		for _, e := range r.FromBot() {
			if wanted(e) {
				found = e
				return true
			}
		}
		return false
	})
	if err != nil {
		return Event{}, fmt.Errorf("the bot's event did not come: %w\n%s", err, r.Transcript())
	}
	return found, nil
}
