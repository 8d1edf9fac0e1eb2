package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/command"
)

// FindRoom finds a room by its id, alias or name, among those that the bot is
// in: others it cannot see. Errors: *command.UnknownRoom, *command.AmbiguousRoom.
func (b *Bot) FindRoom(ctx context.Context, text string) (string, error) {
	if !b.ready.Load() {
		return "", errNotConnected
	}
	joined, err := b.client.JoinedRooms(ctx)
	if err != nil {
		return "", fmt.Errorf("list the bot's rooms: %w", err)
	}
	wanted := text
	if strings.HasPrefix(text, "#") {
		found, err := b.client.ResolveAlias(ctx, id.RoomAlias(text))
		if err != nil && !isAnswer(err) {
			return "", fmt.Errorf("resolve %s: %w", text, err)
		}
		if err == nil {
			wanted = found.RoomID.String()
		}
	}
	if slices.Contains(joined.JoinedRooms, id.RoomID(wanted)) {
		return wanted, nil
	}
	return b.findNamed(ctx, text, joined.JoinedRooms)
}

// isAnswer says that the server did answer, if only to refuse.
func isAnswer(err error) bool {
	var answer mautrix.HTTPError
	return errors.As(err, &answer) && answer.RespError != nil
}

// findNamed looks for a room's name, in capitals or not.
func (b *Bot) findNamed(ctx context.Context, text string, rooms []id.RoomID) (string, error) {
	var found, names []string
	for _, room := range rooms {
		name := b.RoomName(ctx, room.String())
		if name != "" {
			names = append(names, name)
		}
		if strings.EqualFold(name, text) {
			found = append(found, room.String())
		}
	}
	switch len(found) {
	case 0:
		return "", &command.UnknownRoom{Text: text, Known: names}
	case 1:
		return found[0], nil
	}
	return "", &command.AmbiguousRoom{Text: text, IDs: found}
}

// RoomName is what people call a room; "" where the bot cannot see it, or it
// has no name.
func (b *Bot) RoomName(ctx context.Context, room string) string {
	if !b.ready.Load() {
		return ""
	}
	var named event.RoomNameEventContent
	if err := b.client.StateEvent(ctx, id.RoomID(room), event.StateRoomName, "", &named); err != nil {
		return ""
	}
	return named.Name
}
