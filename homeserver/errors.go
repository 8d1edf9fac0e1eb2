package homeserver

import (
	"fmt"
	"time"
)

// ErrUnreachable says that the homeserver could not be reached, or that a
// proxy in front of it could not reach it. Whether a call that changes
// something took effect is not known then.
type ErrUnreachable struct {
	Address string
	Err     error // why, without the request's path
}

func (e ErrUnreachable) Error() string {
	return fmt.Sprintf("homeserver %s cannot be reached: %v", e.Address, e.Err)
}

// Unwrap gives the cause.
func (e ErrUnreachable) Unwrap() error { return e.Err }

// ErrRateLimited says that the server asks to wait for longer than the
// context, or our patience, allows.
type ErrRateLimited struct {
	Action     string        // what was tried, e.g. "log in"
	RetryAfter time.Duration // how long the server asks to wait
}

func (e ErrRateLimited) Error() string {
	return fmt.Sprintf("%s: rate limited, try again in %s", e.Action, e.RetryAfter)
}

// ErrUserExists says that the account to be made is there already, or was
// once: the name of a deactivated account stays taken.
type ErrUserExists struct{ Localpart string }

func (e ErrUserExists) Error() string { return fmt.Sprintf("account %q exists already", e.Localpart) }

// ErrWrongSecret says that the homeserver's registration shared secret is
// another one than ours.
type ErrWrongSecret struct{ Address string }

func (e ErrWrongSecret) Error() string {
	return fmt.Sprintf("homeserver %s refuses our registration shared secret", e.Address)
}

// ErrNoSharedSecret says that the homeserver has no registration shared secret
// configured, so that accounts cannot be made with one.
type ErrNoSharedSecret struct{ Address string }

func (e ErrNoSharedSecret) Error() string {
	return fmt.Sprintf("homeserver %s has no registration shared secret", e.Address)
}

// ErrWrongPassword says that a log-in was refused: the password is wrong or
// there is no such account (servers do not tell which).
type ErrWrongPassword struct{ User string }

func (e ErrWrongPassword) Error() string { return fmt.Sprintf("password of %q refused", e.User) }

// ErrTokenRefused says that the access token is unknown, expired or revoked.
type ErrTokenRefused struct{ Address string }

func (e ErrTokenRefused) Error() string {
	return fmt.Sprintf("homeserver %s refuses our access token", e.Address)
}

// ErrNotAdmin says that the access token works, but belongs to an account that
// is no administrator of the homeserver.
type ErrNotAdmin struct{ Address string }

func (e ErrNotAdmin) Error() string {
	return fmt.Sprintf("our account is no administrator of homeserver %s", e.Address)
}

// ErrNotFound says that what a call names does not exist.
type ErrNotFound struct {
	Action string // what was tried, e.g. "deactivate account"
	Name   string // what was not found: a user id, a room id
}

func (e ErrNotFound) Error() string { return fmt.Sprintf("%s: %q not found", e.Action, e.Name) }

// ErrAccount says that an account cannot be used as it stands.
type ErrAccount struct {
	User  string
	State string // "locked", "suspended" or "deactivated"
}

func (e ErrAccount) Error() string { return fmt.Sprintf("account %q is %s", e.User, e.State) }

// ErrResponse is any other refusal of the homeserver.
type ErrResponse struct {
	Action  string // what was tried
	Status  int    // HTTP status
	Code    string // Matrix error code, e.g. "M_FORBIDDEN"; "" when there was none
	Message string // the server's own words; may be empty
}

func (e ErrResponse) Error() string {
	return fmt.Sprintf("%s: homeserver answered %d %s %s", e.Action, e.Status, e.Code, e.Message)
}
