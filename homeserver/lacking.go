package homeserver

import (
	"context"
	"time"
)

// lacking answers every call with ErrUnsupported. Drivers embed it and write
// what their server can do.
type lacking struct {
	kind Kind
	// why adds to what is said of an ability, e.g. where else it can be had.
	why map[Ability]string
}

func (l lacking) no(ability Ability) error {
	return ErrUnsupported{Kind: l.kind, Ability: ability, Why: l.why[ability]}
}

// Kind is the kind of server.
func (l lacking) Kind() Kind { return l.kind }

// Register has no way.
func (l lacking) Register(context.Context, Account) (string, error) { return "", l.no(CanRegister) }

// Users has no way.
func (l lacking) Users(context.Context) ([]User, error) { return nil, l.no(CanListUsers) }

// User has no way.
func (l lacking) User(context.Context, string) (User, error) { return User{}, l.no(CanListUsers) }

// ResetPassword has no way.
func (l lacking) ResetPassword(context.Context, string, Secret) error { return l.no(CanResetPassword) }

// SetLocked has no way.
func (l lacking) SetLocked(context.Context, string, bool) error { return l.no(CanLock) }

// SetSuspended has no way.
func (l lacking) SetSuspended(context.Context, string, bool) error { return l.no(CanSuspend) }

// Deactivate has no way.
func (l lacking) Deactivate(context.Context, string, bool) error { return l.no(CanDeactivate) }

// Devices has no way.
func (l lacking) Devices(context.Context, string) ([]Device, error) { return nil, l.no(CanLogout) }

// LogoutUser has no way.
func (l lacking) LogoutUser(context.Context, string) (int, error) { return 0, l.no(CanLogout) }

// NewToken has no way.
func (l lacking) NewToken(context.Context, Terms) (Token, error) { return Token{}, l.no(CanTokens) }

// ListTokens has no way.
func (l lacking) ListTokens(context.Context) ([]Token, error) { return nil, l.no(CanTokens) }

// RevokeToken has no way.
func (l lacking) RevokeToken(context.Context, Secret) error { return l.no(CanTokens) }

// ListRooms has no way.
func (l lacking) ListRooms(context.Context) ([]Room, error) { return nil, l.no(CanListRooms) }

// Room has no way.
func (l lacking) Room(context.Context, string) (Room, error) { return Room{}, l.no(CanListRooms) }

// PurgeHistory has no way.
func (l lacking) PurgeHistory(context.Context, string, time.Time) error { return l.no(CanPurgeHistory) }

// DeleteRoom has no way.
func (l lacking) DeleteRoom(context.Context, string) error { return l.no(CanDeleteRoom) }

// RoomMedia has no way.
func (l lacking) RoomMedia(context.Context, string) ([]string, error) { return nil, l.no(CanMedia) }

// UserMedia has no way.
func (l lacking) UserMedia(context.Context, string) ([]Media, error) { return nil, l.no(CanMedia) }

// DeleteMedia has no way.
func (l lacking) DeleteMedia(context.Context, string) error { return l.no(CanMedia) }
