package homeserver

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// masUser is an account as the service sends it.
type masUser struct {
	ID         string `json:"id"`
	Attributes struct {
		Username    string     `json:"username"`
		Created     time.Time  `json:"created_at"`
		Locked      *time.Time `json:"locked_at"`
		Deactivated *time.Time `json:"deactivated_at"`
		Admin       bool       `json:"admin"`
	} `json:"attributes"`
}

// account is an account with the id that the service has for it.
type masAccount struct {
	User
	id string
}

func (m *MAS) account(u masUser) masAccount {
	a := u.Attributes
	return masAccount{id: u.ID, User: User{ID: a.Username, Admin: a.Admin, Locked: a.Locked != nil,
		Deactivated: a.Deactivated != nil, Created: a.Created}}
}

// localpart is the name of an account before the colon.
func localpart(userID string) (name, server string) {
	name, server, _ = strings.Cut(strings.TrimPrefix(userID, "@"), ":")
	return name, server
}

// named finds an account by its localpart.
func (m *MAS) named(ctx context.Context, name string) (masAccount, error) {
	var answer struct {
		Data masUser `json:"data"`
	}
	r := request{action: "look up account", method: http.MethodGet, path: pathf("/api/admin/v1/users/by-username/%s", name)}
	err := m.call(ctx, r, &answer)
	if status(err) == http.StatusNotFound {
		return masAccount{}, ErrNotFound{Action: r.action, Name: name}
	}
	return m.account(answer.Data), err
}

// of finds an account by its whole id. MAS finds names in whatever case, and
// another spelling must not pass for another account with those who ask.
func (m *MAS) of(ctx context.Context, userID string) (masAccount, error) {
	name, _ := localpart(userID)
	found, err := m.named(ctx, name)
	if err == nil && found.User.ID != name {
		err = ErrNotFound{Action: "look up account", Name: name}
	}
	if err != nil {
		return masAccount{}, err
	}
	found.User.ID = userID
	return found, nil
}

// Register makes an account and sets its password. An account whose password
// cannot be set is closed again: nobody could use it.
func (m *MAS) Register(ctx context.Context, account Account) (string, error) {
	if err := ValidLocalpart(account.Localpart, ""); err != nil {
		return "", err
	}
	me, err := m.serverName(ctx)
	if err != nil {
		return "", err
	}
	body := map[string]any{"username": account.Localpart}
	if account.DisplayName != "" {
		body["displayname"] = account.DisplayName
	}
	var made struct {
		Data masUser `json:"data"`
	}
	err = m.call(ctx, request{action: "register account", method: http.MethodPost, path: "/api/admin/v1/users", body: body}, &made)
	switch status(err) {
	case http.StatusConflict:
		return "", ErrUserExists{Localpart: account.Localpart}
	case http.StatusBadRequest:
		return "", ErrInvalidName{Name: account.Localpart, Reason: ReasonRefused}
	}
	if err != nil {
		return "", err
	}
	id := "@" + account.Localpart + ":" + me
	err = m.finish(ctx, made.Data.ID, account)
	if err != nil {
		undone, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = m.act(undone, id, "close half-made account", made.Data.ID, "deactivate", map[string]bool{"skip_erase": false})
		return "", err
	}
	return id, nil
}

func (m *MAS) finish(ctx context.Context, id string, account Account) error {
	body := map[string]any{"password": account.Password.Reveal(), "skip_password_check": true}
	if err := m.act(ctx, account.Localpart, "set password", id, "set-password", body); err != nil {
		return err
	}
	if !account.Admin {
		return nil
	}
	return m.act(ctx, account.Localpart, "make administrator", id, "set-admin", map[string]bool{"admin": true})
}

// serverName is the part of account ids behind the colon, which the service
// does not tell: our own account has it. Synapse's answer needs no
// administrator.
func (m *MAS) serverName(ctx context.Context) (name string, err error) {
	err = m.rooms(ctx, func(s *Synapse) error {
		me, err := s.Whoami(ctx, s.token)
		_, name = localpart(me.UserID)
		return err
	})
	return name, err
}

// act does one of the calls that change an account.
func (m *MAS) act(ctx context.Context, name, action, id, verb string, body any) error {
	if body == nil {
		body = struct{}{}
	}
	err := m.call(ctx, request{action: action, method: http.MethodPost, path: pathf("/api/admin/v1/users/%s/", id) + verb, body: body}, nil)
	if status(err) == http.StatusNotFound {
		return ErrNotFound{Action: action, Name: name}
	}
	return err
}

// Users lists all accounts but deactivated ones, in pages.
func (m *MAS) Users(ctx context.Context) ([]User, error) {
	server, err := m.serverName(ctx)
	if err != nil {
		return nil, err
	}
	var users []User
	err = pages(ctx, m, "list accounts", "/api/admin/v1/users", func(u masUser) {
		if found := m.account(u).User; !found.Deactivated {
			found.ID = "@" + found.ID + ":" + server
			users = append(users, found)
		}
	})
	return users, err
}

