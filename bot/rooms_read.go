package bot

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/command"
)

// pageOfHistory is how many events are asked for at once.
const pageOfHistory = 500

// ReadRoom implements command.Rooms. The bot has the keys of what was said
// while it was in the room, and reads with them which files there are.
func (b *Bot) ReadRoom(ctx context.Context, room string, progress func(int)) (command.RoomContent, error) {
	if !b.ready.Load() {
		return command.RoomContent{}, errNotConnected
	}
	joined, err := b.client.JoinedRooms(ctx)
	if err != nil {
		return command.RoomContent{}, b.worldly("list the bot's rooms", err)
	}
	if !slices.Contains(joined.JoinedRooms, id.RoomID(room)) {
		return command.RoomContent{}, &command.NotInRoom{ID: room}
	}
	reading := &reading{bot: b, room: id.RoomID(room)}
	if err := reading.settings(ctx); err != nil {
		return command.RoomContent{}, err
	}
	if err := reading.history(ctx, progress); err != nil {
		return command.RoomContent{}, err
	}
	return reading.content, nil
}

// reading is one look through a room's history.
type reading struct {
	bot     *Bot
	room    id.RoomID
	content command.RoomContent
}

// settings finds the files that the room itself shows.
func (r *reading) settings(ctx context.Context) error {
	state, err := r.bot.client.State(ctx, r.room)
	if err != nil {
		return r.bot.worldly(fmt.Sprintf("read the state of %s", r.room), err)
	}
	if evt := state[event.StateRoomAvatar][""]; evt != nil {
		r.content.Kept = append(r.content.Kept, string(evt.Content.AsRoomAvatar().URL))
	}
	for _, member := range state[event.StateMember] {
		if address := member.Content.AsMember().AvatarURL; address != "" {
			r.content.Kept = append(r.content.Kept, string(address))
		}
	}
	return nil
}

func (r *reading) history(ctx context.Context, progress func(int)) error {
	from, events := "", 0
	for {
		page, err := r.bot.client.Messages(ctx, r.room, from, "", mautrix.DirectionBackward, nil, pageOfHistory)
		if err != nil {
			return r.bot.worldly(fmt.Sprintf("read the history of %s", r.room), err)
		}
		for _, evt := range page.Chunk {
			r.read(ctx, evt)
		}
		events += len(page.Chunk)
		if page.End == "" || page.End == from || len(page.Chunk) == 0 {
			return nil
		}
		from = page.End
		progress(events)
	}
}

// read takes one event. What was redacted has no content any more.
func (r *reading) read(ctx context.Context, evt *event.Event) {
	if evt.StateKey != nil || evt.Unsigned.RedactedBecause != nil {
		return
	}
	evt.RoomID, evt.Type.Class = r.room, event.MessageEventType
	switch evt.Type.Type {
	case event.EventMessage.Type, event.EventSticker.Type:
		r.content.Messages++
		r.files(evt)
	case event.EventEncrypted.Type:
		r.content.Messages++
		err := evt.Content.ParseRaw(event.EventEncrypted)
		if err == nil {
			evt, err = r.bot.crypto.Machine().DecryptMegolmEvent(ctx, evt)
		}
		if err != nil {
			r.content.Unread++
			return
		}
		r.files(evt)
	}
}

// files finds the media that a message names, its little pictures too.
func (r *reading) files(evt *event.Event) {
	type sealed struct {
		URL string `json:"url"`
	}
	var named struct {
		URL  string `json:"url"`
		File sealed `json:"file"`
		Info struct {
			Thumbnail       string `json:"thumbnail_url"`
			SealedThumbnail sealed `json:"thumbnail_file"`
		} `json:"info"`
	}
	if json.Unmarshal(evt.Content.VeryRaw, &named) != nil {
		return // somebody wrote a number where an address belongs
	}
	for _, address := range []string{named.URL, named.File.URL, named.Info.Thumbnail, named.Info.SealedThumbnail.URL} {
		if strings.HasPrefix(address, "mxc://") {
			r.content.Files = append(r.content.Files, command.RoomFile{MXC: address, Sender: evt.Sender.String()})
		}
	}
}
