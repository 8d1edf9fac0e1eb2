package homeserver

import (
	"context"
	"fmt"
)

// Options are what drivers need to know; each takes what its kind of server
// asks for.
type Options struct {
	Client *Client
	// Shared is the server's registration shared secret; "" where it has none.
	Shared Secret
	// Token is the access token of an administrator of the server.
	Token Secret
	// MAS is how to speak to the Matrix Authentication Service, where accounts
	// are its business.
	MAS MASOptions
	// AdminRoom speaks in the admin room of Tuwunel and Continuwuity; nil where
	// nobody can.
	AdminRoom AdminRoom
}

// MASOptions name a client of the Matrix Authentication Service that is among
// its policy.data.admin_clients.
type MASOptions struct {
	Address string // e.g. "http://127.0.0.1:8080"
	Client  Secret // its id
	Secret  Secret
	Bot     string // the localpart of our own account
}

// AdminRoom is a server's admin room. It is not encrypted, so nothing secret of
// ours may be among the words of a command.
type AdminRoom interface {
	// Command says a command there, without "!admin ", and returns the
	// server's answer.
	Command(ctx context.Context, text string) (answer string, err error)
}

// Open asks the server what it is and gives the driver for it. Errors:
// ErrUnreachable, ErrUnknownKind.
func Open(ctx context.Context, o Options) (Driver, error) {
	kind, err := o.Client.Detect(ctx)
	if err != nil {
		return nil, err
	}
	switch kind {
	case KindSynapse:
		return NewSynapse(o.Client, o.Shared, o.Token), nil
	case KindSynapseMAS:
		return NewMAS(o.Client, o.MAS, o.Token)
	case KindTuwunel:
		return NewTuwunel(o.Client, o.Shared, o.Token, o.AdminRoom), nil
	case KindContinuwuity:
		return NewContinuwuity(o.Client, o.Token, o.AdminRoom), nil
	case KindDendrite:
		return NewDendrite(o.Client, o.Shared, o.Token), nil
	}
	return nil, ErrUnknownKind{Address: o.Client.Address(), Kind: kind}
}

// ErrUnknownKind says that there is no driver for what the homeserver is.
type ErrUnknownKind struct {
	Address string
	Kind    Kind
}

func (e ErrUnknownKind) Error() string {
	return fmt.Sprintf("homeserver %s is of a kind that has no driver: %s", e.Address, e.Kind)
}
