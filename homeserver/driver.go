package homeserver

import (
	"context"
	"fmt"
	"time"
)

// Driver administers one homeserver. What its kind of server cannot do answers
// with ErrUnsupported, and is missing from Can.
type Driver interface {
	Kind() Kind
	Can() []Ability
	// Prove asks something harmless that only an administrator may. Errors:
	// ErrNotAdmin, ErrTokenRefused, ErrUnreachable.
	Prove(ctx context.Context) error
	Accounts
	Tokens
	Rooms
}

// Accounts are the calls about people. Users are named by their whole id.
// Errors of all: ErrNotFound, ErrNotAdmin, ErrTokenRefused, ErrUnreachable,
// ErrRateLimited, ErrUnsupported.
type Accounts interface {
	// Register makes an account; it never touches one that exists.
	Register(ctx context.Context, account Account) (userID string, err error)
	// Users lists all accounts but deactivated ones.
	Users(ctx context.Context) ([]User, error)
	// User looks one account up, deactivated or not.
	User(ctx context.Context, userID string) (User, error)
	// ResetPassword sets a password and ends all sessions.
	ResetPassword(ctx context.Context, userID string, password Secret) error
	// SetLocked shuts an account, keeping its sessions for when it is opened.
	SetLocked(ctx context.Context, userID string, locked bool) error
	// SetSuspended lets an account read but not write.
	SetSuspended(ctx context.Context, userID string, suspended bool) error
	// Deactivate closes an account for ever: it leaves its rooms, its sessions
	// end, its name stays taken. Erase hides its messages from who joins later.
	Deactivate(ctx context.Context, userID string, erase bool) error
	// Devices lists an account's sessions.
	Devices(ctx context.Context, userID string) ([]Device, error)
	// LogoutUser ends all sessions of an account and says how many there were;
	// -1 where the server does not tell.
	LogoutUser(ctx context.Context, userID string) (int, error)
}

// Tokens are the calls about registration tokens, with which people make their
// accounts themselves. Errors as those of Accounts.
type Tokens interface {
	// NewToken makes a token.
	NewToken(ctx context.Context, terms Terms) (Token, error)
	// ListTokens lists the tokens that are valid.
	ListTokens(ctx context.Context) ([]Token, error)
	// RevokeToken makes a token invalid.
	RevokeToken(ctx context.Context, token Secret) error
}

// Rooms are the calls about rooms as the server sees them, whoever is in them.
// Errors as those of Accounts.
type Rooms interface {
	// ListRooms lists all rooms that the server knows.
	ListRooms(ctx context.Context) ([]Room, error)
	// Room looks one up.
	Room(ctx context.Context, roomID string) (Room, error)
	// PurgeHistory deletes what was said before a time, and returns when it is
	// deleted. State (name, members) and media stay.
	PurgeHistory(ctx context.Context, roomID string, before time.Time) error
	// DeleteRoom removes everybody from a room and deletes it, and returns when
	// that is done.
	DeleteRoom(ctx context.Context, roomID string) error
	// RoomMedia lists the media (mxc addresses) that are named in a room's plain
	// events. What is named in encrypted ones no server can know.
	RoomMedia(ctx context.Context, roomID string) ([]string, error)
	// UserMedia lists the media that an account has uploaded.
	UserMedia(ctx context.Context, userID string) ([]Media, error)
	// DeleteMedia deletes one medium by its mxc address.
	DeleteMedia(ctx context.Context, mxc string) error
}

// User is an account as the server's administrator sees it.
type User struct {
	ID          string
	DisplayName string
	Admin       bool
	Locked      bool
	Suspended   bool
	Deactivated bool
	Created     time.Time // zero where the server does not say
	LastSeen    time.Time // zero for never, or where the server does not say
}

// Terms are the terms of a registration token.
type Terms struct {
	Uses    int       // how many accounts it may make; 0 for any number
	Expires time.Time // zero for never
}

// Token is a registration token.
type Token struct {
	Token     Secret
	Terms     Terms
	Completed int // accounts made with it
}

// Room is a room as the server's administrator sees it.
type Room struct {
	ID        string
	Name      string // "" where it has none
	Alias     string // canonical alias; "" where it has none
	Members   int    // joined
	Version   string
	Encrypted bool
	Public    bool // in the room directory
	Creator   string
}

// Media is an uploaded file.
type Media struct {
	MXC     string // mxc://server/id
	Name    string // as uploaded; empty for encrypted files
	Size    int64  // bytes
	Created time.Time
}

// Ability names a group of calls for people who ask what a server can do.
type Ability string

// Abilities lists all there are.
func Abilities() []Ability {
	return []Ability{CanRegister, CanListUsers, CanResetPassword, CanLock, CanSuspend, CanDeactivate, CanLogout,
		CanTokens, CanListRooms, CanPurgeHistory, CanDeleteRoom, CanMedia}
}

// What a server may be able to do.
const (
	CanRegister      Ability = "register accounts"
	CanListUsers     Ability = "list accounts"
	CanResetPassword Ability = "reset passwords"
	CanLock          Ability = "lock accounts"
	CanSuspend       Ability = "suspend accounts"
	CanDeactivate    Ability = "deactivate accounts"
	CanLogout        Ability = "end sessions"
	CanTokens        Ability = "make registration tokens"
	CanListRooms     Ability = "list rooms"
	CanPurgeHistory  Ability = "purge history"
	CanDeleteRoom    Ability = "delete rooms"
	CanMedia         Ability = "delete media"
)

// ErrUnsupported says that this kind of homeserver has no way to do it.
type ErrUnsupported struct {
	Kind    Kind
	Ability Ability
	Why     string // more about it, e.g. "but in its admin room, which is not encrypted"; may be empty
}

func (e ErrUnsupported) Error() string {
	text := fmt.Sprintf("%s has no way to %s", e.Kind, e.Ability)
	if e.Why != "" {
		text += ", " + e.Why
	}
	return text
}
