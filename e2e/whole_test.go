package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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
	engine              *harness.Engine // shows this house's containers only
	agent, image        string
	admin, chat, friend *client.Room // the owner in both rooms, and a friend in the chat room
}

// moveInHouse brings a house up by the program's own command; its agent has a
// name of this run, for the engine is everybody's. Pairs of words say what else
// than usual its configuration has.
func moveInHouse(t *testing.T, name string, config ...string) *house {
	t.Helper()
	return moveInHouseBy(t, shared.Binary, name, config...)
}

// moveInHouseBy is moveInHouse with another build of the program.
func moveInHouseBy(t *testing.T, binary, name string, config ...string) *house {
	t.Helper()
	shared.gateway.Lock() // two at once keep a small machine so busy that neither is ready in time
	t.Cleanup(shared.gateway.Unlock)
	ctx := patient(t)
	agent := strings.ToLower(name + shared.run[:4])
	dir := filepath.Join(shared.dir, name)
	must(t, os.MkdirAll(dir, 0o700))
	image := "fraktalia-e2e-" + agent + ":test"
	engine := ownEngine(ctx, t, dir, name, image)
	whole, err := harness.NewWhole(ctx, binary, dir, agent, image, engine.Env())
	must(t, err)
	for pair := range slices.Chunk(config, 2) {
		must(t, whole.SetConfig(pair[0], pair[1]))
	}
	h := &house{Whole: whole, engine: engine, agent: agent, image: image}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(h.LastWords(), "\n", h.GatewayWords())
		}
		if err := h.Down(within(t)); err != nil {
			t.Error(err)
		}
	})
	// Somebody's own OpenClaw is on the machine, too.
	others, theirs := filepath.Join(dir, ".openclaw", "openclaw.json"), `{ agents: { list: [{ id: "max" }] } } // theirs`
	must(t, os.MkdirAll(filepath.Dir(others), 0o700))
	must(t, os.WriteFile(others, []byte(theirs), 0o600))
	begun := time.Now()
	must(t, h.UpWithOpenClaw(ctx))
	wantClaw(t, others, theirs)
	said := h.Process.Said()
	if !strings.Contains(said, "with the agents max). I leave it alone") {
		t.Errorf("of the other OpenClaw it says\n%s", said)
	}
	if strings.Contains(said, "OpenClaw was not brought up") {
		t.Fatal("there is no OpenClaw in the house")
	}
	t.Logf("up --with-openclaw, with warm caches: ready after %.1f s", time.Since(begun).Seconds())
	h.admin = ownerIn(ctx, t, h.Deployment)
	h.chat, err = h.admin.Client().Enter(ctx, h.ChatRoom, h.BotUserID)
	must(t, err)
	h.friend, err = moveInto(ctx, h.Deployment, h.admin, "felix")
	must(t, err)
	t.Cleanup(func() { h.friend.Client().Close() })
	return h
}

// ownerIn has a deployment's owner log in, as clients do with a cross-signed
// device, and come into the admin room.
func ownerIn(ctx context.Context, t *testing.T, d *harness.Deployment) *client.Room {
	t.Helper()
	owner, err := d.Owner(ctx)
	must(t, err)
	t.Cleanup(func() { owner.Close() })
	_, err = owner.Sign(ctx)
	must(t, err)
	admin, err := owner.Enter(ctx, d.AdminRoom, d.BotUserID)
	must(t, err)
	return admin
}

