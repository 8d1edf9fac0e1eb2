package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// Invite is an invitation that waits for an answer.
type Invite struct {
	Room      id.RoomID
	From      id.UserID
	Name      string // the room's name, where the invitation tells it
	Encrypted bool   // whether the invitation says that the room is encrypted
	Times     int    // how often the client has been invited there, this time included
}

// pollTimeout is how long one sync request waits for news, in milliseconds:
// short enough for Close to be quick even where a server ignores hang-ups.
const pollTimeout = 10_000

func (c *Client) firstSync(ctx context.Context) (since string, err error) {
	resp, err := c.matrix.SyncRequest(ctx, 0, "", "", false, "")
	if err != nil {
		return "", err
	}
	return c.process(ctx, resp, "")
}

// syncLoop reads until ctx ends. Failed requests are repeated from the same
// token, so that a homeserver's restart loses nothing.
func (c *Client) syncLoop(ctx context.Context, since string) {
	defer close(c.stopped)
	for ctx.Err() == nil {
		next, err := c.poll(ctx, since)
		if err == nil {
			since = next
			continue
		}
		c.setSyncErr(err)
		if errors.Is(err, mautrix.MUnknownToken) {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (c *Client) poll(ctx context.Context, since string) (string, error) {
	resp, err := c.matrix.SyncRequest(ctx, pollTimeout, since, "", false, "")
	if err != nil {
		return "", err
	}
	return c.process(ctx, resp, since)
}

func (c *Client) process(ctx context.Context, resp *mautrix.RespSync, since string) (string, error) {
	if err := c.fillGaps(ctx, resp, since); err != nil {
		return "", err
	}
	c.noteRooms(resp)
	if err := c.syncer.ProcessResponse(ctx, resp, since); err != nil {
		return "", fmt.Errorf("process sync: %w", err)
	}
	c.Record.changed()
	return resp.NextBatch, nil
}

// fillGaps puts back what the server left out of long timelines, so that no
// event is lost. Rooms entered in this very response have no gap: what was
// before the join is not ours.
func (c *Client) fillGaps(ctx context.Context, resp *mautrix.RespSync, since string) error {
	if since == "" {
		return nil
	}
	for room, joined := range resp.Rooms.Join {
		if !joined.Timeline.Limited || !c.isJoined(room) {
			continue
		}
		missed, err := c.missedEvents(ctx, room, joined.Timeline.PrevBatch, since)
		if err != nil {
			return fmt.Errorf("gap in %s: %w", room, err)
		}
		joined.Timeline.Events = append(missed, joined.Timeline.Events...)
	}
	return nil
}

func (c *Client) missedEvents(ctx context.Context, room id.RoomID, from, to string) ([]*event.Event, error) {
	var missed []*event.Event
	for from != "" {
		page, err := c.matrix.Messages(ctx, room, from, to, mautrix.DirectionBackward, nil, 200)
		if err != nil {
			return nil, err
		}
		missed = append(missed, page.Chunk...)
		if len(page.Chunk) == 0 || page.End == from {
			break
		}
		from = page.End
	}
	slices.Reverse(missed)
	return missed, nil
}

func (c *Client) noteRooms(resp *mautrix.RespSync) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.syncErr = nil
	for room := range resp.Rooms.Join {
		c.joined[room] = true
		delete(c.invites, room)
	}
	for room := range resp.Rooms.Leave {
		delete(c.joined, room)
		delete(c.invites, room)
	}
	for room, invited := range resp.Rooms.Invite {
		invite := readInvite(room, c.UserID, invited.State.Events)
		c.invited[room]++
		invite.Times = c.invited[room]
		c.invites[room] = invite
	}
}

func readInvite(room id.RoomID, me id.UserID, state []*event.Event) Invite {
	invite := Invite{Room: room}
	for _, evt := range state {
		switch evt.Type.Type {
		case event.StateMember.Type:
			if evt.GetStateKey() == string(me) {
				invite.From = evt.Sender
			}
		case event.StateRoomName.Type:
			invite.Name, _ = evt.Content.Raw["name"].(string)
		case event.StateEncryption.Type:
			invite.Encrypted = true
		}
	}
	return invite
}

func (c *Client) isJoined(room id.RoomID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.joined[room]
}

func (c *Client) setSyncErr(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.syncErr = err
}

// SyncErr is the last reading error, nil while all is well.
func (c *Client) SyncErr() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.syncErr
}
