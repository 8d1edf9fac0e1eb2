package bot

import (
	"context"
	"errors"
	"fmt"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/command"
)

// MakeRoom implements command.Rooms. The owners have the bot's power in it, so
// that the room outlives the bot.
func (b *Bot) MakeRoom(ctx context.Context, wish command.NewRoom) (string, error) {
	if !b.ready.Load() {
		return "", errNotConnected
	}
	request, err := b.roomRequest(ctx, chatKind)
	if err != nil {
		return "", b.worldly(fmt.Sprintf("make the room %q", wish.Name), err)
	}
	request.Name, request.Topic, request.CreationContent = wish.Name, "", map[string]any{"m.federate": false}
	if wish.Purpose != "" {
		request.CreationContent[purposeKey] = wish.Purpose
	}
	if wish.Public {
		request.Preset, request.Visibility, request.RoomAliasName = "public_chat", "public", wish.Address
	}
	for _, who := range wish.Invite {
		request.Invite = append(request.Invite, id.UserID(who))
	}
	made, err := b.client.CreateRoom(ctx, request)
	switch {
	case errors.Is(err, mautrix.MRoomInUse):
		return "", &command.AddressTaken{Address: wish.Address}
	case err != nil:
		return "", b.worldly(fmt.Sprintf("make the room %q", wish.Name), err)
	}
	if _, err := b.client.State(ctx, made.RoomID); err != nil {
		return made.RoomID.String(), b.worldly(fmt.Sprintf("read the state of %s", made.RoomID), err)
	}
	return made.RoomID.String(), nil
}

// FindMade implements command.Rooms.
func (b *Bot) FindMade(ctx context.Context, purpose string) (string, error) {
	if !b.ready.Load() {
		return "", errNotConnected
	}
	room, err := b.madeFor(ctx, purpose)
	return room.String(), b.worldly("look through the bot's rooms", err)
}

// Disband implements command.Rooms.
func (b *Bot) Disband(ctx context.Context, room string) error {
	if !b.ready.Load() {
		return errNotConnected
	}
	members, err := b.client.Members(ctx, id.RoomID(room))
	if err != nil {
		return b.worldly(fmt.Sprintf("see who is in %s", room), err)
	}
	for _, member := range members.Chunk {
		who := id.UserID(member.GetStateKey())
		in := member.Content.AsMember().Membership
		if who == b.client.UserID || in != event.MembershipJoin && in != event.MembershipInvite {
			continue
		}
		// An owner has the bot's own power and cannot be put out; the room is
		// left to them then.
		if _, err := b.client.KickUser(ctx, id.RoomID(room), &mautrix.ReqKickUser{UserID: who, Reason: "The room is taken away."}); err != nil {
			b.Log.WithError(err).Warnf("could not put %s out of %s", who, room)
		}
	}
	if _, err := b.client.LeaveRoom(ctx, id.RoomID(room)); err != nil {
		return b.worldly(fmt.Sprintf("leave %s", room), err)
	}
	return nil
}

// OwnRooms implements command.Rooms.
func (b *Bot) OwnRooms() (admin, chat string) {
	return b.places.admin().String(), b.places.chat().String()
}

// JoinedRooms implements command.Rooms.
func (b *Bot) JoinedRooms(ctx context.Context) ([]command.JoinedRoom, error) {
	if !b.ready.Load() {
		return nil, errNotConnected
	}
	joined, err := b.client.JoinedRooms(ctx)
	if err != nil {
		return nil, b.worldly("list the bot's rooms", err)
	}
	list := make([]command.JoinedRoom, 0, len(joined.JoinedRooms))
	for _, room := range joined.JoinedRooms {
		state, err := b.client.State(ctx, room)
		if err != nil {
			return nil, b.worldly(fmt.Sprintf("read the state of %s", room), err)
		}
		list = append(list, factsOf(room, state))
	}
	return list, nil
}

func factsOf(room id.RoomID, state mautrix.RoomStateMap) command.JoinedRoom {
	facts := command.JoinedRoom{ID: room.String(), Version: "1", Encrypted: len(state[event.StateEncryption]) > 0}
	if evt := state[event.StateRoomName][""]; evt != nil {
		facts.Name = evt.Content.AsRoomName().Name
	}
	if evt := state[event.StateCanonicalAlias][""]; evt != nil {
		facts.Alias = evt.Content.AsCanonicalAlias().Alias.String()
	}
	if evt := state[event.StateCreate][""]; evt != nil && evt.Content.AsCreate().RoomVersion != "" {
		facts.Version = string(evt.Content.AsCreate().RoomVersion)
	}
	if evt := state[event.StateJoinRules][""]; evt != nil {
		facts.Public = evt.Content.AsJoinRules().JoinRule == event.JoinRulePublic
	}
	for _, member := range state[event.StateMember] {
		if member.Content.AsMember().Membership == event.MembershipJoin {
			facts.Members++
		}
	}
	return facts
}
