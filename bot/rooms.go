package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/crashpoint"
)

// purpose says in a room's creation event what the bot made it for, so that a
// bot that has lost its database finds its rooms again.
const purposeKey = "io.fraktalia.purpose"

// kind describes one of the bot's two rooms.
type kind struct {
	purpose string // and the name of the setting that holds the room's id
	name    string
	topic   string
	history event.HistoryVisibility
	// inviteLevel is the power that inviting others takes.
	inviteLevel int
}

// The two rooms; the values are fixed.
var (
	adminKind = kind{"admin_room", "Fraktalia", "Commands to the deployment. The bot obeys its owners here; type !help.", event.HistoryVisibilityJoined, 100}
	chatKind  = kind{"chat_room", "Friends", "For friends.", event.HistoryVisibilityInvited, 50}
)

// openRooms finds the two rooms, or makes them, and sees to it that the owners
// are invited.
func (b *Bot) openRooms(ctx context.Context) error {
	admin, err := b.openRoom(ctx, adminKind, id.RoomID(b.Options.AdminRoom))
	if err != nil {
		return fmt.Errorf("open the admin room: %w", err)
	}
	since, err := b.Store.Setting(ctx, joinedKey(adminKind))
	if err != nil {
		return err
	}
	joined, _ := time.Parse(time.RFC3339, since) // zero where the bot made the room
	b.places.set(admin, "", joined)
	chat, err := b.openRoom(ctx, chatKind, id.RoomID(b.Options.ChatRoom))
	if err != nil {
		return fmt.Errorf("open the chat room: %w", err)
	}
	b.places.set(admin, chat, joined)
	return nil
}

