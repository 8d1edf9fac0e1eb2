package homeserver

import (
	"context"
	"net/http"
	"strings"
	"time"
)

var _ Driver = (*Dendrite)(nil)

// Dendrite is the driver of Dendrite, over its admin interface
// (docs/administration/4_adminapi.md in its source): a small one.
type Dendrite struct {
	*Client
	lacking
	shared, token Secret
}

// NewDendrite makes the driver. shared is client_api.registration_shared_secret
// of dendrite.yaml, token an administrator's access token.
func NewDendrite(client *Client, shared, token Secret) *Dendrite {
	return &Dendrite{Client: client, shared: shared, token: token, lacking: lacking{kind: KindDendrite, why: map[Ability]string{
		CanLogout:        "but with a new password for the account, which ends all of its sessions",
		CanTokens:        "because it does not let anybody register with one",
		CanDeactivate:    "because only its owner can close an account there",
		CanPurgeHistory:  "but for deleting the room as a whole",
		CanListUsers:     "",
		CanResetPassword: "",
	}}}
}

// Can lists what its interface has.
func (d *Dendrite) Can() []Ability {
	return []Ability{CanRegister, CanResetPassword, CanDeleteRoom}
}

// Prove asks for the registration tokens, which only an administrator may see.
func (d *Dendrite) Prove(ctx context.Context) error {
	return d.admin(ctx, request{action: "prove to be an administrator", method: http.MethodGet, path: "/_dendrite/admin/registrationTokens"}, nil)
}

// admin is call with the administrator's token.
func (d *Dendrite) admin(ctx context.Context, r request, out any) error {
	r.token = d.token
	err := d.call(ctx, r, out)
	if refused(err, "M_FORBIDDEN") {
		return ErrNotAdmin{Address: d.address}
	}
	return err
}

// Register makes an account by the shared secret. Dendrite logs a device in
// with it, whatever is asked, which is logged out again: it belongs to nobody.
func (d *Dendrite) Register(ctx context.Context, account Account) (string, error) {
	if err := ValidLocalpart(account.Localpart, ""); err != nil {
		return "", err
	}
	if d.shared == "" {
		return "", ErrNoSharedSecret{Address: d.address}
	}
	made, err := d.sharedRegister(ctx, d.shared, account)
	if err != nil {
		return "", err
	}
	if made.Token != "" {
		// That the device stays is no reason to lose the account: whoever asked
		// has its password nowhere but here.
		_ = d.Logout(context.WithoutCancel(ctx), Secret(made.Token))
	}
	return made.UserID, nil
}

// User looks an account up by its profile, which is all that Dendrite shows.
func (d *Dendrite) User(ctx context.Context, userID string) (User, error) {
	return d.profile(ctx, d.token, userID)
}

// profile looks an account up as everybody can.
func (c *Client) profile(ctx context.Context, token Secret, userID string) (User, error) {
	var answer struct {
		DisplayName string `json:"displayname"`
	}
	r := request{action: "look up account", method: http.MethodGet, path: pathf("/_matrix/client/v3/profile/%s", userID), token: token}
	err := c.call(ctx, r, &answer)
	if status(err) == http.StatusNotFound { // with codes of all kinds
		return User{}, ErrNotFound{Action: r.action, Name: userID}
	}
	return User{ID: userID, DisplayName: answer.DisplayName}, err
}

// ResetPassword sets a password and ends all sessions.
func (d *Dendrite) ResetPassword(ctx context.Context, userID string, password Secret) error {
	r := request{
		action: "reset password",
		method: http.MethodPost,
		path:   pathf("/_dendrite/admin/resetPassword/%s", userID),
		body:   map[string]any{"password": password.Reveal(), "logout_devices": true},
	}
	err := d.admin(ctx, r, nil)
	if status(err) == http.StatusNotFound {
		return ErrNotFound{Action: r.action, Name: userID}
	}
	return err
}

// Devices lists the sessions of an account (whois of the Client-Server API).
func (d *Dendrite) Devices(ctx context.Context, userID string) ([]Device, error) {
	if _, err := d.User(ctx, userID); err != nil {
		return nil, err
	}
	var answer struct {
		Devices map[string]struct {
			Sessions []struct {
				Connections []struct {
					IP       string `json:"ip"`
					LastSeen int64  `json:"last_seen"`
				}
			}
		}
	}
	r := request{action: "list devices", method: http.MethodGet, path: pathf("/_matrix/client/v3/admin/whois/%s", userID)}
	if err := d.admin(ctx, r, &answer); err != nil {
		return nil, err
	}
	devices := make([]Device, 0, len(answer.Devices))
	for id, of := range answer.Devices {
		device := Device{ID: id}
		for _, session := range of.Sessions {
			for _, c := range session.Connections {
				if seen := time.UnixMilli(c.LastSeen); c.LastSeen > 0 && seen.After(device.LastSeen) {
					device.LastSeen, device.LastIP = seen, c.IP
				}
			}
		}
		devices = append(devices, device)
	}
	return devices, nil
}

// DeleteRoom removes everybody from a room, then the room itself. Room ids of
// version 12 have no server's name, and Dendrite refuses to purge those.
func (d *Dendrite) DeleteRoom(ctx context.Context, roomID string) error {
	evacuate := request{action: "remove everybody from room", method: http.MethodPost, path: pathf("/_dendrite/admin/evacuateRoom/%s", roomID)}
	err := d.admin(ctx, evacuate, nil)
	if refused(err, "M_NOT_FOUND") {
		return ErrNotFound{Action: "delete room", Name: roomID}
	}
	if err != nil || !strings.Contains(roomID, ":") {
		return err
	}
	return d.admin(ctx, request{action: "delete room", method: http.MethodPost, path: pathf("/_dendrite/admin/purgeRoom/%s", roomID)}, nil)
}
