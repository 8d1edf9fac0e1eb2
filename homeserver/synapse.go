package homeserver

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" // Synapse's registration MAC is HMAC-SHA1 by definition
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"
)

// Synapse is the driver of Element's Synapse, over its admin interface
// (https://element-hq.github.io/synapse/latest/usage/administration/admin_api/).
type Synapse struct {
	*Client
	shared Secret
	token  Secret
}

// NewSynapse makes the driver. shared is registration_shared_secret of
// homeserver.yaml and serves Register alone; token is the access token of an
// administrator and serves everything else. Either may be "" where it is not
// needed.
func NewSynapse(client *Client, shared, token Secret) *Synapse {
	return &Synapse{Client: client, shared: shared, token: token}
}

// Account is an account to be made.
type Account struct {
	Localpart   string
	Password    Secret
	DisplayName string // "" leaves the localpart
	Admin       bool   // administrator of the homeserver
}

// Register makes an account and returns its user id. By the shared secret it
// can never touch an account that exists: the server refuses the name in one
// transaction. Without the secret an administrator looks first. No device is
// logged in.
//
// Errors: ErrInvalidName, ErrUserExists, ErrWrongSecret, ErrNoSharedSecret,
// ErrRateLimited, ErrUnreachable.
func (s *Synapse) Register(ctx context.Context, account Account) (string, error) {
	if err := ValidLocalpart(account.Localpart, ""); err != nil {
		return "", err
	}
	switch {
	case s.shared != "":
		return s.registerByShared(ctx, account)
	case s.token != "":
		return s.registerByToken(ctx, account)
	}
	return "", ErrNoSharedSecret{Address: s.address}
}

// registerByToken makes an account as an administrator. That call would set the
// password of one that exists, so it is looked up first.
func (s *Synapse) registerByToken(ctx context.Context, account Account) (string, error) {
	me, err := s.Whoami(ctx, s.token)
	if err != nil {
		return "", err
	}
	_, server, _ := strings.Cut(me.UserID, ":")
	id := "@" + account.Localpart + ":" + server
	if there, err := s.Exists(ctx, id); err != nil || there {
		return "", errors.Join(err, existing(there, account))
	}
	body := map[string]any{"password": account.Password.Reveal(), "admin": account.Admin}
	if account.DisplayName != "" {
		body["displayname"] = account.DisplayName
	}
	err = s.admin(ctx, request{action: "register account", method: http.MethodPut, path: pathf("/_synapse/admin/v2/users/%s", id), body: body}, nil)
	return id, s.registrationFailure(account, err)
}

func existing(there bool, account Account) error {
	if !there {
		return nil
	}
	return ErrUserExists{Localpart: account.Localpart}
}

func (s *Synapse) registerByShared(ctx context.Context, account Account) (string, error) {
	made, err := s.sharedRegister(ctx, s.shared, account)
	return made.UserID, err
}

// sharedRegister makes an account by the shared secret, as several kinds of
// server can.
func (c *Client) sharedRegister(ctx context.Context, shared Secret, account Account) (made session, err error) {
	const path = "/_synapse/admin/v1/register"
	var nonce struct{ Nonce string }
	if err := c.call(ctx, request{action: "begin to register", method: http.MethodGet, path: path}, &nonce); err != nil {
		return made, c.registrationFailure(account, err)
	}
	body := map[string]any{
		"nonce":         nonce.Nonce,
		"username":      account.Localpart,
		"password":      account.Password.Reveal(),
		"admin":         account.Admin,
		"mac":           registrationMAC(shared, nonce.Nonce, account),
		"inhibit_login": true,
	}
	if account.DisplayName != "" {
		body["displayname"] = account.DisplayName
	}
	err = c.call(ctx, request{action: "register account", method: http.MethodPost, path: path, body: body}, &made)
	return made, c.registrationFailure(account, err)
}

