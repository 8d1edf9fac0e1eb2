package homeserver

import "context"

// TokensCount says whether the homeserver lets people make accounts with a
// registration token. It asks about a token that there is not: a server that
// knows none of this, or has registration switched off, refuses the question
// (Client-Server API, "Registration token validity").
func (c *Client) TokensCount(ctx context.Context) (bool, error) {
	return c.has(ctx, "/_matrix/client/v1/register/m.login.registration_token/validity?token=none")
}
