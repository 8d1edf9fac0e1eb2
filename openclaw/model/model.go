// Package model asks a language model for one answer, over the interface of
// OpenAI that other providers and local servers have too. It finds out whether
// an address, a key and a model's name are right before anything is built on
// them; it chats with nobody.
package model

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// patience bounds one question: a local server may have to load the model first.
const patience = 2 * time.Minute

// mostAnswer bounds what is read of an answer.
const mostAnswer = 8 << 20

// Server is where a model is asked.
type Server struct {
	URL string // up to and with its version, such as https://api.openai.com/v1
	Key string // "" where none is needed
}

// ErrKey says that the server does not take the key.
type ErrKey struct{ Said string }

func (e ErrKey) Error() string { return "the key is refused: " + e.Said }

// ErrModel says that the server has no such model.
type ErrModel struct {
	Name, Said string
	Known      []string // what it has, where it tells
}

func (e ErrModel) Error() string { return fmt.Sprintf("no model %q: %s", e.Name, e.Said) }

// ErrServer says that the server cannot be used.
type ErrServer struct {
	URL string
	Err error
}

func (e ErrServer) Error() string { return fmt.Sprintf("the server %s: %v", e.URL, e.Err) }

// Unwrap gives the cause.
func (e ErrServer) Unwrap() error { return e.Err }

// Of is the server of the provider that gives out such keys, by how they begin;
// false where that is not known.
func Of(key string) (Server, bool) {
	for _, provider := range []struct{ prefix, url string }{
		{"sk-ant-", "https://api.anthropic.com/v1"},
		{"sk-or-", "https://openrouter.ai/api/v1"},
		{"gsk_", "https://api.groq.com/openai/v1"},
		{"AIza", "https://generativelanguage.googleapis.com/v1beta/openai"},
		{"xai-", "https://api.x.ai/v1"},
		{"sk-", "https://api.openai.com/v1"},
	} {
		if strings.HasPrefix(key, provider.prefix) {
			return Server{URL: provider.url, Key: key}, true
		}
	}
	return Server{}, false
}

// Models lists the models that the server names. Errors: ErrKey, ErrServer.
func (s Server) Models(ctx context.Context) ([]string, error) {
	var answer struct {
		Data []struct{ ID string }
	}
	if err := s.ask(ctx, http.MethodGet, "/models", nil, &answer); err != nil {
		return nil, s.worded(err)
	}
	var names []string
	for _, one := range answer.Data {
		names = append(names, strings.TrimPrefix(one.ID, "models/"))
	}
	if len(names) == 0 {
		return nil, ErrServer{s.URL, errors.New("it names no models")}
	}
	return names, nil
}

// Try asks a model to answer one word. Errors: ErrKey, ErrModel, ErrServer.
func (s Server) Try(ctx context.Context, name string) error {
	question := map[string]any{"model": name, "messages": []map[string]string{{"role": "user", "content": "Answer with the word: ready"}}}
	var answer struct {
		Choices []json.RawMessage
	}
	err := s.ask(ctx, http.MethodPost, "/chat/completions", question, &answer)
	var status statusError
	if errors.As(err, &status) && (status.code == http.StatusNotFound || status.code == http.StatusBadRequest) {
		known, err := s.Models(ctx)
		if err != nil && status.code == http.StatusNotFound {
			return ErrServer{s.URL, status} // not even a list: it is the address that is wrong
		}
		return ErrModel{Name: name, Said: status.said, Known: known}
	}
	if err == nil && len(answer.Choices) == 0 {
		err = errors.New("it answered, but not as a model does")
	}
	return s.worded(err)
}

// statusError is an answer other than 200.
type statusError struct {
	code int
	said string
}

func (e statusError) Error() string { return fmt.Sprintf("HTTP %d %s", e.code, e.said) }

func (s Server) worded(err error) error {
	var status statusError
	switch {
	case err == nil || errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &status) && (status.code == http.StatusUnauthorized || status.code == http.StatusForbidden):
		return ErrKey{Said: status.said}
	}
	return ErrServer{s.URL, err}
}

func (s Server) ask(ctx context.Context, method, path string, question, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var body io.Reader
	if question != nil {
		text, err := json.Marshal(question)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(s.URL, "/")+path, body)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if s.Key != "" {
		request.Header.Set("Authorization", "Bearer "+s.Key)
	}
	if strings.HasPrefix(s.URL, "https://api.anthropic.com/") { // its list of models takes no bearer
		request.Header.Set("X-Api-Key", s.Key)
		request.Header.Set("Anthropic-Version", "2023-06-01")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, mostAnswer))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return statusError{response.StatusCode, complaint(text)}
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return errors.New("its answer is no JSON")
	}
	return nil
}

// complaint is what an error's body says, in one line.
func complaint(text []byte) string {
	var body struct {
		Error json.RawMessage `json:"error"`
	}
	var inner struct {
		Message string `json:"message"`
	}
	said := string(text)
	if json.Unmarshal(text, &body) == nil && len(body.Error) > 0 {
		said = string(body.Error)
		if json.Unmarshal(body.Error, &inner) == nil && inner.Message != "" {
			said = inner.Message
		}
	}
	said = strings.Join(strings.Fields(said), " ")
	return said[:min(len(said), 300)]
}
