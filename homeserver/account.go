package homeserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Session is a device that is logged in.
type Session struct {
	UserID   string // e.g. "@alice:example.org"
	DeviceID string
	Token    Secret // access token
}

// Ready waits until the homeserver answers, asking anew every 50 ms. When ctx
// ends first the error is the last failure, wrapped with the context's.
func (c *Client) Ready(ctx context.Context) error {
	for {
		_, err := c.Versions(ctx)
		if err == nil {
			return nil
		}
		if wait(ctx, 50*time.Millisecond) != nil {
			return fmt.Errorf("wait for the homeserver: %w", errors.Join(ctx.Err(), err))
		}
	}
}

// Versions returns the versions of the Matrix specification that the
// homeserver speaks, e.g. "v1.11".
func (c *Client) Versions(ctx context.Context) ([]string, error) {
	var answer struct {
		Versions []string `json:"versions"`
	}
	r := request{action: "ask for the homeserver's versions", method: http.MethodGet, path: "/_matrix/client/versions"}
	err := c.call(ctx, r, &answer)
	return answer.Versions, err
}

// Login opens a session with a password. user is a localpart or a whole user
// id; device is the name that people see in their list of sessions.
//
// Errors: ErrWrongPassword, ErrAccount (deactivated, locked), ErrRateLimited,
// ErrUnreachable.
func (c *Client) Login(ctx context.Context, user string, password Secret, device string) (Session, error) {
	body := map[string]any{
		"type":                        "m.login.password",
		"identifier":                  map[string]string{"type": "m.id.user", "user": user},
		"password":                    password.Reveal(),
		"initial_device_display_name": device,
	}
	var answer session
	err := c.call(ctx, request{action: "log in", method: http.MethodPost, path: "/_matrix/client/v3/login", body: body}, &answer)
	switch {
	case refused(err, "M_FORBIDDEN"):
		return Session{}, ErrWrongPassword{User: user}
	case refused(err, "M_USER_DEACTIVATED"):
		return Session{}, ErrAccount{User: user, State: "deactivated"}
	case refused(err, "M_USER_LOCKED"):
		return Session{}, ErrAccount{User: user, State: "locked"}
	case err != nil:
		return Session{}, err
	}
	return answer.Session(), nil
}

// Logout ends the session that the token belongs to. A token that is refused
// already counts as done.
func (c *Client) Logout(ctx context.Context, token Secret) error {
	r := request{action: "log out", method: http.MethodPost, path: "/_matrix/client/v3/logout", token: token, body: struct{}{}}
	err := c.call(ctx, r, nil)
	if errors.As(err, new(ErrTokenRefused)) {
		return nil
	}
	return err
}

// Whoami tells whose token it is; the Token of the answer is the one given.
// Errors: ErrTokenRefused, ErrAccount (locked).
func (c *Client) Whoami(ctx context.Context, token Secret) (Session, error) {
	var answer session
	r := request{action: "ask whose token it is", method: http.MethodGet, path: "/_matrix/client/v3/account/whoami", token: token}
	err := c.call(ctx, r, &answer)
	if refused(err, "M_USER_LOCKED") {
		return Session{}, ErrAccount{State: "locked"}
	}
	if err != nil {
		return Session{}, err
	}
	answer.Token = token.Reveal()
	return answer.Session(), nil
}

// session is a Session as servers send it.
type session struct {
	UserID   string `json:"user_id"`
	DeviceID string `json:"device_id"`
	Token    string `json:"access_token"`
}

// Session is the value for callers.
func (s session) Session() Session {
	return Session{UserID: s.UserID, DeviceID: s.DeviceID, Token: Secret(s.Token)}
}
