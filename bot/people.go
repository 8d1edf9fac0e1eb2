package bot

import (
	"context"
	"errors"
	"fmt"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/reply"
)

// Invite invites an account to a room; one that is in it or invited already is
// fine.
func (b *Bot) Invite(ctx context.Context, room, userID string) error {
	if !b.ready.Load() {
		return errNotConnected
	}
	_, err := b.client.InviteUser(ctx, id.RoomID(room), &mautrix.ReqInviteUser{UserID: id.UserID(userID)})
	if errors.Is(err, mautrix.MForbidden) && b.isMember(ctx, room, userID) {
		return nil
	}
	return b.worldly(fmt.Sprintf("invite %s to %s", userID, room), err)
}

// Kick takes an account out of a room, or its invitation back; one that is not
// there is fine.
func (b *Bot) Kick(ctx context.Context, room, userID string) error {
	if !b.ready.Load() {
		return errNotConnected
	}
	_, err := b.client.KickUser(ctx, id.RoomID(room), &mautrix.ReqKickUser{UserID: id.UserID(userID)})
	if errors.Is(err, mautrix.MForbidden) && !b.isMember(ctx, room, userID) {
		return nil
	}
	return b.worldly(fmt.Sprintf("take %s out of %s", userID, room), err)
}

// isMember says that an account is in a room or invited.
func (b *Bot) isMember(ctx context.Context, room, userID string) bool {
	var member event.MemberEventContent
	err := b.client.StateEvent(ctx, id.RoomID(room), event.StateMember, userID, &member)
	return err == nil && (member.Membership == event.MembershipJoin || member.Membership == event.MembershipInvite)
}

// worldly gives an error the type by which commands know it.
func (b *Bot) worldly(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, mautrix.MForbidden):
		return &command.NotAllowed{What: what, Err: err}
	case unreachable(err):
		return &command.HomeserverAway{Address: b.Homeserver, What: what, Err: err}
	}
	return fmt.Errorf("%s: %w", what, err)
}

// MayInvite says whether the bot's power in a room is enough to invite.
func (b *Bot) MayInvite(ctx context.Context, room string) (bool, error) {
	if !b.ready.Load() {
		return false, errNotConnected
	}
	if id.RoomID(room) == b.places.chat() && b.ChatRoom == "" {
		return true, nil // a room of the bot's own making
	}
	state, err := b.client.State(ctx, id.RoomID(room))
	if err != nil {
		return false, b.worldly("read the state of "+room, err)
	}
	levels := state[event.StatePowerLevels][""]
	if levels == nil {
		return true, nil
	}
	power := levels.Content.AsPowerLevels()
	power.CreateEvent = state[event.StateCreate][""]
	return power.GetUserLevel(b.client.UserID) >= power.Invite(), nil
}

// IsAdminRoom says that a room is the one in which the bot obeys.
func (b *Bot) IsAdminRoom(room string) bool { return id.RoomID(room) == b.places.admin() }

// Places lists the rooms that the bot is in, with who is in them or invited; the
// admin room is none of them.
func (b *Bot) Places(ctx context.Context) ([]command.Place, error) {
	if !b.ready.Load() {
		return nil, errNotConnected
	}
	joined, err := b.client.JoinedRooms(ctx)
	if err != nil {
		return nil, b.worldly("list the bot's rooms", err)
	}
	var list []command.Place
	for _, room := range joined.JoinedRooms {
		if room == b.places.admin() {
			continue
		}
		place, err := b.place(ctx, room)
		if err != nil {
			return nil, err
		}
		list = append(list, place)
	}
	return list, nil
}

func (b *Bot) place(ctx context.Context, room id.RoomID) (command.Place, error) {
	place := command.Place{ID: room.String(), Name: b.RoomName(ctx, room.String()), Members: map[string]command.Membership{}}
	members, err := b.client.Members(ctx, room)
	if err != nil {
		return place, b.worldly("list the members of "+room.String(), err)
	}
	for _, member := range members.Chunk {
		switch member.Content.AsMember().Membership {
		case event.MembershipJoin:
			place.Members[member.GetStateKey()] = command.Joined
		case event.MembershipInvite:
			place.Members[member.GetStateKey()] = command.Invited
		}
	}
	return place, nil
}

// HasJoined says whether an account is in a room, as far as the sync has told.
func (b *Bot) HasJoined(ctx context.Context, room, userID string) bool {
	return b.ready.Load() && b.client.StateStore.IsInRoom(ctx, id.RoomID(room), id.UserID(userID))
}

// Tell says something quietly in the admin room, or brings what was told before
// to its newest words. It returns the message that tells.
func (b *Bot) Tell(ctx context.Context, before string, doc reply.Doc) (string, error) {
	if !b.ready.Load() {
		return "", errNotConnected
	}
	if before == "" {
		sent, err := b.send(ctx, b.places.admin(), message(doc, event.MsgNotice), "")
		return sent.String(), err
	}
	return before, b.edit(ctx, b.places.admin(), id.EventID(before), doc, "")
}
