package e2e

import (
	"encoding/json"
	"slices"
	"testing"
)

// The bot's words are never on the homeserver in plain text: looked up in the
// homeserver's own database, for every room. This file's name puts the test
// behind the others, so that it sees what they made the bot say.
func TestTheBotSaysNothingInPlainText(t *testing.T) {
	say(t, shared.admin, "!status")
	say(t, shared.admin, "!help")
	events, err := shared.StoredEvents(within(t), string(shared.BotUserID))
	must(t, err)
	open := []string{"m.reaction", "m.room.redaction"} // never encrypted in Matrix; they hold an emoji and ids
	counts := map[string]int{}
	for _, e := range events {
		counts[e.Type]++
		if !e.State && e.Type != "m.room.encrypted" && !slices.Contains(open, e.Type) {
			t.Errorf("%s in %s is plain: %.300s", e.Type, e.Room, e.JSON)
		}
		if e.Type == "m.room.encrypted" && !onlyCiphertext(t, e.JSON) {
			t.Errorf("an encrypted event says more than it must: %s", e.JSON)
		}
	}
	if counts["m.room.encrypted"] < 3 {
		t.Errorf("the bot's events are not in the database that was looked into: %v", counts)
	}
}

func onlyCiphertext(t *testing.T, text string) bool {
	t.Helper()
	var e struct{ Content map[string]any }
	must(t, json.Unmarshal([]byte(text), &e))
	for key := range e.Content {
		switch key {
		case "algorithm", "ciphertext", "device_id", "sender_key", "session_id", "m.relates_to", "m.mentions":
		default:
			return false
		}
	}
	return true
}
