package model

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// server answers as OpenAI's interface does, for one key and one model.
func server(t *testing.T) Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body [512]byte
		n, _ := r.Body.Read(body[:])
		switch {
		case r.Header.Get("Authorization") != "Bearer right":
			http.Error(w, `{"error":{"message":"Incorrect API key."}}`, http.StatusUnauthorized)
		case r.URL.Path == "/v1/models":
			_, _ = w.Write([]byte(`{"data":[{"id":"models/parrot"}]}`))
		case r.URL.Path != "/v1/chat/completions":
			http.NotFound(w, r)
		case !strings.Contains(string(body[:n]), `"parrot"`):
			http.Error(w, `{"error":"no such model"}`, http.StatusNotFound)
		default:
			_, _ = w.Write([]byte(`{"choices":[{"message":{"content":"ready"}}]}`))
		}
	}))
	t.Cleanup(s.Close)
	return Server{URL: s.URL + "/v1", Key: "right"}
}

func TestTry(t *testing.T) {
	s := server(t)
	if err := s.Try(t.Context(), "parrot"); err != nil {
		t.Error(err)
	}
	var name ErrModel
	if err := s.Try(t.Context(), "owl"); !errors.As(err, &name) || len(name.Known) != 1 || name.Known[0] != "parrot" {
		t.Errorf("a model that is not there: %v", err)
	}
	var key ErrKey
	if err := (Server{URL: s.URL, Key: "wrong"}).Try(t.Context(), "parrot"); !errors.As(err, &key) || key.Said != "Incorrect API key." {
		t.Errorf("a wrong key: %v", err)
	}
	var other ErrServer
	for _, url := range []string{"http://127.0.0.1:1/v1", strings.TrimSuffix(s.URL, "/v1") + "/v2", "no address"} {
		if err := (Server{URL: url, Key: "right"}).Try(t.Context(), "parrot"); !errors.As(err, &other) {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// A server that answers with something else is no model.
func TestTrySomethingElse(t *testing.T) {
	for _, body := range []string{"<html>", "{}", `{"choices":[]}`} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
		var other ErrServer
		if err := (Server{URL: s.URL}).Try(t.Context(), "parrot"); !errors.As(err, &other) {
			t.Errorf("%s: %v", body, err)
		}
		s.Close()
	}
}

func TestOf(t *testing.T) {
	for key, want := range map[string]string{"sk-ant-x": "anthropic", "sk-or-x": "openrouter", "sk-x": "openai.com", "gsk_x": "groq", "AIzax": "google", "xai-x": "x.ai"} {
		if s, ok := Of(key); !ok || !strings.Contains(s.URL, want) || s.Key != key {
			t.Errorf("%s: %+v", key, s)
		}
	}
	if _, ok := Of("hello"); ok {
		t.Error("hello is taken for a key")
	}
}
