package command

import (
	"errors"
	"fmt"

	"github.com/githabideri/fraktalia/homeserver"
)

// accountProblem words why an account could not be made.
func accountProblem(err error, r *run) error {
	var exists homeserver.ErrUserExists
	var name homeserver.ErrInvalidName
	switch {
	case errors.As(err, &exists):
		return Because(err, "@%s:%s exists already (or did once: names are not given twice). Choose another name.", exists.Localpart, r.Settings.ServerName)
	case errors.As(err, &name):
		return Because(err, "%s", nameProblem(name, r.Settings.ServerName))
	}
	return peopleProblem(err)
}

// peopleProblem words why something about people did not work: the homeserver's
// reasons, and those of the rooms.
func peopleProblem(err error) error {
	var away *HomeserverAway
	var power *NotAllowed
	switch {
	case errors.As(err, &away):
		return homeserverProblem(fmt.Errorf("%w", homeserver.ErrUnreachable{Address: away.Address, Err: away}))
	case errors.As(err, &power):
		return Because(err, "My power in that room is not enough. Give me the right to invite and to remove people there, and say it again.")
	}
	return homeserverProblem(err)
}

// isAway says that the homeserver did not answer: whether what was asked of it
// is done, nobody knows.
func isAway(err error) bool {
	var away *HomeserverAway
	var down homeserver.ErrUnreachable
	return errors.As(err, &away) || errors.As(err, &down)
}

// notForUs says that the server does not let us look: our account is no
// administrator of it, or it has no way.
func notForUs(err error) bool {
	var none homeserver.ErrUnsupported
	var noAdmin homeserver.ErrNotAdmin
	var refused homeserver.ErrTokenRefused
	return errors.As(err, &none) || errors.As(err, &noAdmin) || errors.As(err, &refused)
}

// cannot says that this kind of homeserver has no way.
func cannot(err error) bool { return errors.As(err, new(homeserver.ErrUnsupported)) }

func nameProblem(e homeserver.ErrInvalidName, server string) string {
	hint := "Use small letters, digits and . _ = - / +, for example alice."
	if e.Suggested != "" {
		hint = fmt.Sprintf("%s would do.", e.Suggested)
	}
	switch e.Reason {
	case homeserver.ReasonServer:
		return fmt.Sprintf("I can make accounts on %s only, not on %.60s.", server, e.Server)
	case homeserver.ReasonUppercase:
		return "Account names have no capital letters. " + hint
	case homeserver.ReasonCharacter:
		return fmt.Sprintf("Account names cannot have %q in them. %s", e.Character, hint)
	case homeserver.ReasonUnderscore:
		return "Names that begin with _ are kept for bridges. " + hint
	case homeserver.ReasonDigits:
		return "Names of digits alone are kept for guests. " + hint
	case homeserver.ReasonTooLong:
		return "That name is too long: with the server's name it may have 255 characters."
	}
	return "That is no name for an account. " + hint
}
