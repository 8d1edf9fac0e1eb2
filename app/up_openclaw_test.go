package app

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/stack"
	"github.com/githabideri/fraktalia/stack/stacktest"
)

// readyScript is ready as a gateway is. The real one is in e2e.
const readyScript = `
import http.server, os
open("pid.new", "w").write(str(os.getpid()))
os.rename("pid.new", "pid")
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *rest): pass
http.server.HTTPServer(("127.0.0.1", PORT), Ready).serve_forever()
`

// standIn starts a gateway that is none, and tells when it runs again after it
// has ended.
func standIn(t *testing.T) (gateway *stack.Gateway, dir string, recovered chan stack.Recovered) {
	t.Helper()
	python, err := exec.LookPath("python3")
	must(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	port := listener.Addr().(*net.TCPAddr).Port
	must(t, listener.Close())
	dir, recovered = t.TempDir(), make(chan stack.Recovered, 1)
	script := filepath.Join(dir, "gateway.py")
	write(t, strings.Replace(readyScript, "PORT", strconv.Itoa(port), 1), script)
	gateway = stack.NewGateway(stack.GatewayOptions{Node: python, Script: script, Path: os.Getenv("PATH"), State: dir, Port: port,
		Console: filepath.Join(dir, "console.log"), Log: stacktest.Quiet(), OnRecovered: func(r stack.Recovered) { recovered <- r }})
	t.Cleanup(func() { _ = gateway.Close() })
	must(t, gateway.Start(t.Context()))
	return gateway, dir, recovered
}

func gatewayPID(t *testing.T, dir string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "pid"))
	must(t, err)
	pid, err := strconv.Atoi(string(text))
	must(t, err)
	return pid
}

// An agent that comes later than it is waited for finds its gateway kept running
// all the same: it is started again when it ends, and goes with the program only.
func TestTheGatewayOfALateAgentIsKept(t *testing.T) {
	gateway, dir, recovered := standIn(t)
	news := make(chan reply.Doc, 8)
	c := &localClaw{data: dir, log: stacktest.Quiet(), screen: newScreen(io.Discard), gateway: gateway, news: news}
	ctx, stop := context.WithCancel(t.Context())
	announced, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- c.keep(ctx, nil, errAgentAway, func() { close(announced) }) }()
	<-announced
	if said := (<-news).Text(); !strings.Contains(said, "does not come into the chat room") {
		t.Errorf("it is said: %s", said)
	}
	first := gatewayPID(t, dir)
	must(t, syscall.Kill(first, syscall.SIGKILL))
	select {
	case <-recovered:
	case err := <-ended:
		t.Fatalf("nobody keeps it running: %v", err)
	}
	again := gatewayPID(t, dir)
	stop()
	must(t, <-ended)
	if again == first || syscall.Kill(again, 0) == nil {
		t.Errorf("%d came after %d, and runs on", again, first)
	}
}
