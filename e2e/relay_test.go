package e2e

import (
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/e2e/harness"
)

// away removes a sandbox when the test ends: others name no agent.
func away(t *testing.T) func(*harness.Sandbox, error) *harness.Sandbox {
	t.Helper()
	return func(s *harness.Sandbox, err error) *harness.Sandbox {
		t.Helper()
		must(t, err)
		t.Cleanup(func() { must(t, shared.engine.RemoveSandbox(within(t), s)) })
		return s
	}
}

func TestForwardReachesALoopbackService(t *testing.T) {
	away(t)(shared.engine.StartSandbox(within(t), "inner", "inside", "127.0.0.1:9031"))
	checkRelayed(t, "9031", "inner")
	fetchUntil(t, 9031, "inside")
}

func TestForwardReachesASandboxWithoutNetwork(t *testing.T) {
	box := away(t)(shared.engine.StartOfflineSandbox(within(t), "offline", "alone", "9032"))
	checkRelayed(t, "9032", "offline")
	fetchUntil(t, 9032, "alone")
	// It follows the sandbox that is made anew.
	must(t, shared.engine.RemoveSandbox(within(t), box))
	again, err := shared.engine.StartOfflineSandbox(within(t), "offline", "anew", "9032")
	must(t, err)
	*box = *again
	fetchUntil(t, 9032, "anew")
}

// checkRelayed forwards a port and looks for the way that is taken.
func checkRelayed(t *testing.T, port, agent string) {
	t.Helper()
	out := say(t, shared.admin, "!forward "+port+" --agent "+agent)
	t.Cleanup(func() { say(t, shared.admin, "!unforward "+port) })
	if !out.OK || !strings.Contains(out.Body, "answers") {
		t.Fatalf("ok=%v\n%s", out.OK, out.Body)
	}
	if list := say(t, shared.admin, "!forwards"); !strings.Contains(list.Body, "relay") {
		t.Errorf("!forwards does not say which way is used:\n%s", list.Body)
	}
}

func TestForwardToAnImageWithoutTheRelay(t *testing.T) {
	away(t)(shared.engine.StartBareSandbox(within(t), "bare", "inside", "127.0.0.1:9033"))
	out := say(t, shared.admin, "!forward 9033 --agent bare")
	t.Cleanup(func() { say(t, shared.admin, "!unforward 9033") })
	if !out.OK || !strings.Contains(out.Body, "relay") || !strings.Contains(out.Body, "!rebuild-sandbox") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	if status := say(t, shared.admin, "!status"); !strings.Contains(status.Body, "no relay") {
		t.Errorf("!status does not tell:\n%s", status.Body)
	}
}

// relayInTheImage looks whether the image that was just built has a relay
// that works: its own user, no network, a service on 127.0.0.1 alone.
func relayInTheImage(t *testing.T) {
	away(t)(shared.engine.StartImage(within(t), shared.image(), "built", "python3", "-c", `
from http.server import *
class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"built " + self.path.encode())
HTTPServer(("127.0.0.1", 9034), Page).serve_forever()`))
	out := say(t, shared.admin, "!forward 9034 --agent built")
	t.Cleanup(func() { say(t, shared.admin, "!unforward 9034") })
	if !out.OK {
		t.Fatal(out.Body)
	}
	fetchUntil(t, 9034, "built")
}
