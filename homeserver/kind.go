package homeserver

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// Kind is a kind of homeserver software.
type Kind string

// The kinds that can be told apart.
const (
	KindSynapse      Kind = "Synapse"
	KindSynapseMAS   Kind = "Synapse with Matrix Authentication Service"
	KindDendrite     Kind = "Dendrite"
	KindTuwunel      Kind = "Tuwunel"
	KindContinuwuity Kind = "Continuwuity"
	KindUnknown      Kind = "unknown homeserver"
)

// Detect asks the homeserver what it is. The order matters: Tuwunel answers
// Synapse's address as well, with its own version, and must have been asked
// before. Federation's version address, which all have, is closed on private
// servers, so it comes last. (Seen on Synapse 1.163, Dendrite 0.15.2,
// Continuwuity 26.8.0-alpha.1 and Tuwunel 1.9.0.)
func (c *Client) Detect(ctx context.Context) (Kind, error) {
	for _, question := range []struct {
		path string
		kind Kind
	}{
		{"/_tuwunel/server_version", KindTuwunel},
		{"/_continuwuity/server_version", KindContinuwuity},
		{"/_dendrite/monitor/up", KindDendrite},
		{"/_synapse/admin/v1/server_version", KindSynapse},
	} {
		yes, err := c.has(ctx, question.path)
		if err != nil {
			return KindUnknown, err
		}
		if yes && question.kind == KindSynapse {
			return c.delegated(ctx)
		}
		if yes {
			return question.kind, nil
		}
	}
	return c.federated(ctx)
}

// has says whether an address answers 200. Some of them do so in plain text.
func (c *Client) has(ctx context.Context, path string) (bool, error) {
	err := c.call(ctx, request{action: "ask which homeserver it is", method: http.MethodGet, path: path}, nil)
	if errors.As(err, new(ErrResponse)) || errors.As(err, new(ErrTokenRefused)) {
		return false, nil
	}
	return err == nil, err
}

// delegated tells a Synapse that leaves accounts to the Matrix Authentication
// Service from one that does not.
func (c *Client) delegated(ctx context.Context) (Kind, error) {
	yes, err := c.has(ctx, "/_matrix/client/v1/auth_metadata")
	if yes {
		return KindSynapseMAS, nil
	}
	return KindSynapse, err
}

// federated asks the address that servers ask one another.
func (c *Client) federated(ctx context.Context) (Kind, error) {
	var answer struct {
		Server struct{ Name string } `json:"server"`
	}
	err := c.call(ctx, request{action: "ask which homeserver it is", method: http.MethodGet, path: "/_matrix/federation/v1/version"}, &answer)
	if err != nil && !errors.As(err, new(ErrResponse)) {
		return KindUnknown, err
	}
	for _, kind := range []Kind{KindSynapse, KindDendrite, KindTuwunel, KindContinuwuity} {
		if strings.EqualFold(answer.Server.Name, string(kind)) {
			return kind, nil
		}
	}
	return KindUnknown, nil
}
