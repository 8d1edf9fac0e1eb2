package isolation

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/event"

	"github.com/githabideri/fraktalia/e2e/client"
	"github.com/githabideri/fraktalia/e2e/harness"
	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
)

// clawHouse has an agent with a sandbox on Docker's own network, and one
// without any sandbox.
const clawHouse = `{
  // made by hand
  meta: { lastTouchedVersion: '2026.9.6' },
  agents: {
    ownership: 'explicit',
    entries: {
      mox: { sandbox: { mode: 'all', docker: { network: 'bridge', memory: '4g' } } }, // the first
      ivy: { name: 'Ivy' },
    },
  },
}
`

// house is a deployment in the world, with its owner in the admin room.
type house struct {
	*world
	*harness.Deployment
	admin  *client.Room
	claw   string // OpenClaw's configuration
	crashy string // the binary with crash points
	image  string // of a sandbox
}

// newHouse brings a whole deployment up in the world.
func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{world: newWorld(t)}
	h.hurry()
	h.count()
	dir, remove, err := harness.Folder()
	check(t, err)
	t.Cleanup(remove)
	h.claw = filepath.Join(dir, ".openclaw", "openclaw.json")
	check(t, os.MkdirAll(filepath.Dir(h.claw), 0o700))
	check(t, os.WriteFile(h.claw, []byte(clawHouse), 0o600))
	ctx := within(t)
	h.crashy, err = harness.Build(ctx, h.dir, "crashpoints")
	check(t, err)
	h.Deployment, err = harness.New(ctx, h.binary, dir)
	check(t, err)
	guard, err := harness.StartGuard(ctx, h.binary, filepath.Join(dir, "guard.sock"), strings.TrimPrefix(os.Getenv("DOCKER_HOST"), "unix://"))
	check(t, err)
	t.Cleanup(func() {
		passed, refused := guard.Record()
		if passed["POST /images/create?fromSrc"] == 0 || len(refused) > 0 {
			t.Errorf("the socket proxy let through %v and refused %q", passed, refused)
		}
		check(t, guard.Stop(context.Background()))
	})
	h.Env = []string{"HOME=" + dir, guard.Env()}
	check(t, h.Up(ctx))
	t.Cleanup(func() { h.Process.Kill() })
	check(t, h.Process.Stop(ctx))
	check(t, h.SetConfig(`socket: ""`, `socket: "no-tailscaled"`))
	check(t, h.SetConfig(`subnets: []`, `subnets: [10.99.0.0/24, "fd99::/64"]`))
	check(t, h.Up(ctx))
	owner, err := h.Owner(ctx)
	check(t, err)
	t.Cleanup(func() { owner.Close() })
	_, err = owner.Sign(ctx)
	check(t, err)
	h.admin, err = owner.Enter(ctx, h.AdminRoom, h.BotUserID)
	check(t, err)
	h.image = sandboxtest.Image(t)
	return h
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// count has the kernel count what leaves for public addresses, but for
// questions to the machine's name server.
func (w *world) count() {
	w.sh(`nft -f - <<'END'
table inet counted {
	chain out {
		type filter hook postrouting priority 0;
		udp dport 53 accept
		oifname "eth0" meta l4proto { tcp, udp } ip daddr != { 10.0.0.0/8, 100.64.0.0/10, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16, 224.0.0.0/3 } counter comment "public"
		oifname "eth0" meta l4proto { tcp, udp } ip6 daddr 2000::/3 ip6 daddr != 2a02:aaaa:0:1::/64 counter comment "public"
	}
}
END`)
}

// public is how many packets have left for public addresses.
func (w *world) public() (sum int) {
	for _, found := range regexp.MustCompile(`counter packets (\d+) `).FindAllStringSubmatch(w.sh("nft list table inet counted"), -1) {
		n, err := strconv.Atoi(found[1])
		check(w.t, err)
		sum += n
	}
	return sum
}

// say types a line in the room and wants an answer: done or not, with these words.
func (h *house) say(line string, ok bool, words ...string) string {
	h.t.Helper()
	ctx := within(h.t)
	turn, err := h.admin.Say(ctx, line)
	check(h.t, err)
	out, err := turn.Final(ctx)
	check(h.t, err)
	h.t.Logf("%s\n%s", line, out.Body)
	for _, word := range words {
		if !strings.Contains(out.Body, word) || out.OK != ok {
			h.t.Errorf("%s: ok=%v, and not %q in\n%s", line, out.OK, word, out.Body)
		}
	}
	return out.Body
}

// alerted waits for a message by the bot's own will.
func (h *house) alerted(words string) {
	h.t.Helper()
	_, err := h.admin.WaitBot(within(h.t), func(e client.Event) bool {
		return e.Type == event.EventMessage.Type && strings.Contains(e.Content.AsMessage().Body, words)
	})
	check(h.t, err)
}

// sandbox starts a container as OpenClaw would.
func (h *house) sandbox(network string) string {
	h.t.Helper()
	return sandboxtest.Start(h.t, sandboxtest.Sandbox{Image: h.image, Agent: "mox", Network: network, Listen: []string{":9005"}})
}

// wantGone wants a container to be removed, and the file to be as it says.
func (h *house) wantGone(container, text string) {
	h.t.Helper()
	if there := sandboxtest.Docker(h.t, "ps", "-aq", "--no-trunc", "--filter", "id="+container); there != "" {
		h.t.Errorf("the container %s is still there", container)
	}
	now, err := os.ReadFile(h.claw)
	check(h.t, err)
	if string(now) != text {
		h.t.Errorf("the file is\n%s\nand not\n%s", now, text)
	}
}

