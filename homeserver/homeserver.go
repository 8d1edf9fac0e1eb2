// Package homeserver administers accounts, rooms and tokens of a Matrix
// homeserver over plain HTTP: one driver per kind of server, the right one
// found by asking the server. It owns those calls, the retries that rate
// limits need, and the rules for names and passwords. It will not speak in
// rooms, keep state, or word errors for people: its errors are types that
// carry the facts, and no error, log line or String of it ever holds a secret.
package homeserver

import (
	"net/http"
	"strings"
	"time"
)

// Secret is a password, token or key. It prints as "[secret]" with every verb
// of fmt and as JSON, so that it cannot end up in a log by accident; Reveal
// gives the text.
type Secret string

// String hides the secret.
func (Secret) String() string { return "[secret]" }

// GoString hides the secret from %#v.
func (Secret) GoString() string { return "[secret]" }

// MarshalText hides the secret from encoders.
func (Secret) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }

// Reveal returns the secret's text, for the one place that has to send or
// store it.
func (s Secret) Reveal() string { return string(s) }

// Client speaks the calls that every Matrix homeserver answers.
type Client struct {
	address string
	http    *http.Client
}

// NewClient makes a client of the homeserver at address, e.g.
// "http://127.0.0.1:8008". A nil transport takes one with a timeout of 60 s a
// request. Redirects are not followed: a token must not travel to an address
// that nobody configured.
func NewClient(address string, transport http.RoundTripper) *Client {
	return &Client{
		address: strings.TrimRight(address, "/"),
		http: &http.Client{
			Transport:     transport,
			Timeout:       60 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Address is the homeserver's address without a trailing slash.
func (c *Client) Address() string { return c.address }
