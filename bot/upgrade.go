package bot

import (
	"context"
	"errors"
	"fmt"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/crashpoint"
)

// An upgrade makes a new room and leaves a tombstone in the old one. Whoever
// may do that in the old room chooses the new one, and may be anybody's dupe:
// the bot goes along only when an owner invites it there, the old room names
// that very room, and the new one names the old. Then it moves for good; the
// old room is not obeyed any more.

// successorKey names the setting that says by which room another was replaced.
func successorKey(room id.RoomID) string { return "successor:" + room.String() }

// onTombstone tells of an upgrade that waits for an owner's invitation.
func (b *Bot) onTombstone(_ context.Context, evt *event.Event) {
	if evt.StateKey == nil || *evt.StateKey != "" {
		return
	}
	for _, k := range []kind{adminKind, chatKind} {
		if evt.RoomID == b.placeOf(k) {
			b.work.after(func(ctx context.Context) {
				next, err := b.tombstone(ctx, evt.RoomID)
				if err == nil && !b.isIn(ctx, next) {
					b.Alert(ctx, upgradeNotice(k, next))
				}
			})
		}
	}
}

func (b *Bot) placeOf(k kind) id.RoomID {
	if k.purpose == adminKind.purpose {
		return b.places.admin()
	}
	return b.places.chat()
}

// tombstone is the room that an old one names as its successor; "" where it
// names none.
func (b *Bot) tombstone(ctx context.Context, room id.RoomID) (id.RoomID, error) {
	var content event.TombstoneEventContent
	err := b.client.StateEvent(ctx, room, event.StateTombstone, "", &content)
	if errors.Is(err, mautrix.MNotFound) {
		return "", nil
	}
	return content.ReplacementRoom, err
}

func (b *Bot) isIn(ctx context.Context, room id.RoomID) bool {
	var member event.MemberEventContent
	err := b.client.StateEvent(ctx, room, event.StateMember, b.client.UserID.String(), &member)
	return err == nil && member.Membership == event.MembershipJoin
}

// goAlong makes a room that an owner has invited the bot to the successor of
// one of its own, if it is that. The invitation has been followed already.
func (b *Bot) goAlong(ctx context.Context, room id.RoomID, state mautrix.RoomStateMap) {
	for _, k := range []kind{adminKind, chatKind} {
		old := b.placeOf(k)
		next, err := b.tombstone(ctx, old)
		if err != nil {
			b.Log.WithError(err).Warnf("could not see whether %s has been upgraded", old)
			continue
		}
		if next != room || next == old {
			continue
		}
		if err := b.moveTo(ctx, k, old, room, state); err != nil {
			b.Log.WithError(err).Warnf("did not go along from %s to %s", old, room)
			b.Alert(ctx, notMovedNotice(k, room, err))
		}
	}
}

// Why a successor is not moved to.
var (
	errNotHeir  = errors.New("it does not name the old room as the one that it goes on from")
	errOpenRoom = errors.New("anybody may join it")
)

// checkHeir holds a successor against what the old room was: a server or a
// person in between may have promised another room.
func checkHeir(k kind, old id.RoomID, state mautrix.RoomStateMap) error {
	created := state[event.StateCreate][""]
	if created == nil || created.Content.AsCreate().Predecessor == nil || created.Content.AsCreate().Predecessor.RoomID != old {
		return errNotHeir
	}
	if len(state[event.StateEncryption]) == 0 {
		return errPlain
	}
	rules := state[event.StateJoinRules][""]
	if k.purpose == adminKind.purpose && (rules == nil || rules.Content.AsJoinRules().JoinRule != event.JoinRuleInvite) {
		return errOpenRoom
	}
	return nil
}

