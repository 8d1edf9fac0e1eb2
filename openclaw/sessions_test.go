package openclaw

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"
)

func TestSessionsOfARoom(t *testing.T) {
	for key, want := range map[string]bool{
		"agent:mox:matrix:channel:!abc:host.org":                true,
		"agent:mox:matrix:group:!abc:host.org":                  true,
		"agent:mox:matrix:channel:!ABC:host.org":                true,
		"agent:mox:matrix:channel:!abc:host.org:thread:$event1": true,
		"agent:mox:matrix:channel:!abc:host.org.evil":           false,
		"agent:mox:matrix:channel:!abcd:host.org":               false,
		"agent:mox:main": false,
		"agent:mox:discord:channel:!abc:host.org": false,
	} {
		if got := ofRoom(key, "!abc:host.org"); got != want {
			t.Errorf("%s: %v", key, got)
		}
	}
	none := Sessions{Program: func() (string, error) { return "", exec.ErrNotFound }}
	if _, err := none.InRoom(t.Context(), "mox", "!abc"); !errors.Is(err, ErrNoProgram) {
		t.Errorf("without OpenClaw: %v", err)
	}
}

// The real OpenClaw lists an agent's session in a room and deletes it, and no
// other one.
func TestRealSessionsAreDeleted(t *testing.T) {
	_, path := startGateway(t)
	program, err := exec.LookPath("openclaw")
	must(t, err)
	sessions := Sessions{Program: func() (string, error) { return program, nil }, Config: path}
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	const here, thread, elsewhere = "agent:mox:matrix:channel:!abc:host.org", "agent:mox:matrix:channel:!abc:host.org:thread:$e1", "agent:mox:matrix:channel:!def:host.org"
	for _, key := range []string{here, thread, elsewhere} {
		params, err := json.Marshal(map[string]string{"key": key, "agentId": "mox"})
		must(t, err)
		cmd := exec.CommandContext(ctx, program, "gateway", "call", "sessions.create", "--json", "--timeout", "60000", "--params", string(params))
		cmd.Env = append(os.Environ(), "OPENCLAW_CONFIG_PATH="+path)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("make a session: %v\n%s", err, out)
		}
	}
	keys, err := sessions.InRoom(ctx, "mox", "!abc:host.org")
	must(t, err)
	slices.Sort(keys)
	if !slices.Equal(keys, []string{here, thread}) {
		t.Fatalf("sessions in the room: %v", keys)
	}
	must(t, sessions.Delete(ctx, "mox", keys))
	if left, err := sessions.InRoom(ctx, "mox", "!abc:host.org"); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if other, err := sessions.InRoom(ctx, "mox", "!def:host.org"); err != nil || len(other) != 1 {
		t.Errorf("of another room: %v, %v", other, err)
	}
}
