package homeserver

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	for _, c := range []struct {
		name, header, body string
		want               time.Duration
	}{
		{"synapse", "5", `{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":4200}`, 5 * time.Second},
		{"dendrite", "", `{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":1500}`, 1500 * time.Millisecond},
		{"a proxy", "", "<html>", shortPause},
		{"nonsense", "-3", `{"retry_after_ms":-1}`, shortPause},
	} {
		if got := retryAfter(http.Header{"Retry-After": {c.header}}, []byte(c.body)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestRefusal(t *testing.T) {
	c := NewClient("http://example", nil)
	for _, answer := range []struct {
		status int
		body   string
		want   string
	}{
		{http.StatusBadGateway, "<html>", "cannot be reached"},
		{http.StatusUnauthorized, `{"errcode":"M_UNKNOWN_TOKEN"}`, "refuses our access token"},
		{http.StatusInternalServerError, `{"errcode":"M_UNKNOWN","error":"Internal"}`, "act: homeserver answered 500 M_UNKNOWN Internal"},
		{http.StatusFound, "", "answered 302"},
	} {
		err := c.refusal(request{action: "act", path: "/secret"}, answer.status, []byte(answer.body))
		if !strings.Contains(err.Error(), answer.want) || strings.Contains(err.Error(), "/secret") {
			t.Errorf("%d: %v, want %q", answer.status, err, answer.want)
		}
	}
}

// A path may hold a registration token, so no error may show one.
func TestErrorsHideThePath(t *testing.T) {
	c := NewClient("http://127.0.0.1:1", nil)
	err := c.call(t.Context(), request{action: "act", method: http.MethodGet, path: "/token/hunter2"}, nil)
	if !errors.As(err, new(ErrUnreachable)) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error %v", err)
	}
}
