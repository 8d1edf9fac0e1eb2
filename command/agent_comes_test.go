package command

import (
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/openclaw"
)

// A room's agent is waited for where OpenClaw joins by itself and runs; that it
// does not come is told, and its invitation stands.
func TestRoomsAgentIsWaitedFor(t *testing.T) {
	for fails, want := range map[string]string{
		"":        "mox is in Film club, as @agent:test.",
		"never":   "⚠️ mox is invited to Film club as @agent:test, but has not come within 3s. The invitation stands",
		"down":    "mox is invited to Film club as @agent:test.",
		"arrival": "The agent's account @agent:test could not be invited: the log says why. Nothing was made.",
	} {
		n := newNursery(t, fails)
		before := n.text(t)
		if fails == "down" {
			n.claw.outcome = openclaw.Outcome{Verdict: openclaw.Unknown, Err: &openclaw.GatewayDownError{}}
		}
		text, err := n.do(t, `createroom "Film club" --agent mox`)
		if fails == "arrival" {
			if err == nil || err.Error() != want || n.text(t) != before || len(n.rooms.made) != 1 {
				t.Errorf("%s: %v %v\n%s", fails, err, n.rooms.made, n.text(t))
			}
			continue
		}
		if err != nil || !strings.Contains(text, want) || n.town.in["!new:test@agent:test"] != Invited {
			t.Errorf("%s: %v\n%s", fails, err, text)
		}
	}
}
