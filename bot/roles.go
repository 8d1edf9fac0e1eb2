package bot

import (
	"context"

	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/store"
)

// roleIn is what an account may be in a room: owners command in the admin room
// only, where nobody else reads the answers; accounts with a role ask in the
// chat rooms only. By default it is nobody.
func (b *Bot) roleIn(ctx context.Context, room id.RoomID, user id.UserID) (command.Role, store.Role) {
	if room == b.places.admin() || b.isOwner(user) || user.String() == b.UserID {
		if room == b.places.admin() && b.isOwner(user) {
			return command.Owner, store.Role{}
		}
		return command.Nobody, store.Role{}
	}
	given, ok, err := b.Store.RoleOf(ctx, user.String())
	if err != nil {
		b.Log.WithError(err).Error("cannot read the roles")
	}
	if err != nil || !ok {
		return command.Nobody, store.Role{}
	}
	return command.RoleNamed(given.Role), given
}

// request is what a row of the journal asks for.
func (b *Bot) request(ctx context.Context, row store.Command, args []string) command.Request {
	role, given := b.roleIn(ctx, id.RoomID(row.RoomID), id.UserID(row.Sender))
	return command.Request{Args: args, Line: row.Line[1:], Sender: row.Sender, Role: role, Agent: given.Agent, Ref: row.EventID,
		Room: row.RoomID, CommandID: row.ID, Proposal: row.Proposal}
}
