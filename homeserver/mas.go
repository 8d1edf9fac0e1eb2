package homeserver

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

var _ Driver = (*MAS)(nil)

// MAS is the driver of a Synapse that leaves accounts to the Matrix
// Authentication Service: accounts and registration tokens are the service's,
// over its admin interface (docs/topics/admin-api.md and docs/api/spec.json in
// its source), rooms and media Synapse's. Synapse's own calls for accounts are
// never used: they would change a copy that the service does not know of.
type MAS struct {
	lacking
	service *Client
	options MASOptions
	synapse *Synapse
	fixed   bool // Synapse's token was given, and is not ours to get

	mu      sync.Mutex
	token   Secret // of the service
	expires time.Time
	issued  time.Time // when Synapse's token was
}

// ErrNoMAS says that the homeserver leaves accounts to a Matrix Authentication
// Service that the configuration does not name.
type ErrNoMAS struct{ Address string }

func (e ErrNoMAS) Error() string {
	return "homeserver " + e.Address + " leaves accounts to a Matrix Authentication Service, and we have no client of it"
}

// NewMAS makes the driver. token is an access token for Synapse's admin
// interface; with "" the driver has the service issue one for our own account:
// the token of an ordinary log-in does not do there, whoever it is.
func NewMAS(client *Client, o MASOptions, token Secret) (*MAS, error) {
	if o.Address == "" || o.Client == "" {
		return nil, ErrNoMAS{Address: client.Address()}
	}
	return &MAS{
		lacking: lacking{kind: KindSynapseMAS},
		service: NewClient(o.Address, client.http.Transport),
		options: o,
		synapse: NewSynapse(client, "", token),
		fixed:   token != "",
	}, nil
}

// Can lists everything: what one of the two cannot do the other can.
func (m *MAS) Can() []Ability { return Abilities() }

// Prove asks both.
func (m *MAS) Prove(ctx context.Context) error {
	if err := m.call(ctx, request{action: "prove to be an administrator", method: http.MethodGet, path: "/api/admin/v1/users?page[first]=1&count=false"}, nil); err != nil {
		return err
	}
	return m.rooms(ctx, func(s *Synapse) error { return s.Prove(ctx) })
}

// call is a call of the service's admin interface. A token that is not taken
// any more is got anew, once.
func (m *MAS) call(ctx context.Context, r request, out any) error {
	for first := true; ; first = false {
		token, err := m.serviceToken(ctx)
		if err != nil {
			return err
		}
		r.token = token
		err = m.service.call(ctx, r, out)
		switch {
		case status(err) == http.StatusUnauthorized && first:
			m.forget(token)
		case status(err) == http.StatusUnauthorized:
			return ErrTokenRefused{Address: m.service.address}
		case status(err) == http.StatusForbidden && !strings.Contains(r.path, "set-password"):
			return ErrNotAdmin{Address: m.service.address}
		default:
			return err
		}
	}
}

// status is the HTTP status of a refusal; 0 for other errors.
func status(err error) int {
	var response ErrResponse
	if errors.As(err, &response) {
		return response.Status
	}
	return 0
}

// scopeService is what the service wants for its admin interface.
const scopeService = "urn:mas:admin"

// serviceToken gets an access token by the client's own credentials; it is good
// for some minutes.
func (m *MAS) serviceToken(ctx context.Context) (Secret, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.token != "" && time.Until(m.expires) > 10*time.Second {
		return m.token, nil
	}
	var answer struct {
		Token   string `json:"access_token"`
		Expires int    `json:"expires_in"`
	}
	err := m.service.call(ctx, request{
		action: "log in to the authentication service",
		method: http.MethodPost,
		path:   "/oauth2/token",
		form:   url.Values{"grant_type": {"client_credentials"}, "scope": {scopeService}},
		login:  &basicLogin{m.options.Client, m.options.Secret},
	}, &answer)
	switch s := status(err); {
	case s == http.StatusUnauthorized:
		return "", ErrWrongSecret{Address: m.service.address}
	case s == http.StatusForbidden, s == http.StatusBadRequest:
		return "", ErrNotAdmin{Address: m.service.address}
	case err != nil:
		return "", err
	}
	m.token, m.expires = Secret(answer.Token), time.Now().Add(time.Duration(answer.Expires)*time.Second)
	return m.token, nil
}

// forget drops a token that was refused.
func (m *MAS) forget(token Secret) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.token == token {
		m.token = ""
	}
}

// tokenLife is how long a token for Synapse lives that the service issues; it
// is got anew at half of that.
const tokenLife = time.Hour

// rooms does something with Synapse, for which our account gets a token from
// the service where none was given. (docs/topics/authorization.md, "Personal
// sessions": a token that acts for an account, with scopes of its own.)
func (m *MAS) rooms(ctx context.Context, do func(*Synapse) error) error {
	synapse, err := m.synapseFor(ctx)
	if err != nil {
		return err
	}
	err = do(synapse)
	if !m.fixed && errors.As(err, new(ErrTokenRefused)) {
		m.mu.Lock()
		m.issued = time.Time{} // revoked meanwhile: the next call gets another
		m.mu.Unlock()
	}
	return err
}

func (m *MAS) synapseFor(ctx context.Context) (*Synapse, error) {
	m.mu.Lock()
	fresh := m.fixed || time.Since(m.issued) < tokenLife/2
	synapse := m.synapse
	m.mu.Unlock()
	if fresh {
		return synapse, nil
	}
	me, err := m.named(ctx, m.options.Bot)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Data struct {
			Attributes struct {
				Token string `json:"access_token"`
			} `json:"attributes"`
		} `json:"data"`
	}
	err = m.call(ctx, request{action: "get a token for Synapse", method: http.MethodPost, path: "/api/admin/v1/personal-sessions", body: map[string]any{
		"actor_user_id": me.id,
		"human_name":    "Fraktalia",
		"scope":         "urn:matrix:client:api:* urn:synapse:admin:*",
		"expires_in":    int(tokenLife.Seconds()),
	}}, &answer)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.synapse = NewSynapse(synapse.Client, "", Secret(answer.Data.Attributes.Token))
	m.issued = time.Now()
	return m.synapse, nil
}
