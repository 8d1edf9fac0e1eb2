package homeserver

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

var _ Driver = (*Synapse)(nil)

// Kind is KindSynapse.
func (s *Synapse) Kind() Kind { return KindSynapse }

// Can lists everything: Synapse's interface is the widest.
func (s *Synapse) Can() []Ability { return Abilities() }

// Prove asks for the list of rooms, of which one is enough.
func (s *Synapse) Prove(ctx context.Context) error {
	return s.admin(ctx, request{action: "prove to be an administrator", method: http.MethodGet, path: "/_synapse/admin/v1/rooms?limit=1"}, nil)
}

// synapseUser is a User as Synapse sends it: as "name" in lists and alone.
type synapseUser struct {
	Name        string  `json:"name"`
	DisplayName *string `json:"displayname"`
	Admin       bool    `json:"admin"`
	Locked      bool    `json:"locked"`
	Suspended   bool    `json:"suspended"`
	Deactivated bool    `json:"deactivated"`
	Created     int64   `json:"creation_ts"`
	LastSeen    *int64  `json:"last_seen_ts"`
}

func (u synapseUser) user() User {
	user := User{ID: u.Name, Admin: u.Admin, Locked: u.Locked, Suspended: u.Suspended, Deactivated: u.Deactivated, Created: moment(u.Created)}
	if u.DisplayName != nil {
		user.DisplayName = *u.DisplayName
	}
	if u.LastSeen != nil {
		user.LastSeen = moment(*u.LastSeen)
	}
	return user
}

// moment reads a time. The documentation promises milliseconds, but of one
// account Synapse sends seconds, and of a list milliseconds.
func moment(number int64) time.Time {
	const secondsEndAt = 1e11 // in milliseconds this is in 1973, in seconds in 5138
	switch {
	case number == 0:
		return time.Time{}
	case number < secondsEndAt:
		return time.Unix(number, 0)
	}
	return time.UnixMilli(number)
}

// Users lists all accounts but deactivated ones, in pages of 500.
func (s *Synapse) Users(ctx context.Context) ([]User, error) {
	var users []User
	for from := "0"; from != ""; {
		var page struct {
			Users []synapseUser `json:"users"`
			Next  string        `json:"next_token"`
		}
		path := "/_synapse/admin/v2/users?guests=false&locked=true&limit=500&from=" + url.QueryEscape(from)
		if err := s.admin(ctx, request{action: "list accounts", method: http.MethodGet, path: path}, &page); err != nil {
			return nil, err
		}
		for _, u := range page.Users {
			users = append(users, u.user())
		}
		from = page.Next
	}
	return users, nil
}

// Rename gives an account another name to be shown; "" takes it away.
func (s *Synapse) Rename(ctx context.Context, userID, shown string) error {
	return s.admin(ctx, request{action: "rename " + userID, method: http.MethodPut, path: "/_synapse/admin/v2/users/" + url.PathEscape(userID),
		body: map[string]string{"displayname": shown}}, nil)
}

// User looks one account up, deactivated or not.
func (s *Synapse) User(ctx context.Context, userID string) (User, error) {
	var answer synapseUser
	path := pathf("/_synapse/admin/v2/users/%s", userID)
	err := s.user(ctx, userID, request{action: "look up account", method: http.MethodGet, path: path}, &answer)
	return answer.user(), err
}

// ResetPassword sets a password and ends all sessions.
func (s *Synapse) ResetPassword(ctx context.Context, userID string, password Secret) error {
	return s.user(ctx, userID, request{
		action: "reset password",
		method: http.MethodPost,
		path:   pathf("/_synapse/admin/v1/reset_password/%s", userID),
		body:   map[string]any{"new_password": password.Reveal(), "logout_devices": true},
	}, nil)
}

// SetLocked shuts or opens an account. The call that does it would make an
// account that does not exist, so it is looked up first.
func (s *Synapse) SetLocked(ctx context.Context, userID string, locked bool) error {
	if _, err := s.User(ctx, userID); err != nil {
		return err
	}
	return s.user(ctx, userID, request{
		action: "lock account",
		method: http.MethodPut,
		path:   pathf("/_synapse/admin/v2/users/%s", userID),
		body:   map[string]bool{"locked": locked},
	}, nil)
}

// SetSuspended lets an account read but not write, or write again.
func (s *Synapse) SetSuspended(ctx context.Context, userID string, suspended bool) error {
	return s.user(ctx, userID, request{
		action: "suspend account",
		method: http.MethodPut,
		path:   pathf("/_synapse/admin/v1/suspend/%s", userID),
		body:   map[string]bool{"suspend": suspended},
	}, nil)
}

// Deactivate closes an account for ever.
func (s *Synapse) Deactivate(ctx context.Context, userID string, erase bool) error {
	return s.user(ctx, userID, request{
		action: "deactivate account",
		method: http.MethodPost,
		path:   pathf("/_synapse/admin/v1/deactivate/%s", userID),
		body:   map[string]bool{"erase": erase},
	}, nil)
}

// LogoutUser ends all sessions of an account and says how many there were.
func (s *Synapse) LogoutUser(ctx context.Context, userID string) (int, error) {
	devices, err := s.Devices(ctx, userID)
	if err != nil || len(devices) == 0 {
		return 0, err
	}
	ids := make([]string, 0, len(devices))
	for _, device := range devices {
		ids = append(ids, device.ID)
	}
	return len(ids), s.user(ctx, userID, request{
		action: "end sessions",
		method: http.MethodPost,
		path:   pathf("/_synapse/admin/v2/users/%s/delete_devices", userID),
		body:   map[string][]string{"devices": ids},
	}, nil)
}
