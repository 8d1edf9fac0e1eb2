package remote

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// UnreachableError says that no ssh server answers there.
type UnreachableError struct {
	Host, Address string
	Err           error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("host %s: %s does not answer: %v", e.Host, e.Address, e.Err)
}

func (e *UnreachableError) Unwrap() error { return e.Err }

// HostKeyError says that the machine did not show the key that known_hosts has
// of it.
type HostKeyError struct {
	Host, Address string
	File          string // known_hosts
	Changed       bool   // another key is known; false: none is
	Line          int    // with Changed: where in the file
	Err           error
}

func (e *HostKeyError) Error() string {
	return fmt.Sprintf("host %s: the key of %s: %v", e.Host, e.Address, e.Err)
}

func (e *HostKeyError) Unwrap() error { return e.Err }

// RefusedError says that the machine did not let us in.
type RefusedError struct {
	Host, User string
	Err        error
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("host %s: user %s is not let in: %v", e.Host, e.User, e.Err)
}

func (e *RefusedError) Unwrap() error { return e.Err }

// KeyError says that this machine's own key cannot be used.
type KeyError struct {
	Host string
	File string // "": the agent's
	Err  error
}

func (e *KeyError) Error() string {
	return fmt.Sprintf("host %s: own key %s: %v", e.Host, e.File, e.Err)
}

func (e *KeyError) Unwrap() error { return e.Err }

// Passphrase says that the key file needs one.
func (e *KeyError) Passphrase() bool {
	var missing *ssh.PassphraseMissingError
	return errors.As(e.Err, &missing)
}

// EngineError says that the machine is there, and its engine's socket is not
// to be had.
type EngineError struct {
	Host, Socket string
	Err          error
}

func (e *EngineError) Error() string {
	return fmt.Sprintf("host %s: engine at %s: %v", e.Host, e.Socket, e.Err)
}

func (e *EngineError) Unwrap() error { return e.Err }

// ForbiddenError says that the machine's ssh server forbids connections to
// addresses (AllowTcpForwarding).
type ForbiddenError struct {
	Host string
	Err  error
}

func (e *ForbiddenError) Error() string {
	return fmt.Sprintf("host %s: forwarding is forbidden: %v", e.Host, e.Err)
}

func (e *ForbiddenError) Unwrap() error { return e.Err }

// refusalOf is the machine's own refusal of one connection.
func refusalOf(err error) *ssh.OpenChannelError {
	var refusal *ssh.OpenChannelError
	if errors.As(err, &refusal) {
		return refusal
	}
	return nil
}

// refusal makes an error of the handshake one that people can be told.
func (o Options) refusal(err error) error {
	var key *knownhosts.KeyError
	var revoked *knownhosts.RevokedError
	switch {
	case errors.As(err, &key):
		e := &HostKeyError{Host: o.Name, Address: o.Address, File: o.KnownHosts, Changed: len(key.Want) > 0, Err: err}
		if e.Changed {
			e.Line = key.Want[0].Line
		}
		return e
	case errors.As(err, &revoked):
		return &HostKeyError{Host: o.Name, Address: o.Address, File: o.KnownHosts, Changed: true, Line: revoked.Revoked.Line, Err: err}
	case strings.Contains(err.Error(), "unable to authenticate"): // the library has no type for it
		return &RefusedError{Host: o.Name, User: o.User, Err: err}
	}
	return &UnreachableError{Host: o.Name, Address: o.Address, Err: err}
}
