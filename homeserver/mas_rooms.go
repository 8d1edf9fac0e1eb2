package homeserver

import (
	"context"
	"net/http"
	"time"
)

// masToken is a registration token as the service sends it.
type masToken struct {
	ID         string `json:"id"`
	Attributes struct {
		Token   string     `json:"token"`
		Valid   bool       `json:"valid"`
		Limit   *int       `json:"usage_limit"`
		Used    int        `json:"times_used"`
		Expires *time.Time `json:"expires_at"`
	} `json:"attributes"`
}

func (t masToken) token() Token {
	a := t.Attributes
	token := Token{Token: Secret(a.Token), Completed: a.Used}
	if a.Limit != nil {
		token.Terms.Uses = *a.Limit
	}
	if a.Expires != nil {
		token.Terms.Expires = *a.Expires
	}
	return token
}

const tokensPath = "/api/admin/v1/user-registration-tokens"

// NewToken makes a token.
func (m *MAS) NewToken(ctx context.Context, terms Terms) (Token, error) {
	body := map[string]any{}
	if terms.Uses > 0 {
		body["usage_limit"] = terms.Uses
	}
	if !terms.Expires.IsZero() {
		body["expires_at"] = terms.Expires.UTC().Format(time.RFC3339)
	}
	var made struct {
		Data masToken `json:"data"`
	}
	err := m.call(ctx, request{action: "make registration token", method: http.MethodPost, path: tokensPath, body: body}, &made)
	return made.Data.token(), err
}

// ListTokens lists the tokens that are valid.
func (m *MAS) ListTokens(ctx context.Context) ([]Token, error) {
	tokens := []Token{}
	err := pages(ctx, m, "list registration tokens", tokensPath+"?filter[valid]=true", func(t masToken) { tokens = append(tokens, t.token()) })
	return tokens, err
}

// RevokeToken makes a token invalid; one that is not there counts as revoked.
// The service knows tokens by ids of its own.
func (m *MAS) RevokeToken(ctx context.Context, token Secret) error {
	var ids []string
	err := pages(ctx, m, "find registration token", tokensPath+"?filter[revoked]=false", func(t masToken) {
		if Secret(t.Attributes.Token) == token {
			ids = append(ids, t.ID)
		}
	})
	for _, id := range ids {
		if err == nil {
			r := request{action: "revoke registration token", method: http.MethodPost, path: tokensPath + pathf("/%s/revoke", id), body: struct{}{}}
			err = m.call(ctx, r, nil)
		}
	}
	return err
}

// ListRooms is Synapse's.
func (m *MAS) ListRooms(ctx context.Context) (rooms []Room, err error) {
	err = m.rooms(ctx, func(s *Synapse) (err error) { rooms, err = s.ListRooms(ctx); return err })
	return rooms, err
}

// Room is Synapse's.
func (m *MAS) Room(ctx context.Context, roomID string) (room Room, err error) {
	err = m.rooms(ctx, func(s *Synapse) (err error) { room, err = s.Room(ctx, roomID); return err })
	return room, err
}

// PurgeHistory is Synapse's.
func (m *MAS) PurgeHistory(ctx context.Context, roomID string, before time.Time) error {
	return m.rooms(ctx, func(s *Synapse) error { return s.PurgeHistory(ctx, roomID, before) })
}

// DeleteRoom is Synapse's.
func (m *MAS) DeleteRoom(ctx context.Context, roomID string) error {
	return m.rooms(ctx, func(s *Synapse) error { return s.DeleteRoom(ctx, roomID) })
}

// RoomMedia is Synapse's.
func (m *MAS) RoomMedia(ctx context.Context, roomID string) (list []string, err error) {
	err = m.rooms(ctx, func(s *Synapse) (err error) { list, err = s.RoomMedia(ctx, roomID); return err })
	return list, err
}

// UserMedia is Synapse's.
func (m *MAS) UserMedia(ctx context.Context, userID string) (list []Media, err error) {
	err = m.rooms(ctx, func(s *Synapse) (err error) { list, err = s.UserMedia(ctx, userID); return err })
	return list, err
}

// DeleteMedia is Synapse's.
func (m *MAS) DeleteMedia(ctx context.Context, mxc string) error {
	return m.rooms(ctx, func(s *Synapse) error { return s.DeleteMedia(ctx, mxc) })
}

// Unlimit is Synapse's.
func (m *MAS) Unlimit(ctx context.Context, userID string) error {
	return m.rooms(ctx, func(s *Synapse) error { return s.Unlimit(ctx, userID) })
}
