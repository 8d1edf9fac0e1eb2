package openclaw

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Sessions asks OpenClaw's own program for agents' sessions: the admin interface of the gateway has no calls for them.
// Listing works with the gateway down, deleting needs it.
type Sessions struct {
	// Program finds the openclaw program.
	Program func() (string, error)
	// Config is the configuration that it is to use.
	Config string
}

// ErrNoProgram says that there is no openclaw program to ask.
var ErrNoProgram = errors.New("there is no openclaw program on the PATH")

// SessionsError says that the program did not do it.
type SessionsError struct {
	Said string // its own words
	Err  error
}

func (e *SessionsError) Error() string {
	return fmt.Sprintf("openclaw sessions: %v: %s", e.Err, e.Said)
}
func (e *SessionsError) Unwrap() error { return e.Err }

// InRoom lists the keys of an agent's sessions in a Matrix room, those of its threads too. Errors: ErrNoProgram,
// *SessionsError.
func (s Sessions) InRoom(ctx context.Context, agent, room string) ([]string, error) {
	out, err := s.run(ctx, "sessions", "list", "--agent", agent, "--limit", "all", "--json")
	if err != nil {
		return nil, err
	}
	var answer struct {
		Sessions []struct{ Key string }
	}
	if err := json.Unmarshal(jsonIn(out), &answer); err != nil {
		return nil, &SessionsError{Said: shortened(out), Err: err}
	}
	var keys []string
	for _, session := range answer.Sessions {
		if ofRoom(session.Key, room) {
			keys = append(keys, session.Key)
		}
	}
	return keys, nil
}

// ofRoom says whether a key such as agent:mox:matrix:channel:!room or agent:mox:matrix:channel:!room:thread:$event is of
// a room. OpenClaw writes keys in small letters; that two rooms differ in nothing else does not happen.
func ofRoom(key, room string) bool {
	key, room = strings.ToLower(key), strings.ToLower(room)
	_, place, ok := strings.Cut(key, ":matrix:")
	if !ok {
		return false
	}
	_, place, ok = strings.Cut(place, ":") // channel, group or direct
	return ok && (place == room || strings.HasPrefix(place, room+":thread:"))
}

// Delete deletes sessions. OpenClaw archives what was said in them. Errors: ErrNoProgram, *SessionsError.
func (s Sessions) Delete(ctx context.Context, agent string, keys []string) error {
	args := append([]string{"sessions", "delete", "--agent", agent, "--yes", "--json"}, keys...)
	_, err := s.run(ctx, args...)
	return err
}

func (s Sessions) run(ctx context.Context, args ...string) ([]byte, error) {
	program, err := s.Program()
	if err != nil {
		return nil, errors.Join(ErrNoProgram, err)
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), "OPENCLAW_CONFIG_PATH="+s.Config, "NO_COLOR=1")
	if os.Getenv("OPENCLAW_STATE_DIR") == "" {
		cmd.Env = append(cmd.Env, "OPENCLAW_STATE_DIR="+filepath.Dir(s.Config))
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, &SessionsError{Said: shortened(append(said.Bytes(), out...)), Err: err}
	}
	return out, nil
}

// jsonIn is the object in what a program printed: a line for people may stand before it.
func jsonIn(out []byte) []byte {
	if at := bytes.IndexByte(out, '{'); at > 0 {
		return out[at:]
	}
	return out
}

func shortened(text []byte) string {
	const most = 600
	text = bytes.TrimSpace(text)
	return string(text[max(0, len(text)-most):])
}
