package homeserver

import (
	"fmt"
	"strings"
)

// Reason says why a name is none for an account.
type Reason string

// Why a name is refused.
const (
	ReasonEmpty      Reason = "empty"        // nothing was given
	ReasonUppercase  Reason = "uppercase"    // capital letters; the same name in small letters may do
	ReasonCharacter  Reason = "character"    // another character that is not allowed, see Character
	ReasonUnderscore Reason = "underscore"   // begins with "_": reserved for bridges
	ReasonDigits     Reason = "digits"       // digits alone: reserved for guests
	ReasonTooLong    Reason = "too long"     // the whole user id would exceed 255 bytes
	ReasonServer     Reason = "other server" // a user id of another homeserver, see Server
	ReasonRefused    Reason = "refused"      // the homeserver said no for a reason of its own
)

// ErrInvalidName says that no account can have this name.
type ErrInvalidName struct {
	Name      string
	Reason    Reason
	Character string // the first character that is not allowed, with ReasonCharacter and ReasonUppercase
	Server    string // the server that the name asks for, with ReasonServer
	Suggested string // a valid name close to it; "" when there is none
}

func (e ErrInvalidName) Error() string {
	return fmt.Sprintf("name %q is not valid for an account: %s", e.Name, e.Reason)
}

// maxUserID is the longest user id in bytes, "@" and server included.
const maxUserID = 255

// Localpart reads what a person typed for a user of server: "alice", "@alice"
// or "@alice:server". It returns the localpart, checked by ValidLocalpart; the
// error is an ErrInvalidName.
func Localpart(typed, server string) (string, error) {
	name, isID := strings.CutPrefix(strings.TrimSpace(typed), "@")
	if local, of, found := strings.Cut(name, ":"); found && (isID || of == server) {
		if of != server {
			return "", ErrInvalidName{Name: typed, Reason: ReasonServer, Server: of}
		}
		name = local
	}
	return name, ValidLocalpart(name, server)
}

// ValidLocalpart says whether a new account on server ("" where it is not
// known) may have this localpart. It holds to the current grammar of the
// Matrix specification (appendices, "User identifiers": a-z, 0-9, and ._=-/+),
// not to the historical one, which servers accept in old accounts only; and to
// what Synapse reserves: a leading underscore and digits alone. Synapse would
// make small letters of capital ones without a word, so they are refused here:
// nobody should get another name than was asked for.
func ValidLocalpart(name, server string) error {
	failure := ErrInvalidName{Name: name, Suggested: suggestion(name)}
	for _, char := range name {
		if !allowed(char) {
			failure.Character = string(char)
			failure.Reason = ReasonCharacter
			if allowed(char+'a'-'A') && char >= 'A' && char <= 'Z' {
				failure.Reason = ReasonUppercase
			}
			return failure
		}
	}
	switch {
	case name == "":
		failure.Reason = ReasonEmpty
	case name[0] == '_':
		failure.Reason = ReasonUnderscore
	case strings.Trim(name, "0123456789") == "":
		failure.Reason = ReasonDigits
	case len("@:")+len(name)+len(server) > maxUserID:
		failure.Reason = ReasonTooLong
		failure.Suggested = ""
	default:
		return nil
	}
	return failure
}

func allowed(char rune) bool {
	return char >= 'a' && char <= 'z' || char >= '0' && char <= '9' || char != 0 && strings.ContainsRune("._=-/+", char)
}

// suggestion makes a valid name of what was typed, by small letters, dots for
// blanks, and nothing for the rest.
func suggestion(name string) string {
	kept := strings.Map(func(char rune) rune {
		switch {
		case allowed(char):
			return char
		case char == ' ':
			return '.'
		}
		return -1
	}, strings.ToLower(strings.TrimSpace(name)))
	kept = strings.Trim(kept, "_.")
	if strings.Trim(kept, "0123456789") == "" || kept == name || len(kept) > 64 {
		return ""
	}
	return kept
}