// registrationMAC proves that we know the shared secret; see Synapse's
// documentation, "Shared-Secret Registration".
func registrationMAC(shared Secret, nonce string, account Account) string {
	role := "notadmin"
	if account.Admin {
		role = "admin"
	}
	mac := hmac.New(sha1.New, []byte(shared.Reveal()))
	mac.Write([]byte(strings.Join([]string{nonce, account.Localpart, account.Password.Reveal(), role}, "\x00")))
	return hex.EncodeToString(mac.Sum(nil))
}

// registrationFailure gives the server's refusals their types. A server
// without the secret answers 400 M_UNKNOWN in words only, or does not know the
// address.
func (c *Client) registrationFailure(account Account, err error) error {
	var response ErrResponse
	if !errors.As(err, &response) {
		return err
	}
	switch {
	case response.Code == "M_USER_IN_USE":
		return ErrUserExists{Localpart: account.Localpart}
	case response.Code == "M_INVALID_USERNAME" || response.Code == "M_EXCLUSIVE":
		return ErrInvalidName{Name: account.Localpart, Reason: ReasonRefused}
	case response.Status == http.StatusNotFound:
		return ErrNoSharedSecret{Address: c.address}
	case response.Status == http.StatusForbidden:
		return ErrWrongSecret{Address: c.address}
	case strings.Contains(response.Message, "is not enabled"):
		return ErrNoSharedSecret{Address: c.address}
	}
	return err
}

// admin is call with the administrator's token. A 403 means that the token's
// account is no administrator.
func (s *Synapse) admin(ctx context.Context, r request, out any) error {
	r.token = s.token
	err := s.call(ctx, r, out)
	if refused(err, "M_FORBIDDEN") {
		return ErrNotAdmin{Address: s.address}
	}
	return err
}

// user is admin for a call about one user, whose absence is an ErrNotFound.
func (s *Synapse) user(ctx context.Context, userID string, r request, out any) error {
	err := s.admin(ctx, r, out)
	if refused(err, "M_NOT_FOUND") {
		return ErrNotFound{Action: r.action, Name: userID}
	}
	return err
}

// Unlimit frees an account from the server's limits on messages. For our own
// bot: it answers many commands in a row, and limits itself.
func (s *Synapse) Unlimit(ctx context.Context, userID string) error {
	return s.user(ctx, userID, request{
		action: "lift rate limit",
		method: http.MethodPost,
		path:   pathf("/_synapse/admin/v1/users/%s/override_ratelimit", userID),
		body:   map[string]int{"messages_per_second": 0, "burst_count": 0},
	}, nil)
}

// Device is a session of an account.
type Device struct {
	ID       string
	Name     string    // as people see it; may be empty
	LastSeen time.Time // zero when it was never used
	LastIP   string
}

// Devices lists the sessions of an account; none means that its owner is not
// logged in. Errors: ErrNotFound when there is no such account.
func (s *Synapse) Devices(ctx context.Context, userID string) ([]Device, error) {
	var answer struct {
		Devices []struct {
			ID       string `json:"device_id"`
			Name     string `json:"display_name"`
			LastSeen int64  `json:"last_seen_ts"`
			LastIP   string `json:"last_seen_ip"`
		} `json:"devices"`
	}
	path := pathf("/_synapse/admin/v2/users/%s/devices", userID)
	if err := s.user(ctx, userID, request{action: "list devices", method: http.MethodGet, path: path}, &answer); err != nil {
		return nil, err
	}
	devices := make([]Device, 0, len(answer.Devices))
	for _, d := range answer.Devices {
		device := Device{ID: d.ID, Name: d.Name, LastIP: d.LastIP}
		if d.LastSeen > 0 {
			device.LastSeen = time.UnixMilli(d.LastSeen)
		}
		devices = append(devices, device)
	}
	return devices, nil
}

// Exists says whether there is, or once was, an account of that id.
func (s *Synapse) Exists(ctx context.Context, userID string) (bool, error) {
	path := pathf("/_synapse/admin/v2/users/%s", userID)
	err := s.user(ctx, userID, request{action: "look up account", method: http.MethodGet, path: path}, nil)
	if errors.As(err, new(ErrNotFound)) {
		return false, nil
	}
	return err == nil, err
}