// moveTo makes room the place that old was.
func (b *Bot) moveTo(ctx context.Context, k kind, old, room id.RoomID, state mautrix.RoomStateMap) error {
	if err := checkHeir(k, old, state); err != nil {
		return err
	}
	crashpoint.At("upgrade.joined")
	joined := time.Now()
	err := b.Store.InTransaction(ctx, func(ctx context.Context) error {
		return errors.Join(
			b.Store.SetSetting(ctx, successorKey(old), room.String()),
			b.Store.SetSetting(ctx, k.purpose, room.String()),
			b.Store.SetSetting(ctx, joinedKey(k), joined.Format(time.RFC3339)))
	})
	if err != nil {
		return fmt.Errorf("write down that %s goes on as %s: %w", old, room, err)
	}
	crashpoint.At("upgrade.written")
	// The crypto library keeps who is in a room; what it holds of the old one
	// serves nobody.
	if err := b.crypto.Machine().CryptoStore.RemoveOutboundGroupSession(ctx, room); err != nil {
		return err
	}
	if k.purpose == adminKind.purpose {
		b.places.set(room, b.places.chat(), joined)
	} else {
		b.places.set(b.places.admin(), room, b.places.since())
	}
	for owner := range b.owners {
		if err := b.inviteMissing(ctx, room, owner, state); err != nil {
			b.Log.WithError(err).Warnf("could not invite %s to %s", owner, room)
		}
	}
	b.Alert(ctx, movedNotice(k, b.powerful(state)))
	b.tellStrangers(ctx, k, state)
	return nil
}

// powerful says whether the bot may invite people to a room. Whoever upgrades a
// room has made the new one, and the bot, which made the old, is nobody there.
func (b *Bot) powerful(state mautrix.RoomStateMap) bool {
	levels := state[event.StatePowerLevels][""]
	if levels == nil {
		return false
	}
	power := levels.Content.AsPowerLevels()
	power.CreateEvent = state[event.StateCreate][""]
	return power.GetUserLevel(b.client.UserID) >= power.Invite()
}

// tellStrangers warns of those in a new admin room who are no owners.
func (b *Bot) tellStrangers(ctx context.Context, k kind, state mautrix.RoomStateMap) {
	if k.purpose != adminKind.purpose {
		return
	}
	for who, member := range state[event.StateMember] {
		if id.UserID(who) != b.client.UserID && !b.isOwner(id.UserID(who)) && member.Content.AsMember().Membership == event.MembershipJoin {
			b.Alert(ctx, strangerNotice(id.UserID(who)))
		}
	}
}

// successorOf follows what is known of a room's upgrades, and the one in whose
// middle the program was stopped: the bot joins rooms on an owner's invitation
// alone, so one that it is in was such.
func (b *Bot) successorOf(ctx context.Context, k kind, room id.RoomID) (id.RoomID, error) {
	for range 100 { // no server makes that many; a circle must end
		saved, err := b.Store.Setting(ctx, successorKey(room))
		if err != nil {
			return "", err
		}
		next := id.RoomID(saved)
		if next == "" {
			if next, err = b.joinedHeir(ctx, k, room); err != nil || next == "" {
				return room, err
			}
		}
		room = next
	}
	return room, nil
}

// joinedHeir is a successor that the bot has joined but not written down.
func (b *Bot) joinedHeir(ctx context.Context, k kind, room id.RoomID) (id.RoomID, error) {
	next, err := b.tombstone(ctx, room)
	if err != nil && unreachable(err) {
		return "", err
	}
	if err != nil || next == "" || !b.isIn(ctx, next) {
		return "", nil
	}
	state, err := b.client.State(ctx, next)
	if err != nil {
		return "", err
	}
	if err := checkHeir(k, room, state); err != nil {
		b.Log.WithError(err).Warnf("did not go along from %s to %s", room, next)
		return "", nil
	}
	if err := b.Store.SetSetting(ctx, joinedKey(k), time.Now().Format(time.RFC3339)); err != nil {
		return "", err
	}
	return next, b.Store.SetSetting(ctx, successorKey(room), next.String())
}
