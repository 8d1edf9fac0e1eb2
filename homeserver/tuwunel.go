package homeserver

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

var _ Driver = (*Tuwunel)(nil)

// Tuwunel is the driver of Tuwunel. It serves most of Synapse's admin
// interface (docs/development/compliance/synapse-admin.md in its source), with
// differences of its own, for which see the calls below.
type Tuwunel struct {
	*Synapse
	room AdminRoom // may be nil
}

// NewTuwunel makes the driver. shared is registration_shared_secret of its
// configuration, token an administrator's, room its admin room (nil: nobody
// speaks there, and closed accounts stay in their rooms).
func NewTuwunel(client *Client, shared, token Secret, room AdminRoom) *Tuwunel {
	return &Tuwunel{Synapse: NewSynapse(client, shared, token), room: room}
}

// Kind is KindTuwunel.
func (t *Tuwunel) Kind() Kind { return KindTuwunel }

// Register makes an account. Without the shared secret an administrator does:
// the call with "admin": false would answer 500 and have made the account, so
// that is left out; and names that are none are not refused, so they are
// checked here.
func (t *Tuwunel) Register(ctx context.Context, account Account) (string, error) {
	if t.shared != "" || t.token == "" {
		return t.Synapse.Register(ctx, account)
	}
	if err := ValidLocalpart(account.Localpart, ""); err != nil {
		return "", err
	}
	me, err := t.Whoami(ctx, t.token)
	if err != nil {
		return "", err
	}
	_, server := localpart(me.UserID)
	id := "@" + account.Localpart + ":" + server
	if there, err := t.Exists(ctx, id); err != nil || there {
		return "", errors.Join(err, existing(there, account))
	}
	body := map[string]any{"password": account.Password.Reveal()} // without one the account is born deactivated
	if account.Admin {
		body["admin"] = true
	}
	if account.DisplayName != "" {
		body["displayname"] = account.DisplayName
	}
	err = t.admin(ctx, request{action: "register account", method: http.MethodPut, path: pathf("/_synapse/admin/v2/users/%s", id), body: body}, nil)
	return id, t.registrationFailure(account, err)
}

// SetLocked shuts or opens an account by the Client-Server API (MSC4323).
func (t *Tuwunel) SetLocked(ctx context.Context, userID string, locked bool) error {
	return t.setState(ctx, t.token, userID, "lock", map[string]bool{"locked": locked})
}

// SetSuspended lets an account read but not write, by the same.
func (t *Tuwunel) SetSuspended(ctx context.Context, userID string, suspended bool) error {
	return t.setState(ctx, t.token, userID, "suspend", map[string]bool{"suspended": suspended})
}

// setState is one of the two calls of the Client-Server API for administrators.
// Both refuse to touch another administrator.
func (c *Client) setState(ctx context.Context, token Secret, userID, verb string, body any) error {
	r := request{action: verb + " account", method: http.MethodPut, path: pathf("/_matrix/client/v1/admin/%s/%s", verb, userID), token: token, body: body}
	err := c.call(ctx, r, nil)
	var response ErrResponse
	if !errors.As(err, &response) {
		return err
	}
	switch {
	case response.Code == "M_NOT_FOUND":
		return ErrNotFound{Action: r.action, Name: userID}
	case response.Code == "M_FORBIDDEN" && !strings.Contains(response.Message, "another"):
		return ErrNotAdmin{Address: c.address}
	}
	return err
}

// Deactivate closes an account for ever. The call leaves it in its rooms; the
// admin room's command takes it out of them, but reports success for accounts
// that it does not know, so the account is looked up first.
func (t *Tuwunel) Deactivate(ctx context.Context, userID string, erase bool) error {
	if _, err := t.User(ctx, userID); err != nil {
		return err
	}
	if t.room != nil {
		if _, err := say(ctx, t.room, "deactivate account", "users", "deactivate", userID); err != nil {
			return err
		}
		if !erase {
			return nil
		}
	}
	return t.Synapse.Deactivate(ctx, userID, erase)
}

// Unlimit has nothing to lift: Tuwunel sets no limits by account.
func (t *Tuwunel) Unlimit(context.Context, string) error { return nil }
