package e2e

import (
	"net/http"
	"strings"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/e2e/client"
)

// The bot goes along with an upgraded room when an owner invites it to the real
// successor, and with nothing else.
func TestRoomUpgradesAreFollowed(t *testing.T) {
	s := newSolo(t, "upgrade")
	s.start(t)
	_, err := s.owner.Enter(within(t), s.ChatRoom, s.BotUserID)
	must(t, err)
	t.Run("a false successor", func(t *testing.T) { falseSuccessor(t, s) })
	t.Run("the chat room", func(t *testing.T) { chatUpgrade(t, s) })
	t.Run("the admin room", func(t *testing.T) { adminUpgrade(t, s) })
}

// upgrade does what clients do: the server makes the new room and the tombstone.
func upgrade(t *testing.T, c *client.Client, room id.RoomID) id.RoomID {
	t.Helper()
	var made struct {
		Replacement id.RoomID `json:"replacement_room"`
	}
	raw := c.Raw()
	_, err := raw.MakeRequest(within(t), http.MethodPost, raw.BuildClientURL("v3", "rooms", room, "upgrade"), map[string]string{"new_version": "11"}, &made)
	must(t, err)
	return made.Replacement
}

func inviteBot(t *testing.T, s *solo, room id.RoomID) {
	t.Helper()
	_, err := s.owner.Raw().InviteUser(within(t), room, &mautrix.ReqInviteUser{UserID: s.BotUserID})
	must(t, err)
}

func alerted(t *testing.T, room *client.Room, text string) {
	t.Helper()
	if _, err := room.WaitBot(within(t), func(e client.Event) bool { return says(e, text) }); err != nil {
		t.Error(err)
	}
}

// falseSuccessor: a room to which the tombstone points but which does not go on
// from the old one is not taken for it; nor is one to which no owner invites.
func falseSuccessor(t *testing.T, s *solo) {
	ctx := within(t)
	made, err := s.owner.Raw().CreateRoom(ctx, &mautrix.ReqCreateRoom{Preset: "private_chat", Name: "Trap"})
	must(t, err)
	_, err = s.owner.Raw().SendStateEvent(ctx, s.ChatRoom, event.StateTombstone, "", &event.TombstoneEventContent{Body: "moved", ReplacementRoom: made.RoomID})
	must(t, err)
	alerted(t, s.admin, "I go along when an owner invites me there")
	inviteBot(t, s, made.RoomID)
	alerted(t, s.admin, "it does not name the old room as the one that it goes on from")
	if out := say(t, s.admin, "!rooms"); !strings.Contains(out.Body, "Friends "+s.ChatRoom.String()+" (chat room)") {
		t.Errorf("moved all the same:\n%s", out.Body)
	}
}

func chatUpgrade(t *testing.T, s *solo) {
	next := upgrade(t, s.owner, s.ChatRoom)
	inviteBot(t, s, next)
	alerted(t, s.admin, "I have gone along with the upgraded chat room")
	alerted(t, s.admin, "The new room gives me no power")
	empower(t, s, next)
	late := befriend(t, s.admin, s, "vera")
	if _, err := late.WaitInvite(within(t), next); err != nil {
		t.Errorf("friends are not invited to the new room: %v", err)
	}
	if _, invited := late.Invites()[s.ChatRoom]; invited {
		t.Error("invited to the old room")
	}
}

// empower makes the bot an administrator of a room.
func empower(t *testing.T, s *solo, room id.RoomID) {
	t.Helper()
	var levels event.PowerLevelsEventContent
	must(t, s.owner.Raw().StateEvent(within(t), room, event.StatePowerLevels, "", &levels))
	levels.Users[s.BotUserID] = 100
	_, err := s.owner.Raw().SendStateEvent(within(t), room, event.StatePowerLevels, "", &levels)
	must(t, err)
}

func adminUpgrade(t *testing.T, s *solo) {
	old := s.admin
	next := upgrade(t, s.owner, s.AdminRoom)
	inviteBot(t, s, next)
	admin, err := s.owner.Enter(within(t), next, s.BotUserID)
	must(t, err)
	alerted(t, admin, "this is the admin room from here on")
	if out := say(t, admin, "!help"); !out.OK {
		t.Error(out.Body)
	}
	turn, err := old.Say(within(t), "!help")
	must(t, err)
	ctx, cancel := shortly(t)
	defer cancel()
	if err := turn.WaitSeen(ctx); err == nil {
		t.Error("the old room is still obeyed")
	}
	must(t, s.Process.Stop(within(t)))
	s.start(t)
	if out := say(t, admin, "!help"); !out.OK {
		t.Errorf("after a restart: %s", out.Body)
	}
	must(t, s.Process.Stop(within(t)))

	// Killed between the joining and the writing down, it goes along all the same.
	for i, at := range []string{"upgrade.joined", "upgrade.written"} {
		s.start(t, "FRAKTALIA_CRASH_AT="+at)
		next = upgrade(t, s.owner, next)
		inviteBot(t, s, next)
		s.waitKilled(within(t), t)
		s.start(t)
		admin, err = s.owner.Enter(within(t), next, s.BotUserID)
		must(t, err)
		if out := say(t, admin, "!help"); !out.OK {
			t.Errorf("case %d, %s: %s", i, at, out.Body)
		}
		must(t, s.Process.Stop(within(t)))
	}
}
