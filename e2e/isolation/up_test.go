package isolation

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/event"

	"github.com/githabideri/fraktalia/e2e/client"
	"github.com/githabideri/fraktalia/e2e/harness"
	"github.com/githabideri/fraktalia/sandbox"
	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
)

// readyImage names the sandbox image that was built where there is an internet.
const readyImage = "FRAKTALIA_TEST_SANDBOX_IMAGE"

// As root, up puts the agent that it brings behind the firewall: the real OpenClaw
// makes its container on the isolated network, from which the internet is reached
// and no service of this machine, and a forwarded port works.
func TestUpPutsTheAgentBehindTheFirewall(t *testing.T) {
	if os.Getenv(readyImage) == "" {
		prepare(t)
	}
	machine := os.Getenv("DOCKER_HOST")
	if machine == "" {
		machine = "unix:///var/run/docker.sock"
	}
	if !sandboxtest.InOwnNetwork(t) {
		return
	}
	h := moveIn(t, machine)
	h.asks(t, "serve a page on 9055", "The page is on port 9055.")
	container := strings.TrimSpace(sandboxtest.Docker(t, "ps", "-q", "--filter", "label=openclaw.sandbox=1"))
	if on := sandboxtest.Docker(t, "inspect", "-f", "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}", container); strings.TrimSpace(on) != "fraktalia" {
		t.Fatalf("the agent's container is on %q", on)
	}
	h.say("!forward 9055", true)
	if text := h.page(9055); !strings.Contains(text, "page of the agent on 9055") {
		t.Errorf("the forwarded port serves %q", text)
	}
	for address, want := range map[string]bool{"10.99.0.1:80": false, "192.168.50.5:80": false, "192.168.50.20:80": false, "1.1.1.1:80": true} {
		if conn, err := net.DialTimeout("tcp", address, 5*time.Second); err != nil {
			t.Errorf("nothing listens at %s, so it proves nothing: %v", address, err)
		} else {
			conn.Close()
		}
		host, port, _ := net.SplitHostPort(address)
		try := fmt.Sprintf("import socket; socket.create_connection(('%s', %s), 5)", host, port)
		if out, err := exec.Command("docker", "exec", container, "python3", "-c", try).CombinedOutput(); (err == nil) != want {
			t.Errorf("from inside, %s: %v\n%s", address, err, out)
		}
	}
	h.say("!status", true, "tries from inside")
}

// prepare fetches and builds what needs an internet: the test's own network leads
// nowhere.
func prepare(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	check(t, harness.FetchAll(ctx))
	engine, err := sandbox.Connect("")
	check(t, err)
	defer engine.Close()
	base, err := engine.EnsureBase(ctx, sandbox.BaseOptions{Ref: "debian:bookworm-slim"}, nil)
	check(t, err)
	image := strings.ToLower(sandboxtest.UniqueName("fraktalia-test-python")) + ":test"
	build := exec.CommandContext(ctx, "docker", "build", "--tag", image, "-")
	build.Stdin = strings.NewReader("FROM " + base.Ref + "\nRUN apt-get update && apt-get install -y --no-install-recommends python3\n")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build an image with Python: %v\n%s", err, out)
	}
	t.Cleanup(func() { sandboxtest.Docker(t, "rmi", image) })
	t.Setenv(readyImage, image)
}

// home is a house that up has brought, with its owner in both rooms.
type home struct {
	*house
	whole *harness.Whole
	chat  *client.Room
}

func moveIn(t *testing.T, machine string) *home {
	t.Helper()
	h := &home{house: &house{world: newWorld(t)}}
	h.hurry()
	h.image = os.Getenv(readyImage)
	h.engine.Fetch(machine, h.image)
	dir, remove, err := harness.Folder()
	check(t, err)
	t.Cleanup(remove)
	ctx := within(t)
	h.whole, err = harness.NewWhole(ctx, h.binary, dir, "mox", h.image)
	check(t, err)
	h.whole.Walled()
	h.Deployment = h.whole.Deployment
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(h.LastWords(), "\n", h.whole.GatewayWords())
		}
		check(t, h.whole.Down(within(t)))
	})
	check(t, h.SetConfig(`subnets: []`, `subnets: [10.99.0.0/24, "fd99::/64"]`))
	made := h.killedAtTheNetwork(t)
	check(t, h.whole.UpWithOpenClaw(ctx))
	if now := sandboxtest.Docker(t, "network", "ls", "-q", "--no-trunc", "--filter", "name=fraktalia"); now != made {
		t.Errorf("the network was %s, and is %s", made, now)
	}
	owner, err := h.Owner(ctx)
	check(t, err)
	t.Cleanup(func() { owner.Close() })
	_, err = owner.Sign(ctx)
	check(t, err)
	h.admin, err = owner.Enter(ctx, h.AdminRoom, h.BotUserID)
	check(t, err)
	h.chat, err = owner.Enter(ctx, h.ChatRoom, h.BotUserID)
	check(t, err)
	h.firstDoctor(t)
	return h
}

// killedAtTheNetwork has the program killed as soon as it has made the network,
// whose id it returns.
func (h *home) killedAtTheNetwork(t *testing.T) string {
	t.Helper()
	crashy, err := harness.Build(within(t), h.dir, "crashpoints")
	check(t, err)
	whole, env := h.Binary, h.Env
	h.Binary, h.Env = crashy, append(slices.Clone(env), "FRAKTALIA_CRASH_AT=up.network")
	if h.whole.UpWithOpenClaw(within(t)) == nil {
		t.Fatal("it came up, and made no network")
	}
	check(t, h.Process.WaitKilled(within(t)))
	h.Binary, h.Env = whole, env
	return sandboxtest.Docker(t, "network", "ls", "-q", "--no-trunc", "--filter", "name=fraktalia")
}

// firstDoctor wants the first look at all to have tried the isolation from inside
// and the agent from end to end. That this world has no internet the image's line
// tells.
func (h *home) firstDoctor(t *testing.T) {
	t.Helper()
	shown, err := h.admin.WaitBot(within(t), func(e client.Event) bool {
		return e.Type == event.EventMessage.Type && strings.Contains(e.Content.AsMessage().Body, "I have tried every part after the first set-up")
	})
	check(t, err)
	body := shown.Content.AsMessage().Body
	t.Log(body)
	for _, want := range []string{"✅  isolation", "as expected", "✅  agent mox", "wrote a file in openclaw-sbx-"} {
		if !strings.Contains(body, want) {
			t.Errorf("the first doctor does not say %q", want)
		}
	}
}

// asks says something in the chat room and waits for the agent's answer.
func (h *home) asks(t *testing.T, text, want string) {
	t.Helper()
	ctx := within(t)
	before := len(h.chat.Client().Record.Events(h.chat.ID))
	_, err := h.chat.Say(ctx, text)
	check(t, err)
	check(t, h.chat.Client().Record.Wait(ctx, func() bool {
		for _, e := range h.chat.Client().Record.Events(h.chat.ID)[before:] {
			if string(e.Sender) == "@mox:"+harness.ServerName && e.Type == event.EventMessage.Type && strings.Contains(e.Content.AsMessage().Body, want) {
				return true
			}
		}
		return false
	}))
}

// page fetches what a port of this machine serves, as soon as it does.
func (h *home) page(port int) (text string) {
	h.t.Helper()
	h.await("the forwarded port", func() bool {
		answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/", port))
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		content, err := io.ReadAll(answer.Body)
		text = string(content)
		return err == nil
	})
	return text
}
