package homeserver

import (
	"context"
	"errors"
	"net/http"
)

// Version asks which program the homeserver is, and which version of it. The
// name is "Synapse" also behind the Matrix Authentication Service.
func (c *Client) Version(ctx context.Context) (program, version string, err error) {
	kind, err := c.Detect(ctx)
	if err != nil {
		return "", "", err
	}
	path := map[Kind]string{
		KindSynapse:      "/_synapse/admin/v1/server_version",
		KindSynapseMAS:   "/_synapse/admin/v1/server_version",
		KindTuwunel:      "/_tuwunel/server_version",
		KindContinuwuity: "/_continuwuity/server_version",
		KindDendrite:     "/_matrix/federation/v1/version",
	}[kind]
	if path == "" {
		return "", "", ErrUnknownKind{Address: c.address}
	}
	var answer struct {
		Synapse string `json:"server_version"`
		Version string `json:"version"`
		Server  struct{ Version string }
	}
	if err := c.call(ctx, request{action: "ask for the homeserver's version", method: http.MethodGet, path: path}, &answer); err != nil {
		return "", "", err
	}
	if kind == KindSynapseMAS {
		kind = KindSynapse
	}
	for _, said := range []string{answer.Synapse, answer.Version, answer.Server.Version} {
		if said != "" {
			return string(kind), said, nil
		}
	}
	return "", "", errors.New("the homeserver does not say its version")
}
