package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/event"

	"github.com/githabideri/fraktalia/e2e/client"
	"github.com/githabideri/fraktalia/e2e/harness"
)

// house is a deployment with the real OpenClaw and the people in it.
type house struct {
	*harness.Whole
	agent               string
	admin, chat, friend *client.Room // the owner in both rooms, and a friend in the chat room
}

// moveInHouse brings a house up by the program's own command; its agent has a
// name of this run, for the engine is everybody's.
func moveInHouse(t *testing.T, name string) *house {
	t.Helper()
	ctx := patient(t)
	agent := strings.ToLower(name + shared.run[:4])
	whole, err := harness.NewWhole(ctx, shared.Binary, filepath.Join(shared.dir, name), agent, shared.image(), shared.engine.Env())
	must(t, err)
	h := &house{Whole: whole, agent: agent}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(h.LastWords(), "\n", h.GatewayWords())
		}
		if err := h.Down(within(t)); err != nil {
			t.Error(err)
		}
	})
	begun := time.Now()
	must(t, h.UpWithOpenClaw(ctx))
	t.Logf("up --with-openclaw, with warm caches: ready after %.1f s", time.Since(begun).Seconds())
	owner, err := h.Owner(ctx)
	must(t, err)
	t.Cleanup(func() { owner.Close() })
	_, err = owner.Sign(ctx)
	must(t, err)
	h.admin, err = owner.Enter(ctx, h.AdminRoom, h.BotUserID)
	must(t, err)
	h.chat, err = owner.Enter(ctx, h.ChatRoom, h.BotUserID)
	must(t, err)
	h.friend, err = moveInto(ctx, h.Deployment, h.admin, "felix")
	must(t, err)
	t.Cleanup(func() { h.friend.Client().Close() })
	return h
}

func (h *house) agentID() string { return "@" + h.agent + ":" + harness.ServerName }

// asks says something in the chat room and waits for the agent's answer.
func (h *house) asks(ctx context.Context, t *testing.T, who *client.Room, text, want string) {
	t.Helper()
	before := len(who.Client().Record.Events(who.ID))
	_, err := who.Say(ctx, text)
	must(t, err)
	err = who.Client().Record.Wait(ctx, func() bool {
		for _, e := range who.Client().Record.Events(who.ID)[before:] {
			if string(e.Sender) == h.agentID() && e.Type == event.EventMessage.Type && strings.Contains(e.Content.AsMessage().Body, want) {
				return true
			}
		}
		return false
	})
	if err != nil {
		t.Fatalf("asked %q, the agent does not say %q: %v\nThe model was asked %q", text, want, err, h.Model.Asked())
	}
}

// page fetches what a port of this machine serves.
func page(ctx context.Context, port int) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/", port), nil)
	if err != nil {
		return "", err
	}
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return string(text), err
}

// pageUntil waits until a port serves the agent's page.
func pageUntil(ctx context.Context, t *testing.T, port int) {
	t.Helper()
	want := fmt.Sprintf("page of the agent on %d", port)
	for {
		text, err := page(ctx, port)
		if err == nil && strings.Contains(text, want) {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("port %d does not serve %q: %q, %v", port, want, text, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// The whole path: a friend talks to the agent, the agent serves a page, the
// owner opens it; and it is open again for the container that comes after the
// image is built anew.
func TestAFriendTheAgentAndThePage(t *testing.T) {
	h := moveInHouse(t, "whole")
	ctx := patient(t)
	begun := time.Now()
	h.asks(ctx, t, h.friend, `say: "hello felix"`, "hello felix")
	t.Logf("the agent's first answer after %.1f s", time.Since(begun).Seconds())
	h.asks(ctx, t, h.friend, "serve a page on 9005", "The page is on port 9005.")
	if out := say(t, h.admin, "!forward 9005"); !out.OK {
		t.Fatal(out.Body)
	}
	pageUntil(ctx, t, 9005)
}
