package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"

	"github.com/githabideri/fraktalia/e2e/client"
	"github.com/githabideri/fraktalia/e2e/harness"
)

// An ordinary user in Docker's group brings up the whole house. What takes root,
// the network behind the firewall, is said in one sentence with what to type; the
// sandbox has no network then, and a page in it is reached all the same.
func TestUpByAnOrdinaryUser(t *testing.T) {
	ctx := patient(t)
	h := &house{agent: strings.ToLower("user" + shared.run[:4])}
	dir, remove, err := harness.Folder()
	must(t, err)
	t.Cleanup(remove)
	must(t, os.Chmod(dir, 0o755))
	h.image = "fraktalia-e2e-" + h.agent + ":test"
	h.engine = ownEngine(ctx, t, dir, "user", h.image)
	h.Whole, err = harness.NewBareWhole(ctx, shared.Binary, dir, h.agent, h.engine.Env())
	must(t, err)
	h.Walled()
	must(t, h.ByOrdinaryUser(ctx, h.engine))
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(h.LastWords(), "\n", h.GatewayWords())
		}
		must(t, h.Down(within(t)))
	})
	must(t, h.Up(ctx))
	must(t, h.Process.Stop(ctx))
	must(t, h.Apart(h.image))
	must(t, h.UpWithOpenClaw(ctx))
	sentence := fmt.Sprintf("The agent's sandbox has no network, because this program does not run as root; forwarded ports work all the same. "+
		"To let it reach the internet, and nothing else: sudo fraktalia firewall apply --config %s, then !isolation on %s.", h.Config(), h.agent)
	if said := h.Process.Said(); !strings.Contains(said, sentence) {
		t.Errorf("the terminal has no %q:\n%s", sentence, said)
	}
	h.admin = ownerIn(ctx, t, h.Deployment)
	_, err = h.admin.WaitBot(ctx, func(e client.Event) bool { return e.Type == event.EventMessage.Type && says(e, sentence) })
	must(t, err)
	h.chat, err = h.admin.Client().Enter(ctx, h.ChatRoom, h.BotUserID)
	must(t, err)
	h.examinedByItself(t)
	port := sparePort(t, 9057)
	h.asks(ctx, t, h.chat, fmt.Sprintf("serve a page on %d", port), fmt.Sprintf("The page is on port %d.", port))
	h.says(t, fmt.Sprintf("!forward %d", port))
	pageUntil(ctx, t, port)
}