func TestIsolationInTheRoom(t *testing.T) {
	if !sandboxtest.InOwnNetwork(t) {
		return
	}
	h := newHouse(t)
	t.Run("without the network nothing is tried", h.withoutNetwork)
	h.sh(h.Binary + " firewall apply --config " + h.Config())
	t.Run("an agent is isolated, let out, and isolated again", h.onAndOff)
	t.Run("the room hears of a change for the worse", h.worse)
}

// A deployment whose engine has no isolated network talks to nobody but the
// home's own, whatever is said to it.
func (h *house) withoutNetwork(t *testing.T) {
	const none = "There is no isolated network fraktalia yet. Make it in the machine's shell: sudo fraktalia firewall apply"
	h.say("!status", true, "isolation", "there is no isolated network fraktalia")
	h.say("!isolation", false, none)
	h.say("!isolation on mox", false, none)
	h.wantGone("nobody", clawHouse)
	sandboxtest.Docker(t, "network", "create", "fraktalia") // somebody else's is as none
	h.say("!isolation", false, none)
	sandboxtest.Docker(t, "network", "rm", "fraktalia")
	if n := h.public(); n != 0 {
		t.Errorf("%d packets left for public addresses:\n%s", n, h.sh("nft list table inet counted"))
	}
}

func (h *house) onAndOff(t *testing.T) {
	isolated := strings.Replace(clawHouse, "network: 'bridge'", "network: 'fraktalia'", 1)
	h.say("!status", true, "nothing has been tried from inside yet")
	first := h.sandbox("")
	h.say("!isolation on mox", true, "Its container was taken away; OpenClaw makes a new one when it needs one: in a sandbox on the network fraktalia.")
	h.wantGone(first, isolated)
	second := h.sandbox("fraktalia")
	h.say("!isolation", true, "went as expected", "Isolated, or without any network: mox.", "ivy: on this machine itself, without a sandbox")
	if h.public() == 0 {
		t.Error("the internet was not tried, or its packets are not counted: that none left before proves nothing")
	}
	h.say("!status", true, "tries from inside", "as expected; not isolated: ivy (on this machine itself, without a sandbox)")
	h.say("!undo", true, "Taken back: !isolation on mox", "Its container was taken away", "on the network bridge")
	h.wantGone(second, clawHouse)
	h.say("!isolation off mox", true, "mox is not on the isolated network: in a sandbox on the network bridge.")
	h.say("!isolation on mox", true, "It has no container now")
	h.say("!isolation off mox", true, "on the network bridge") // as it was before, and not none
	h.wantGone("nobody", clawHouse)
	h.killed(t, "!isolation on mox", "", isolated, "mox is isolated already.", "was still on bridge")
	h.killed(t, "!isolation off mox", "fraktalia", clawHouse, "mox is not on the isolated network", "was still on fraktalia")
	h.say("!isolation on mox", true, "on the network fraktalia")
}

// killed has the program killed between the file and the container. It is told
// of, nobody is said to be where they are not, and the line again does the rest.
func (h *house) killed(t *testing.T, line, network, text string, words ...string) {
	stray := h.sandbox(network)
	check(t, h.Process.Stop(within(t)))
	whole := h.Binary
	h.Binary, h.Env = h.crashy, append(h.Env, "FRAKTALIA_CRASH_AT=config.written")
	check(t, h.Up(within(t)))
	turn, err := h.admin.Say(within(t), line)
	check(t, err)
	check(t, h.Process.WaitKilled(within(t)))
	h.Binary, h.Env = whole, h.Env[:len(h.Env)-1]
	check(t, h.Up(within(t)))
	out, err := turn.Final(within(t))
	check(t, err)
	if out.OK || !strings.Contains(out.Body, "!isolation tells where each agent and its container is now") {
		t.Errorf("%s: ok=%v\n%s", line, out.OK, out.Body)
	}
	if there := sandboxtest.Docker(t, "ps", "-q", "--no-trunc", "--filter", "id="+stray); there == "" {
		t.Error("it was not killed before the container was removed")
	}
	if network == "" {
		h.say("!isolation", true, "is still on bridge; !recreate-sandbox mox makes it anew")
		h.say("!status", true, "is still on bridge")
	}
	h.say(line, true, words...)
	h.wantGone(stray, text)
}

func (h *house) worse(*testing.T) {
	h.say("!doctor --deep", false, "isolation", "as expected; not isolated: ivy", "agent ivy", "see openclaw gateway")
	h.sh("nft insert rule inet fraktalia out_of_sandbox ip daddr 192.168.50.0/24 accept")
	h.say("!doctor", false, "as expected; not isolated: ivy") // looks at the last try only
	h.engine.Stop()
	h.engine.Start()
	h.alerted("is not isolated as it should be")
	h.say("!status", true, "were a surprise", "sudo fraktalia firewall apply repairs the rules")
	h.say("!isolation", false, "were a surprise", "the LAN's router")
	h.say("!doctor --deep", false, "were a surprise", "→ sudo fraktalia firewall apply repairs the rules")
	h.sh(h.Binary + " firewall apply --config " + h.Config())
	h.say("!isolation", true, "went as expected")
	h.sh(h.Binary + " firewall remove --config " + h.Config())
	h.engine.Stop()
	h.engine.Start()
	h.alerted("The isolated network fraktalia is gone")
}
