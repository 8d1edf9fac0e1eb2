package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/e2e/client"
)

// A friend makes the account with a token: once, in time, and not when revoked.
func TestTokens(t *testing.T) {
	ctx := within(t)
	out := say(t, shared.admin, "!adduser xena --token --for 2h")
	if !out.OK {
		t.Fatal(out.Body)
	}
	token := tokenLine(t, out.Body)
	list := say(t, shared.admin, "!tokens")
	if !strings.Contains(list.Body, "0 of 1") || !strings.Contains(list.Body, "@xena:fraktalia.test") || strings.Contains(list.Body, token) {
		t.Error(list.Body)
	}
	if status := register(ctx, t, "xena", token); status != http.StatusOK {
		t.Fatalf("registering with the token: %d", status)
	}
	if status := register(ctx, t, "yuri", token); status != http.StatusUnauthorized {
		t.Errorf("registering with it again: %d", status)
	}
	xena, err := shared.Person(ctx, "@xena:fraktalia.test", "a password of their own")
	must(t, err)
	defer xena.Close()
	_, err = xena.WaitInvite(ctx, shared.ChatRoom)
	must(t, err)
	_, err = xena.Enter(ctx, shared.ChatRoom, shared.BotUserID)
	must(t, err)
	waitSaid(t, shared.admin, "xena has logged in and is in Friends.")

	out = say(t, shared.admin, "!tokens new --uses 2")
	token = tokenLine(t, out.Body)
	if out := say(t, shared.admin, "!undo"); !out.OK || !strings.Contains(out.Body, "makes no account any more") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	if status := register(ctx, t, "zoe", token); status != http.StatusUnauthorized {
		t.Errorf("registering with a revoked token: %d", status)
	}
	_ = say(t, shared.admin, "!adduser zoe --token")
	_, out = decided(t, shared.admin, "!removeuser zoe", client.Yes)
	if !out.OK || !strings.Contains(out.Body, "the token is revoked, out of Friends") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	if list := say(t, shared.admin, "!tokens"); strings.Contains(list.Body, "zoe") {
		t.Error(list.Body)
	}
}

func tokenLine(t *testing.T, body string) string {
	t.Helper()
	_, rest, ok := strings.Cut(body, "Token: ")
	if !ok {
		t.Fatalf("no token in\n%s", body)
	}
	token, _, _ := strings.Cut(rest, "\n")
	return token
}

// register makes an account as Element does: asks, then shows the token, then
// the dummy stage.
func register(ctx context.Context, t *testing.T, name, token string) int {
	t.Helper()
	step := func(auth map[string]any) (int, string) {
		body := map[string]any{"username": name, "password": "a password of their own", "inhibit_login": true}
		if auth != nil {
			body["auth"] = auth
		}
		text, err := json.Marshal(body)
		must(t, err)
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, shared.Homeserver+"/_matrix/client/v3/register", bytes.NewReader(text))
		must(t, err)
		response, err := http.DefaultClient.Do(request)
		must(t, err)
		defer response.Body.Close()
		var answer struct{ Session string }
		must(t, json.NewDecoder(response.Body).Decode(&answer))
		return response.StatusCode, answer.Session
	}
	_, session := step(nil)
	status, _ := step(map[string]any{"type": "m.login.registration_token", "token": token, "session": session})
	if status == http.StatusUnauthorized {
		status, _ = step(map[string]any{"type": "m.login.dummy", "session": session})
	}
	return status
}
