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