func (b *Bot) openRoom(ctx context.Context, k kind, configured id.RoomID) (room id.RoomID, err error) {
	err = b.patiently(ctx, "open rooms", func() error {
		room, err = b.findRoom(ctx, k, configured)
		if err == nil && room == "" {
			room, err = b.makeRoom(ctx, k)
		}
		if err == nil {
			room, err = b.successorOf(ctx, k, room)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	if err := b.Store.SetSetting(ctx, k.purpose, room.String()); err != nil {
		return "", err
	}
	return room, b.enterRoom(ctx, room)
}

// findRoom looks in the configuration, in the record, and among the rooms that
// the bot made.
func (b *Bot) findRoom(ctx context.Context, k kind, configured id.RoomID) (id.RoomID, error) {
	if configured != "" {
		return configured, b.comeInto(ctx, k, configured)
	}
	saved, err := b.Store.Setting(ctx, k.purpose)
	if err != nil || saved != "" {
		return id.RoomID(saved), err
	}
	return b.madeFor(ctx, k.purpose)
}

// madeFor finds the room that the bot made for a purpose, among those that it is
// in; "" where there is none.
func (b *Bot) madeFor(ctx context.Context, purpose string) (id.RoomID, error) {
	joined, err := b.client.JoinedRooms(ctx)
	if err != nil {
		return "", err
	}
	for _, room := range joined.JoinedRooms {
		made, err := b.purposeOf(ctx, room)
		switch {
		case err == nil && made == purpose:
			return room, nil
		case err != nil && unreachable(err):
			return "", err
		}
	}
	return "", nil
}

// purposeOf is what the bot made a room for; "" for other rooms.
func (b *Bot) purposeOf(ctx context.Context, room id.RoomID) (string, error) {
	var created struct {
		Purpose string `json:"io.fraktalia.purpose"`
	}
	err := b.client.StateEvent(ctx, room, event.StateCreate, "", &created)
	return created.Purpose, err
}

// comeInto joins a room that the configuration names.
func (b *Bot) comeInto(ctx context.Context, k kind, room id.RoomID) error {
	there, err := b.client.JoinedRooms(ctx)
	if err != nil || slices.Contains(there.JoinedRooms, room) {
		return err
	}
	if _, err := b.client.JoinRoomByID(ctx, room); err != nil {
		return fmt.Errorf("join %s, which the configuration names (the bot must be invited): %w", room, err)
	}
	return b.Store.SetSetting(ctx, joinedKey(k), time.Now().Format(time.RFC3339))
}

// joinedKey names the setting of when the bot came into a room.
func joinedKey(k kind) string { return "joined:" + k.purpose }

// enterRoom learns who is in a room and whether it is encrypted before
// anything is said in it: sending before the next sync would go out in plain.
func (b *Bot) enterRoom(ctx context.Context, room id.RoomID) error {
	var state mautrix.RoomStateMap
	err := b.patiently(ctx, "read a room's state", func() (err error) {
		state, err = b.client.State(ctx, room)
		return err
	})
	if err != nil {
		return err
	}
	// A database that was restored from a copy would encrypt with message
	// numbers that it has used already, and nobody could read it: each start
	// begins with fresh room keys.
	if err := b.crypto.Machine().CryptoStore.RemoveOutboundGroupSession(ctx, room); err != nil {
		return fmt.Errorf("begin with fresh room keys: %w", err)
	}
	if len(state[event.StateEncryption]) == 0 {
		return fmt.Errorf("%w: switch encryption on in %s, or let the bot make a room", errPlain, room)
	}
	for owner := range b.owners {
		if err := b.inviteMissing(ctx, room, owner, state); err != nil {
			return err
		}
	}
	return nil
}

// inviteMissing invites an owner who was added to the configuration later.
func (b *Bot) inviteMissing(ctx context.Context, room id.RoomID, owner id.UserID, state mautrix.RoomStateMap) error {
	if member, ok := state[event.StateMember][owner.String()]; ok {
		switch member.Content.AsMember().Membership {
		case event.MembershipJoin:
			b.ownerIn(ctx, room, owner)
			return nil
		case event.MembershipInvite, event.MembershipBan:
			return nil
		}
	}
	_, err := b.client.InviteUser(ctx, room, &mautrix.ReqInviteUser{UserID: owner})
	if errors.Is(err, mautrix.MForbidden) || errors.Is(err, mautrix.MNotFound) {
		b.Log.WithError(err).Warnf("could not invite %s to %s", owner, room)
		return nil
	}
	return err
}

// makeRoom makes a private, encrypted room with the owners invited.
func (b *Bot) makeRoom(ctx context.Context, k kind) (id.RoomID, error) {
	request, err := b.roomRequest(ctx, k)
	if err != nil {
		return "", err
	}
	made, err := b.client.CreateRoom(ctx, request)
	if err != nil {
		return "", fmt.Errorf("make the room %q: %w", k.name, err)
	}
	crashpoint.At("bot.made." + k.purpose)
	return made.RoomID, nil
}

// roomRequest asks for a private, encrypted room in which the owners have the
// bot's power.
func (b *Bot) roomRequest(ctx context.Context, k kind) (*mautrix.ReqCreateRoom, error) {
	levels, err := b.ownLevel(ctx)
	if err != nil {
		return nil, err
	}
	var invite []id.UserID
	for owner := range b.owners {
		levels[owner] = 100
		invite = append(invite, owner)
	}
	return &mautrix.ReqCreateRoom{
		Preset:          "private_chat",
		Visibility:      "private",
		Name:            k.name,
		Topic:           k.topic,
		Invite:          invite,
		CreationContent: map[string]any{purposeKey: k.purpose, "m.federate": false},
		InitialState: []*event.Event{
			stateEvent(event.StateEncryption, &event.EncryptionEventContent{Algorithm: id.AlgorithmMegolmV1}),
			stateEvent(event.StateHistoryVisibility, &event.HistoryVisibilityEventContent{HistoryVisibility: k.history}),
			stateEvent(event.StateGuestAccess, &event.GuestAccessEventContent{GuestAccess: event.GuestAccessForbidden}),
		},
		PowerLevelOverride: &event.PowerLevelsEventContent{Users: levels, InvitePtr: &k.inviteLevel, Events: stateLevels()},
	}, nil
}

// firstCreators is the first version of rooms in which the creator has all power
// by itself, and must not be named among those who have some.
const firstCreators = 12

// ownLevel is the bot's power in a room that it makes, as far as it has to be
// said: in rooms older than version 12, where Synapse refuses to make one without
// (1.163.2, handlers/room.py), and a homeserver may be set to make those.
func (b *Bot) ownLevel(ctx context.Context) (map[id.UserID]int, error) {
	can, err := b.client.Capabilities(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask which rooms the homeserver makes: %w", err)
	}
	if can.RoomVersions == nil {
		return map[id.UserID]int{}, nil
	}
	// An unstable version has a name that is no number.
	if version, err := strconv.Atoi(can.RoomVersions.Default); err != nil || version >= firstCreators {
		return map[id.UserID]int{}, nil
	}
	return map[id.UserID]int{b.client.UserID: 100}, nil
}

// stateLevels is what it takes to change a room: as homeservers have it by
// default, but that an owner can upgrade it. In rooms of version 12 only the
// creator could, and that is the bot.
func stateLevels() map[string]int {
	return map[string]int{
		event.StateRoomName.Type:          50,
		event.StateRoomAvatar.Type:        50,
		event.StateCanonicalAlias.Type:    50,
		event.StatePowerLevels.Type:       100,
		event.StateHistoryVisibility.Type: 100,
		event.StateEncryption.Type:        100,
		event.StateServerACL.Type:         100,
		event.StateTombstone.Type:         100,
	}
}

func stateEvent(kind event.Type, content any) *event.Event {
	key := ""
	return &event.Event{Type: kind, StateKey: &key, Content: event.Content{Parsed: content}}
}

// join follows an owner's invitation, so that they can verify the bot in a
// room of their own, or bind an agent to it, or go on with an upgraded room.
// It obeys in none but the admin room.
func (b *Bot) join(ctx context.Context, room id.RoomID) {
	if _, err := b.client.JoinRoomByID(ctx, room); err != nil {
		b.Log.WithError(err).Warnf("could not join %s", room)
		return
	}
	state, err := b.client.State(ctx, room)
	if err != nil {
		b.Log.WithError(err).Warnf("could not read the state of %s", room)
		return
	}
	b.goAlong(ctx, room, state)
}

// ownerIn notes that an owner has logged in and come.
func (b *Bot) ownerIn(ctx context.Context, room id.RoomID, owner id.UserID) {
	if b.OwnerJoined != nil && (room == b.places.admin() || b.places.admin() == "") {
		b.OwnerJoined(ctx, owner.String())
	}
}

// welcome greets an owner who has joined the admin room, once: what was said
// before could not be read by a client that had no keys yet. What waits for an
// owner is said after that.
func (b *Bot) welcome(ctx context.Context, owner id.UserID) {
	defer b.ownerIn(ctx, b.places.admin(), owner)
	key := "welcomed:" + owner.String()
	if said, err := b.Store.Setting(ctx, key); err != nil || said != "" {
		return
	}
	if err := b.Store.SetSetting(ctx, key, "yes"); err != nil {
		b.Log.WithError(err).Error("cannot write the record")
		return
	}
	b.Alert(ctx, greeting())
}
