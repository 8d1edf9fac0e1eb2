package jsclient

import "context"

// Shield is what Element draws beside a message.
type Shield string

// The shields; Red is what people take for an attack.
const (
	ShieldNone Shield = "none"
	ShieldGrey Shield = "grey"
	ShieldRed  Shield = "red"
)

// Reply is a message, such as an answer of the bot, as Element's crypto sees it.
type Reply struct {
	EventID   string `json:"event_id"`
	Sender    string `json:"sender"`
	Encrypted bool   `json:"encrypted"`
	Body      string `json:"body"`
	HTML      string `json:"html"`
	MsgType   string `json:"msgtype"`
	Shield    Shield `json:"shield"`
	Reason    *int   `json:"shield_reason"`
}

// Trust is how far the account trusts another one.
type Trust struct {
	Identity bool     `json:"identity"` // the other has published a cross-signing identity
	Verified bool     `json:"verified"` // and it was verified
	Devices  int      `json:"devices"`
	Unsigned []string `json:"unsigned"` // devices which that identity has not signed
	Emoji    string   `json:"emoji"`    // what Verify was shown
}

// Sign publishes a cross-signing identity and signs this device with it.
func (c *Client) Sign(ctx context.Context, password string) error {
	return c.call(ctx, "sign", map[string]string{"password": password}, nil)
}

// SignWith takes the account's identity out of secret storage and signs this
// device with it, as a second login does.
func (c *Client) SignWith(ctx context.Context, recoveryKey string) error {
	return c.call(ctx, "sign_with", map[string]string{"recovery_key": recoveryKey}, nil)
}

// Join waits for an invitation to room, where needed, and enters.
func (c *Client) Join(ctx context.Context, room string) error {
	return c.call(ctx, "join", map[string]string{"room": room}, nil)
}

// Say types text into room and returns the event's id.
func (c *Client) Say(ctx context.Context, room, text string) (string, error) {
	var sent struct {
		EventID string `json:"event_id"`
	}
	err := c.call(ctx, "say", map[string]string{"room": room, "text": text}, &sent)
	return sent.EventID, err
}

// Reply waits for the first answer to an event.
func (c *Client) Reply(ctx context.Context, room, to string) (Reply, error) {
	var reply Reply
	err := c.call(ctx, "reply", map[string]string{"room": room, "to": to}, &reply)
	return reply, err
}

// Read waits until Element can read an event.
func (c *Client) Read(ctx context.Context, room, event string) (Reply, error) {
	var read Reply
	err := c.call(ctx, "read", map[string]string{"room": room, "event": event}, &read)
	return read, err
}

// WaitMark waits for a reaction of sender on an event.
func (c *Client) WaitMark(ctx context.Context, room, event, sender, key string) error {
	args := map[string]string{"room": room, "event": event, "sender": sender, "key": key}
	return c.call(ctx, "marks", args, nil)
}

// Verify compares emoji with user in room, takes them for the same, and tells
// how far user is trusted afterwards.
func (c *Client) Verify(ctx context.Context, room, user string) (Trust, error) {
	var trust Trust
	err := c.call(ctx, "verify", map[string]string{"room": room, "user": user}, &trust)
	return trust, err
}

// Trust tells how far user is trusted.
func (c *Client) Trust(ctx context.Context, user string) (Trust, error) {
	var trust Trust
	err := c.call(ctx, "trust", map[string]string{"user": user}, &trust)
	return trust, err
}
