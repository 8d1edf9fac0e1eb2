package homeserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var _ Driver = (*Continuwuity)(nil)

// Continuwuity is the driver of Continuwuity, which is administered in its
// admin room (docs/reference/admin in its source) and by few calls. The room is
// not encrypted: the only secrets that pass there are passwords that the server
// makes up itself, and those are changed over HTTP at once.
type Continuwuity struct {
	*Client
	lacking
	token Secret
	room  AdminRoom
}

// NewContinuwuity makes the driver. token is an administrator's access token;
// room may be nil, and then it can do little.
func NewContinuwuity(client *Client, token Secret, room AdminRoom) *Continuwuity {
	return &Continuwuity{Client: client, token: token, room: room, lacking: lacking{kind: KindContinuwuity, why: map[Ability]string{
		CanTokens:       "but in its admin room, which is not encrypted: everybody there could use them",
		CanPurgeHistory: "",
		CanDeleteRoom:   "but to ban it",
	}}}
}

// Can lists what can be done with and without the admin room.
func (c *Continuwuity) Can() []Ability {
	if c.room == nil {
		return []Ability{CanLock, CanSuspend}
	}
	return []Ability{CanRegister, CanListUsers, CanResetPassword, CanLock, CanSuspend, CanDeactivate, CanLogout, CanListRooms}
}

// command says something in the admin room.
func (c *Continuwuity) command(ctx context.Context, ability Ability, words ...string) (string, error) {
	if c.room == nil {
		return "", ErrUnsupported{Kind: c.kind, Ability: ability, Why: "but in its admin room, in which I am not"}
	}
	return say(ctx, c.room, string(ability), words...)
}

// Prove asks for the list of rooms, which only an administrator may see.
func (c *Continuwuity) Prove(ctx context.Context) error {
	err := c.call(ctx, request{action: "prove to be an administrator", method: http.MethodGet, path: "/_continuwuity/admin/rooms/list", token: c.token}, nil)
	if refused(err, "M_FORBIDDEN") {
		return ErrNotAdmin{Address: c.address}
	}
	return err
}

// The answers in which the server tells a password that it has made up
// (src/admin/user/commands.rs).
var (
	createdUser   = regexp.MustCompile("Created user (@\\S+) with password `([^`]+)`")
	resetPassword = regexp.MustCompile("Successfully reset the password for user (@\\S+): `([^`]+)`")
)

// Register has the server make an account with a password of its own, and
// changes that at once. Where it cannot be changed the account is closed again.
func (c *Continuwuity) Register(ctx context.Context, account Account) (string, error) {
	if err := ValidLocalpart(account.Localpart, ""); err != nil {
		return "", err
	}
	answer, err := c.command(ctx, CanRegister, "users", "create", "--", account.Localpart) // a name may begin with a dash
	var response ErrResponse
	switch {
	case errors.As(err, &response) && inUse(response.Message):
		return "", ErrUserExists{Localpart: account.Localpart}
	case errors.As(err, &response):
		return "", ErrInvalidName{Name: account.Localpart, Reason: ReasonRefused}
	case err != nil:
		return "", err
	}
	made := createdUser.FindStringSubmatch(answer)
	if made == nil {
		return "", c.notUnderstood("register account")
	}
	if err := c.change(ctx, made[1], Secret(made[2]), account.Password); err != nil {
		undone, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		return "", errors.Join(err, c.Deactivate(undone, made[1], false))
	}
	if account.Admin {
		_, err = c.command(ctx, CanRegister, "users", "make-user-admin", made[1])
	}
	return made[1], err
}

// inUse says that a name is taken, in the server's words for M_USER_IN_USE.
func inUse(text string) bool {
	text = strings.ToLower(text)
	return strings.Contains(text, "userinuse") || strings.Contains(text, "user_in_use") || strings.Contains(text, "taken") || strings.Contains(text, "in use") || strings.Contains(text, "already exists")
}

// notUnderstood says that the server answers in words that this driver does
// not know. The words are not kept: a password may be among them.
func (c *Continuwuity) notUnderstood(action string) error {
	return ErrResponse{Action: action, Status: http.StatusOK, Message: "the admin room's answer is not understood"}
}

// change changes a password that the admin room has seen, as the account's
// owner would, and leaves no session behind.
func (c *Continuwuity) change(ctx context.Context, userID string, from, to Secret) error {
	session, err := c.Login(ctx, userID, from, "Fraktalia")
	if err != nil {
		return fmt.Errorf("log in to change the password: %w", err)
	}
	name, _ := localpart(userID)
	body := map[string]any{
		"new_password":   to.Reveal(),
		"logout_devices": true,
		"auth": map[string]any{"type": "m.login.password", "password": from.Reveal(),
			"identifier": map[string]string{"type": "m.id.user", "user": name}},
	}
	err = c.call(ctx, request{action: "change password", method: http.MethodPost, path: "/_matrix/client/v3/account/password", token: session.Token, body: body}, nil)
	return errors.Join(err, c.Logout(context.WithoutCancel(ctx), session.Token))
}

