package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/e2e/harness"
	"github.com/githabideri/fraktalia/openclaw/npmtest"
)

// realHouse is a configuration with which the real OpenClaw starts.
func realHouse(port int) string {
	return fmt.Sprintf(`{
  // made by hand
  meta: { lastTouchedVersion: "2026.9.6" },
  gateway: { mode: "local", port: %d, bind: "loopback", auth: { mode: "token", token: "only-for-this-test-0123456789" } },
  plugins: { entries: { "admin-http-rpc": { enabled: true } } },
  agents: {
    ownership: "explicit",
    entries: {
      mox: { name: "Mox" }, // the first
      max: {},
    },
  },
}
`, port)
}

// startOpenClaw runs the real gateway from npm on a configuration, and returns
// where its programs are.
func startOpenClaw(t *testing.T, path string, port int) (bin string) {
	t.Helper()
	dir, err := npmtest.Install(npmtest.Node, npmtest.OpenClaw)
	must(t, err)
	log, err := os.Create(filepath.Join(t.TempDir(), "gateway.log"))
	must(t, err)
	bin = filepath.Join(dir, "node_modules", ".bin")
	gateway := exec.Command(filepath.Join(bin, "openclaw"), "gateway", "run")
	gateway.Env = append(npmtest.Env(dir), "OPENCLAW_CONFIG_READONLY=1", "OPENCLAW_CONFIG_PATH="+path, "OPENCLAW_STATE_DIR="+filepath.Dir(path))
	gateway.Stdout, gateway.Stderr = log, log
	gateway.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	must(t, gateway.Start())
	t.Cleanup(func() {
		_ = syscall.Kill(-gateway.Process.Pid, syscall.SIGKILL)
		_ = gateway.Wait()
	})
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(500 * time.Millisecond) {
		answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/ready", port))
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return bin
			}
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(log.Name())
			t.Fatalf("the gateway does not get ready: %v\n%s", err, text)
		}
	}
}

var appliedAfter = regexp.MustCompile(`applied by the gateway after ([0-9.]+) s`)

// The real OpenClaw applies what is typed in the room, and the room hears it in
// the same message.
func TestRealGatewayAppliesWhatIsTyped(t *testing.T) {
	s := newSolo(t, "gateway")
	port, err := harness.FreePort()
	must(t, err)
	must(t, s.SetConfig("http://127.0.0.1:18789", fmt.Sprintf("http://127.0.0.1:%d", port)))
	path := clawFile(t, s.DataDir, realHouse(port))
	bin := startOpenClaw(t, path, port)
	s.start(t, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	awaitSchema(t, s)
	for _, line := range []string{"!agent mox set sandbox.docker.memory 8g", "!addagent mix --copy mox", "!bind mix Friends", "!agent mox unset sandbox",
		"!removeagent mix --yes", "!undo", "!undo", "!undo", "!undo", "!undo"} {
		out := say(t, s.admin, line)
		took := appliedAfter.FindStringSubmatch(out.Body)
		if !out.OK || took == nil || !strings.Contains(out.Body, "valid for OpenClaw 2026.9.6") && line != "!undo" || len(out.Replies) != 1 {
			t.Fatalf("%s: ok=%v in %d messages\n%s", line, out.OK, len(out.Replies), out.Body)
		}
		t.Logf("%-40s applied %s s after it was written; the last word %.2f s after the command", line, took[1], out.Took.Seconds())
	}
	wantClaw(t, path, realHouse(port))
	for line, want := range map[string]string{
		"!agent mox set sandbox.docker.memry 8g":       "OpenClaw knows no sandbox.docker.memry in an agent's entry. Did you mean memory?",
		"!agent mox set sandbox.mode sometimes":        "OpenClaw would refuse this, so nothing was written: ",
		"!agent mox set sandbox.docker.pidsLimit many": "OpenClaw would refuse this, so nothing was written: ",
	} {
		if out := say(t, s.admin, line); out.OK || !strings.Contains(out.Body, want) {
			t.Errorf("%s: ok=%v\n%s", line, out.OK, out.Body)
		}
	}
	wantClaw(t, path, realHouse(port))
}

// awaitSchema waits until the program has learned OpenClaw's schema.
func awaitSchema(t *testing.T, s *solo) {
	t.Helper()
	ctx := within(t)
	for {
		if found, _ := filepath.Glob(filepath.Join(s.DataDir, "cache", "openclaw-schema", "*", "names")); len(found) > 0 {
			return
		}
		must(t, ctx.Err())
		time.Sleep(100 * time.Millisecond)
	}
}
