package openclaw

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/openclaw/json5"
)

const gatewayToken = "only-for-this-test-0123456789"

// gatewayHouse is a configuration that a gateway starts with.
func gatewayHouse(port int) string {
	return fmt.Sprintf(`{
  // made by hand
  meta: { lastTouchedVersion: "2026.9.6" },
  gateway: { mode: "local", port: %d, bind: "loopback", auth: { mode: "token", token: "%s" } },
  plugins: { entries: { "admin-http-rpc": { enabled: true } } },
  agents: {
    ownership: "explicit",
    entries: {
      mox: { name: "Mox" }, // the first
      max: {},
    },
  },
}
`, port, gatewayToken)
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // it only reserved a number
	return l.Addr().(*net.TCPAddr).Port
}

// startGateway runs the real OpenClaw and waits until it is ready.
func startGateway(t *testing.T) (*Gateway, string) {
	t.Helper()
	program := realProgram(t)
	port := freePort(t)
	path := writeFile(t, os.Getenv("OPENCLAW_CONFIG_PATH"), gatewayHouse(port))
	log, err := os.Create(filepath.Join(t.TempDir(), "gateway.log"))
	must(t, err)
	cmd := exec.Command(program, "gateway", "run")
	cmd.Env = append(os.Environ(), "OPENCLAW_CONFIG_READONLY=1")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	g, err := NewGateway(fmt.Sprintf("http://127.0.0.1:%d", port), func() (string, error) { return gatewayToken, nil }, &http.Client{Timeout: 20 * time.Second})
	must(t, err)
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(500 * time.Millisecond) {
		state, err := g.State(context.Background())
		if err == nil && state.InForce() {
			return g, path
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(log.Name())
			t.Fatalf("the gateway does not get ready: %v\n%s", err, text)
		}
	}
}

// TestRealGatewayApplies edits under a running gateway and measures how long it takes to apply the edits.
func TestRealGatewayApplies(t *testing.T) {
	g, path := startGateway(t)
	for _, c := range []struct {
		name string
		edit EditFunc
	}{
		{"set", SetInAgent("mox", parsePath(t, "sandbox.docker.memory"), json5.StringValue("8g"))},
		{"add agent", AddAgent(NewAgent{ID: "mix", CopyOf: "mox"})},
		{"bind", Bind(BindRoom{AgentID: "mix", Room: "!a:host.org"})},
		{"unset", UnsetInAgent("mox", parsePath(t, "sandbox"))},
		{"remove agent", RemoveAgent("mix")},
	} {
		config, err := LoadConfig(path)
		must(t, err)
		plan, err := config.Plan(c.edit)
		must(t, err)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		outcome, err := g.Commit(ctx, plan)
		cancel()
		must(t, err)
		if outcome.Verdict != Applied {
			t.Errorf("%s: %+v", c.name, outcome)
		}
		t.Logf("%s: applied after %.2f s", c.name, outcome.Took.Seconds())
	}
	wantRejection(t, g, path)
	if data, err := os.ReadFile(path); err != nil || !strings.Contains(string(data), "mox: { name: \"Mox\" }, // the first") || !strings.Contains(string(data), "// made by hand") {
		t.Errorf("comments were lost (%v):\n%s", err, data)
	}
}

// wantRejection writes what the gateway refuses, and wants the file back as it was.
func wantRejection(t *testing.T, g *Gateway, path string) {
	t.Helper()
	before, err := os.ReadFile(path)
	must(t, err)
	config, err := LoadConfig(path)
	must(t, err)
	plan, err := config.Plan(SetInAgent("mox", parsePath(t, "nam"), json5.StringValue("x")))
	must(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	outcome, err := g.Commit(ctx, plan)
	must(t, err)
	if outcome.Verdict != Rejected || len(outcome.Issues) == 0 {
		t.Errorf("an invalid change: %+v", outcome)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("the file was not put back (%v):\n%s", err, after)
	}
}

func TestGatewayRefusals(t *testing.T) {
	token := func() (string, error) { return "x", nil }
	var far *NotLoopbackError
	if _, err := NewGateway("http://192.0.2.1:18789", token, http.DefaultClient); !errors.As(err, &far) {
		t.Errorf("a gateway far away: %v", err)
	}
	g, err := NewGateway(fmt.Sprintf("http://127.0.0.1:%d", freePort(t)), token, http.DefaultClient)
	must(t, err)
	var down *GatewayDownError
	if _, err := g.State(context.Background()); !errors.As(err, &down) || !down.Refused() {
		t.Errorf("nobody listens: %v", err)
	}
	plan, err := loadText(t, entriesHouse).Plan(UnsetInAgent("max", parsePath(t, "skills")))
	must(t, err)
	outcome, err := g.Commit(context.Background(), plan)
	if err != nil || outcome.Verdict != Unknown || len(outcome.Changes) != 1 || !errors.As(outcome.Err, &down) {
		t.Errorf("a change while the gateway is down: %+v, %v", outcome, err)
	}
}