// ownEngine shows a house the containers that are its own, and removes what it has
// made.
func ownEngine(ctx context.Context, t *testing.T, dir, name, image string) *harness.Engine {
	t.Helper()
	engine, err := harness.OpenEngine(ctx, dir, shared.run+name)
	must(t, err)
	t.Cleanup(func() {
		must(t, engine.RemoveSandboxes(within(t)))
		for _, tag := range []string{image, image + "-previous"} {
			if engine.ImageID(within(t), tag) != "" {
				must(t, engine.RemoveImage(within(t), tag))
			}
		}
		must(t, engine.Down())
	})
	return engine
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

// pageGone waits until a port serves nothing.
func pageGone(ctx context.Context, t *testing.T, port int) {
	t.Helper()
	for {
		text, err := page(ctx, port)
		if err != nil && ctx.Err() == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("port %d still serves %q", port, text)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// The whole path: a friend talks to the agent, the agent serves a page, the
// owner opens it; the image is built anew, the container made anew, and the page
// that the agent serves then is at the same port, for nobody had to forward it
// again.
func TestAFriendTheAgentAndThePage(t *testing.T) {
	t.Parallel() // it has an engine, a homeserver and a gateway of its own
	h := moveInHouse(t, "whole")
	ctx := patient(t)
	begun := time.Now()
	h.asks(ctx, t, h.friend, `say: "hello felix"`, "hello felix")
	t.Logf("the agent's first answer after %.1f s", time.Since(begun).Seconds())
	h.examinedByItself(t)
	h.examined(t)
	one, other := sparePort(t, 9050), sparePort(t, 9055)
	h.serves(ctx, t, one)
	h.says(t, fmt.Sprintf("!forward %d", one))
	pageUntil(ctx, t, one)
	t.Run("a new image", func(t *testing.T) { h.newImage(ctx, t, one) })
	t.Run("the agent asks for a port", func(t *testing.T) { h.agentAsks(ctx, t, one, other) })
	t.Run("a restart", func(t *testing.T) { h.restart(ctx, t, one) })
}

// sparePort is one of five ports that nobody listens on: the same test may run
// twice on one machine.
func sparePort(t *testing.T, first int) int {
	t.Helper()
	for port := first; port < first+5; port++ {
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			must(t, l.Close())
			return port
		}
	}
	t.Fatalf("the ports from %d on are all taken", first)
	return 0
}

// serves has the friend ask the agent for a page.
func (h *house) serves(ctx context.Context, t *testing.T, port int) {
	t.Helper()
	h.asks(ctx, t, h.friend, fmt.Sprintf("serve a page on %d", port), fmt.Sprintf("The page is on port %d.", port))
}

// says has the owner type a line that is to be done.
func (h *house) says(t *testing.T, line string) string {
	t.Helper()
	turn, err := h.admin.Say(within(t), line)
	must(t, err)
	out, err := turn.Final(patient(t))
	must(t, err)
	if !out.OK {
		t.Fatalf("%s\n%s", line, out.Body)
	}
	return out.Body
}

// rebuild builds the image; that the agent's container is of the old one is told
// at the end, and left alone for now.
func (h *house) rebuild(ctx context.Context, t *testing.T) {
	t.Helper()
	turn, err := h.admin.Say(ctx, "!rebuild-sandbox")
	must(t, err)
	question, err := turn.WaitQuestion(ctx)
	must(t, err)
	if !strings.Contains(question.Body, "openclaw-sbx-") {
		t.Errorf("the container on the old image is not told of:\n%s", question.Body)
	}
	_, err = h.admin.React(ctx, question.ID, client.No)
	must(t, err)
	out, err := turn.Final(ctx)
	must(t, err)
	if !out.OK {
		t.Fatal(out.Body)
	}
}

func (h *house) newImage(ctx context.Context, t *testing.T, port int) {
	before := h.engine.ImageID(ctx, h.image)
	h.says(t, "!packages add figlet")
	h.rebuild(ctx, t)
	if after := h.engine.ImageID(ctx, h.image); after == before || after == "" {
		t.Fatalf("the image is %q, as before", after)
	}
	if said := h.says(t, "!recreate-sandbox "+h.agent+" --now"); !strings.Contains(said, "Removed: "+h.agent) {
		t.Errorf("%s", said)
	}
	// What ran in the old container went with it: a page is served again when
	// somebody asks the agent for it.
	pageGone(ctx, t, port)
	h.serves(ctx, t, port)
	pageUntil(ctx, t, port)
	if said := h.says(t, "!sandbox run "+h.agent+" -- figlet -I 1"); !strings.Contains(said, "202") {
		t.Errorf("the container is not of the new image:\n%s", said)
	}
}

// agentAsks has the agent, asked by a friend, write a command in the chat room:
// an owner's click opens the port, for as long as it was asked for.
func (h *house) agentAsks(ctx context.Context, t *testing.T, open, port int) {
	h.serves(ctx, t, port)
	line := fmt.Sprintf("!forward %d --for 1m", port)
	h.asks(ctx, t, h.friend, fmt.Sprintf("say: %q", line), line)
	shown, err := h.admin.WaitBot(ctx, func(e client.Event) bool {
		return e.Type == event.EventMessage.Type && strings.Contains(e.Content.AsMessage().Body, "Proposal") && strings.Contains(e.Content.AsMessage().Body, line)
	})
	must(t, err)
	if _, err := page(ctx, port); err == nil {
		t.Fatal("the port is open before an owner said yes")
	}
	_, err = h.admin.React(ctx, shown.ID, client.Yes)
	must(t, err)
	pageUntil(ctx, t, port)
	pageGone(ctx, t, port)
	if list := h.says(t, "!forwards"); strings.Contains(list, strconv.Itoa(port)) || !strings.Contains(list, strconv.Itoa(open)) {
		t.Errorf("%s", list)
	}
}

// restart stops everything and starts it again, without a word about OpenClaw.
func (h *house) restart(ctx context.Context, t *testing.T, port int) {
	must(t, h.Process.Stop(ctx))
	begun := time.Now()
	must(t, h.Up(ctx))
	t.Logf("up again: ready after %.1f s", time.Since(begun).Seconds())
	h.asks(ctx, t, h.friend, `say: "here again"`, "here again")
	t.Logf("the agent's first answer after that, %.1f s after the start", time.Since(begun).Seconds())
	pageUntil(ctx, t, port) // its container has run on
}