// pages reads a list of the service to its end.
func pages[T any](ctx context.Context, m *MAS, action, path string, take func(T)) error {
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	for next := path + separator + "page[first]=100"; next != ""; {
		var page struct {
			Data  []T `json:"data"`
			Links struct {
				Next string `json:"next"`
			} `json:"links"`
		}
		if err := m.call(ctx, request{action: action, method: http.MethodGet, path: next}, &page); err != nil {
			return err
		}
		for _, item := range page.Data {
			take(item)
		}
		next = page.Links.Next
	}
	return nil
}

// User looks one account up, deactivated or not.
func (m *MAS) User(ctx context.Context, userID string) (User, error) {
	found, err := m.of(ctx, userID)
	return found.User, err
}

// ResetPassword sets a password and ends all sessions, which the service does
// not do by itself.
func (m *MAS) ResetPassword(ctx context.Context, userID string, password Secret) error {
	found, err := m.of(ctx, userID)
	if err != nil {
		return err
	}
	body := map[string]any{"password": password.Reveal(), "skip_password_check": true}
	if err := m.act(ctx, userID, "reset password", found.id, "set-password", body); err != nil {
		return err
	}
	_, err = m.LogoutUser(ctx, userID)
	return err
}

// SetLocked shuts or opens an account.
func (m *MAS) SetLocked(ctx context.Context, userID string, locked bool) error {
	found, err := m.of(ctx, userID)
	if err != nil {
		return err
	}
	verb := "unlock"
	if locked {
		verb = "lock"
	}
	return m.act(ctx, userID, "lock account", found.id, verb, nil)
}

// SetSuspended is Synapse's: the service knows no such state.
func (m *MAS) SetSuspended(ctx context.Context, userID string, suspended bool) error {
	return m.rooms(ctx, func(s *Synapse) error { return s.SetSuspended(ctx, userID, suspended) })
}

// Deactivate closes an account for ever, on the service and with it on Synapse.
func (m *MAS) Deactivate(ctx context.Context, userID string, erase bool) error {
	found, err := m.of(ctx, userID)
	if err != nil {
		return err
	}
	return m.act(ctx, userID, "deactivate account", found.id, "deactivate", map[string]bool{"skip_erase": !erase})
}

// sessionKinds are the service's kinds of sessions: of old clients, of new
// ones, and of browsers.
func sessionKinds() []string { return []string{"compat-sessions", "oauth2-sessions", "user-sessions"} }

type masSession struct {
	ID         string `json:"id"`
	Attributes struct {
		Device string     `json:"device_id"`
		Scope  string     `json:"scope"`
		Name   string     `json:"human_name"`
		Active *time.Time `json:"last_active_at"`
		IP     string     `json:"last_active_ip"`
	} `json:"attributes"`
}

// device is the device's id; "" for a session that is none, such as a browser's.
func (s masSession) device() string {
	for scope := range strings.FieldsSeq(s.Attributes.Scope) {
		if at := strings.Index(scope, "client:device:"); at >= 0 {
			return scope[at+len("client:device:"):]
		}
	}
	return s.Attributes.Device
}

// Devices lists the sessions of an account that are devices.
func (m *MAS) Devices(ctx context.Context, userID string) ([]Device, error) {
	found, err := m.of(ctx, userID)
	if err != nil {
		return nil, err
	}
	devices := []Device{}
	for _, kind := range sessionKinds()[:2] {
		err := m.sessions(ctx, kind, found.id, func(s masSession) {
			device := Device{ID: s.device(), Name: s.Attributes.Name, LastIP: s.Attributes.IP}
			if s.Attributes.Active != nil {
				device.LastSeen = *s.Attributes.Active
			}
			if device.ID != "" {
				devices = append(devices, device)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return devices, nil
}

func (m *MAS) sessions(ctx context.Context, kind, user string, take func(masSession)) error {
	path := "/api/admin/v1/" + kind + "?filter[user]=" + url.QueryEscape(user) + "&filter[status]=active"
	return pages(ctx, m, "list sessions", path, take)
}

// LogoutUser ends all sessions of an account and says how many there were.
func (m *MAS) LogoutUser(ctx context.Context, userID string) (ended int, err error) {
	found, err := m.of(ctx, userID)
	if err != nil {
		return 0, err
	}
	for _, kind := range sessionKinds() {
		var ids []string
		if err := m.sessions(ctx, kind, found.id, func(s masSession) { ids = append(ids, s.ID) }); err != nil {
			return ended, err
		}
		for _, id := range ids {
			path := "/api/admin/v1/" + kind + pathf("/%s/finish", id)
			err := m.call(ctx, request{action: "end session", method: http.MethodPost, path: path, body: struct{}{}}, nil)
			if s := status(err); s == http.StatusNotFound || s == http.StatusBadRequest {
				continue // it has ended by itself meanwhile
			}
			if err != nil {
				return ended, err
			}
			ended++
		}
	}
	return ended, nil
}
