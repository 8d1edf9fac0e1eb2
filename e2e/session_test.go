package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// A bot that was signed out on the server comes back as a new device of the
// same identity, and is heard and trusted as before.
func TestTheBotIsSignedOut(t *testing.T) {
	ctx := patient(t)
	s := newSolo(t, "signedout")
	before, err := s.owner.Identity(ctx, s.BotUserID)
	must(t, err)
	text, err := os.ReadFile(filepath.Join(s.DataDir, "secrets", "bot-session.json"))
	must(t, err)
	var session struct {
		Token  string `json:"access_token"`
		Device string `json:"device_id"`
	}
	must(t, json.Unmarshal(text, &session))
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Homeserver+"/_matrix/client/v3/logout", nil)
	must(t, err)
	request.Header.Set("Authorization", "Bearer "+session.Token)
	response, err := http.DefaultClient.Do(request)
	must(t, err)
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("the bot could not be signed out: HTTP %d", response.StatusCode)
	}

	s.start(t)
	out := say(t, s.admin, "!help forward")
	if !out.OK || len(out.Replies) != 1 {
		t.Fatalf("the bot is not heard any more: %s", out.Body)
	}
	if r := out.Replies[0]; !r.Encrypted || !r.Signed() || string(r.Device) == session.Device {
		t.Errorf("the answer came from device %s (before: %s), encrypted %v, trust %v", r.Device, session.Device, r.Encrypted, r.Trust)
	}
	if after, err := s.owner.Identity(ctx, s.BotUserID); err != nil || after != before {
		t.Errorf("the bot's identity was %s and is %s, %v", before, after, err)
	}
}

// A joining card vanishes, too, when the program was killed in the moment
// after it was sent.
func TestTheCardOfAKilledProgramVanishes(t *testing.T) {
	ctx := patient(t)
	s := newSolo(t, "killedcard")
	s.start(t, "FRAKTALIA_CRASH_AT=card.sent")
	turn, err := s.admin.Say(ctx, "!adduser olga")
	must(t, err)
	s.waitKilled(ctx, t)
	if n := s.count(t, "SELECT count(*) FROM fraktalia_redaction"); n > 1 {
		t.Fatalf("%d redactions were planned before the kill: this test proves nothing", n)
	}
	s.start(t)
	if _, err := turn.Final(ctx); err != nil {
		t.Fatal(err)
	}
	if n := s.count(t, "SELECT count(*) FROM fraktalia_redaction"); n != 2 {
		t.Errorf("%d redactions are planned, want those of the card and its picture", n)
	}
}
