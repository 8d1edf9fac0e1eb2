package homeserver

import (
	"context"
	"net/http"
	"time"
)

// synapseToken is a Token as Synapse sends it.
type synapseToken struct {
	Token     string `json:"token"`
	Uses      *int   `json:"uses_allowed"`
	Expires   *int64 `json:"expiry_time"`
	Completed int    `json:"completed"`
}

func (t synapseToken) token() Token {
	token := Token{Token: Secret(t.Token), Completed: t.Completed}
	if t.Uses != nil {
		token.Terms.Uses = *t.Uses
	}
	if t.Expires != nil {
		token.Terms.Expires = time.UnixMilli(*t.Expires)
	}
	return token
}

// NewToken makes a registration token; the server chooses its text. It is of
// use only where the server lets people register with one
// (enable_registration and registration_requires_token).
func (s *Synapse) NewToken(ctx context.Context, terms Terms) (Token, error) {
	body := map[string]any{"length": 24}
	if terms.Uses > 0 {
		body["uses_allowed"] = terms.Uses
	}
	if !terms.Expires.IsZero() {
		body["expiry_time"] = terms.Expires.UnixMilli()
	}
	var made synapseToken
	r := request{action: "make registration token", method: http.MethodPost, path: "/_synapse/admin/v1/registration_tokens/new", body: body}
	err := s.admin(ctx, r, &made)
	return made.token(), err
}

// ListTokens lists the tokens that are valid: neither used up nor expired.
func (s *Synapse) ListTokens(ctx context.Context) ([]Token, error) {
	var answer struct {
		Tokens []synapseToken `json:"registration_tokens"`
	}
	r := request{action: "list registration tokens", method: http.MethodGet, path: "/_synapse/admin/v1/registration_tokens?valid=true"}
	if err := s.admin(ctx, r, &answer); err != nil {
		return nil, err
	}
	tokens := make([]Token, 0, len(answer.Tokens))
	for _, t := range answer.Tokens {
		tokens = append(tokens, t.token())
	}
	return tokens, nil
}

// RevokeToken makes a token invalid; one that is not there counts as revoked.
func (s *Synapse) RevokeToken(ctx context.Context, token Secret) error {
	path := pathf("/_synapse/admin/v1/registration_tokens/%s", token.Reveal())
	err := s.admin(ctx, request{action: "revoke registration token", method: http.MethodDelete, path: path}, nil)
	if refused(err, "M_NOT_FOUND") {
		return nil
	}
	return err
}
