package client

import (
	"context"
	"fmt"
	"strings"

	"maunium.net/go/mautrix/event"
)

// Download fetches and decrypts an attachment.
func (c *Client) Download(ctx context.Context, file *event.MessageEventContent) ([]byte, error) {
	address := file.URL
	if file.File != nil {
		address = file.File.URL
	}
	uri, err := address.Parse()
	if err != nil {
		return nil, fmt.Errorf("address of %q: %w", file.Body, err)
	}
	data, err := c.matrix.DownloadBytes(ctx, uri)
	if err != nil || file.File == nil {
		return data, err
	}
	if err := file.File.DecryptInPlace(data); err != nil {
		return nil, fmt.Errorf("decrypt %q: %w", file.Body, err)
	}
	return data, nil
}

// transcriptEvents is how much of a room is worth reading in a message.
const transcriptEvents = 60

// Transcript is the end of the room as this client saw it, a line an event:
// for the message of a failed test.
func (r *Room) Transcript() string {
	var b strings.Builder
	fmt.Fprintf(&b, "--- %s as %s saw it\n", r.ID, r.client.UserID)
	events := r.client.Record.Events(r.ID)
	for _, e := range events[max(0, len(events)-transcriptEvents):] {
		if e.StateKey == nil {
			fmt.Fprintf(&b, "%s %s %s\n", e.Sent.Format("15:04:05.000"), e.Sender.Localpart(), e.Summary())
		}
	}
	return b.String()
}

// Summary is the event in a few words.
func (e Event) Summary() string {
	switch {
	case e.Broken != nil:
		return "could not be decrypted: " + e.Broken.Error()
	case e.Type == event.EventReaction.Type:
		return fmt.Sprintf("%s on %s", e.RelatesTo().Key, e.RelatesTo().EventID)
	case e.Type == event.EventRedaction.Type:
		return fmt.Sprintf("removes %s", e.Content.AsRedaction().Redacts)
	case e.Type == event.EventMessage.Type:
		m := e.Content.AsMessage()
		return fmt.Sprintf("%s %s trust=%d %s: %.600s", e.ID, m.MsgType, e.Trust, e.RelatesTo().Type, m.Body)
	}
	return e.Type
}
