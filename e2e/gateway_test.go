package e2e

import (
	"regexp"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/e2e/harness"
)

var appliedAfter = regexp.MustCompile(`applied by the gateway after ([0-9.]+) s`)

// The real OpenClaw applies what is typed in the room, and the room hears it in
// the same message.
func TestRealGatewayAppliesWhatIsTyped(t *testing.T) {
	s := newSolo(t, "gateway")
	port, err := harness.FreePort()
	must(t, err)
	whole := harness.OpenClawConfig(port)
	path, err := s.UseOpenClaw(whole, port)
	must(t, err)
	gateway, err := harness.StartOpenClaw(patient(t), path, port)
	must(t, err)
	t.Cleanup(gateway.Stop)
	s.start(t, gateway.Env())
	must(t, s.AwaitSchema(within(t)))
	for _, line := range []string{"!agent mox set sandbox.docker.memory 8g", "!addagent mix --copy mox", "!bind mix Friends", "!agent mox unset sandbox",
		"!removeagent mix --yes", "!undo", "!undo", "!undo", "!undo", "!undo"} {
		out := say(t, s.admin, line)
		took := appliedAfter.FindStringSubmatch(out.Body)
		if !out.OK || took == nil || !strings.Contains(out.Body, "valid for OpenClaw 2026.9.6") && line != "!undo" || len(out.Replies) != 1 {
			t.Fatalf("%s: ok=%v in %d messages\n%s", line, out.OK, len(out.Replies), out.Body)
		}
		t.Logf("%-40s applied %s s after it was written; the last word %.2f s after the command", line, took[1], out.Took.Seconds())
	}
	wantClaw(t, path, whole)
	for line, want := range map[string]string{
		"!agent mox set sandbox.docker.memry 8g":       "OpenClaw knows no sandbox.docker.memry in an agent's entry. Did you mean memory?",
		"!agent mox set sandbox.mode sometimes":        "OpenClaw would refuse this, so nothing was written: ",
		"!agent mox set sandbox.docker.pidsLimit many": "OpenClaw would refuse this, so nothing was written: ",
	} {
		if out := say(t, s.admin, line); out.OK || !strings.Contains(out.Body, want) {
			t.Errorf("%s: ok=%v\n%s", line, out.OK, out.Body)
		}
	}
	wantClaw(t, path, whole)
	t.Run("a gateway that runs with another file", func(t *testing.T) {
		must(t, s.Process.Stop(within(t)))
		must(t, s.SetConfig(path, clawFile(t, s.DataDir, whole)))
		s.start(t, gateway.Env())
		if out := say(t, s.admin, "!agent mox set name Moxie"); !out.OK || !strings.Contains(out.Body, "runs with another file, "+path) {
			t.Errorf("ok=%v\n%s", out.OK, out.Body)
		}
	})
}
