package stack_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/stack"
	"github.com/githabideri/fraktalia/stack/stacktest"
)

// gatewayScript answers as a gateway does and starts another process, which
// takes itself out of the group. The real one is in e2e.
const gatewayScript = `
import http.server, os, subprocess, sys
helper = subprocess.Popen(["sleep", "600"], start_new_session=True)
open("pids", "w").write("%d %d" % (os.getpid(), helper.pid))
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
        self.wfile.write(os.environ["OPENCLAW_CONFIG_PATH"].encode())
    def log_message(self, *rest): pass
http.server.HTTPServer(("127.0.0.1", PORT), Ready).serve_forever()
`

func newGateway(t *testing.T, script string, recovered chan stack.Recovered) (*stack.Gateway, string, int) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	dir := t.TempDir()
	path := filepath.Join(dir, "gateway.py")
	if err := os.WriteFile(path, []byte(strings.Replace(script, "PORT", strconv.Itoa(port), 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	g := stack.NewGateway(stack.GatewayOptions{Node: python, Script: path, Path: os.Getenv("PATH"), State: dir, Port: port,
		Console: filepath.Join(dir, "console.log"), Log: stacktest.Quiet(), OnRecovered: func(r stack.Recovered) { recovered <- r }})
	t.Cleanup(func() { _ = g.Close() })
	return g, dir, port
}

// pids are those of the gateway and of what it has started.
func pids(t *testing.T, dir string) (gateway, helper int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "pids"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(string(text), "%d %d", &gateway, &helper); err != nil {
		t.Fatal(err)
	}
	return gateway, helper
}

func gone(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		line, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
		if err != nil || len(line) == 0 { // or nobody has waited for it yet
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d runs on: %q", pid, line)
		}
	}
}

// A gateway that ends by itself is started again, and nothing of it is left
// when it is closed, whatever it has started.
func TestGateway(t *testing.T) {
	recovered := make(chan stack.Recovered, 1)
	g, dir, port := newGateway(t, gatewayScript, recovered)
	if err := g.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/ready", port))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	ended := make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	go func() { ended <- g.Run(ctx) }()
	gateway, helper := pids(t, dir)
	if err := syscall.Kill(gateway, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-recovered
	gone(t, helper) // what the first one had left
	_, helper = pids(t, dir)
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	gone(t, helper)
}

// Another program on the gateway's port is named; a gateway that does not come
// up tells its last words.
func TestGatewayDoesNotComeUp(t *testing.T) {
	g, _, port := newGateway(t, gatewayScript, nil)
	taken, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	var inUse stack.ErrPortInUse
	if err := g.Start(t.Context()); !errors.As(err, &inUse) || inUse.Port != port {
		t.Errorf("a port that is taken: %v", err)
	}
	taken.Close()
	g, _, _ = newGateway(t, "import sys\nsys.exit('Config invalid: zork')\n# PORT", nil)
	var exited stack.ErrExited
	if err := g.Start(t.Context()); !errors.As(err, &exited) || exited.Code != 1 || !strings.Contains(err.Error(), "Config invalid: zork") {
		t.Errorf("a gateway that ends at once: %v", err)
	}
}