// Users lists all local accounts. The server tells their names only.
func (c *Continuwuity) Users(ctx context.Context) ([]User, error) {
	answer, err := c.command(ctx, CanListUsers, "users", "list")
	if err != nil {
		return nil, err
	}
	users := []User{}
	for _, line := range fenced(answer) {
		if id := strings.TrimSpace(line); strings.HasPrefix(id, "@") {
			users = append(users, User{ID: id})
		}
	}
	return users, nil
}

// User looks an account up by its profile.
func (c *Continuwuity) User(ctx context.Context, userID string) (User, error) {
	if c.room == nil {
		return c.lacking.User(ctx, userID)
	}
	return c.profile(ctx, c.token, userID)
}

// ResetPassword has the server make a password up, and changes that at once.
func (c *Continuwuity) ResetPassword(ctx context.Context, userID string, password Secret) error {
	answer, err := c.command(ctx, CanResetPassword, "users", "reset-password", "-l", userID)
	if err != nil {
		return c.absent("reset password", userID, err)
	}
	made := resetPassword.FindStringSubmatch(answer)
	if made == nil {
		return c.notUnderstood("reset password")
	}
	return c.change(ctx, userID, Secret(made[2]), password)
}

// absent tells an account that is not there from other failures.
func (c *Continuwuity) absent(action, userID string, err error) error {
	var response ErrResponse
	if errors.As(err, &response) && (strings.Contains(response.Message, "does not exist") || strings.Contains(response.Message, "NotFound") || strings.Contains(response.Message, "does not belong to our server")) {
		return ErrNotFound{Action: action, Name: userID}
	}
	return err
}

// SetLocked shuts or opens an account.
func (c *Continuwuity) SetLocked(ctx context.Context, userID string, locked bool) error {
	return c.setState(ctx, c.token, userID, "lock", map[string]bool{"locked": locked})
}

// SetSuspended lets an account read but not write, or write again.
func (c *Continuwuity) SetSuspended(ctx context.Context, userID string, suspended bool) error {
	return c.setState(ctx, c.token, userID, "suspend", map[string]bool{"suspended": suspended})
}

// Deactivate closes an account for ever and takes it out of its rooms. Erasing
// is not known there.
func (c *Continuwuity) Deactivate(ctx context.Context, userID string, _ bool) error {
	_, err := c.command(ctx, CanDeactivate, "users", "deactivate", userID)
	return c.absent("deactivate account", userID, err)
}

// LogoutUser ends all sessions of an account; the server does not tell how many
// there were, so the number is -1.
func (c *Continuwuity) LogoutUser(ctx context.Context, userID string) (int, error) {
	if _, err := c.command(ctx, CanLogout, "users", "logout", userID); err != nil {
		return 0, c.absent("end sessions", userID, err)
	}
	return -1, nil
}

// roomLine is a room in the list (src/admin/room/commands.rs).
var roomLine = regexp.MustCompile(`^(!\S+)\tMembers: (\d+)\tName: (.*)$`)

// ListRooms lists the rooms in which accounts of this server are, in pages.
// Whether they are encrypted, and their versions, the server does not tell.
func (c *Continuwuity) ListRooms(ctx context.Context) ([]Room, error) {
	rooms := []Room{}
	for page := 1; ; page++ {
		answer, err := c.command(ctx, CanListRooms, "rooms", "list", strconv.Itoa(page))
		var response ErrResponse
		if errors.As(err, &response) && strings.Contains(response.Message, "No more rooms") {
			return rooms, nil
		}
		if err != nil {
			return nil, err
		}
		for _, line := range fenced(answer) {
			found := roomLine.FindStringSubmatch(line)
			if found == nil {
				continue
			}
			room := Room{ID: found[1], Name: found[3]}
			room.Members, _ = strconv.Atoi(found[2])
			if room.Name == room.ID { // so it writes rooms without a name
				room.Name = ""
			}
			rooms = append(rooms, room)
		}
	}
}

// Room looks one up in the list.
func (c *Continuwuity) Room(ctx context.Context, roomID string) (Room, error) {
	rooms, err := c.ListRooms(ctx)
	if err != nil {
		return Room{}, err
	}
	for _, room := range rooms {
		if room.ID == roomID {
			return room, nil
		}
	}
	return Room{}, ErrNotFound{Action: "look up room", Name: roomID}
}
