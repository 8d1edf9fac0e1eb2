package harness

import (
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"
)

// Guard is the program's own socket proxy, at work between the program and an
// engine as an installation has it: what is not on its list does not work in
// the tests.
type Guard struct {
	Socket  string
	process *Process
}

// StartGuard starts one before the engine at a socket. images are the names
// that sandbox images are built under, beside OpenClaw's.
func StartGuard(ctx context.Context, binary, socket, engine string, images ...string) (*Guard, error) {
	args := []string{"socket-proxy", "--listen", socket, "--engine", engine, "--verbose", "--image", "openclaw-sandbox:bookworm-slim"}
	for _, image := range images {
		args = append(args, "--image", image)
	}
	process, err := start(binary, nil, io.Discard, args...)
	if err != nil {
		return nil, err
	}
	g := &Guard{Socket: socket, process: process}
	for !strings.Contains(process.Said(), "ready: ") {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("the socket proxy does not get ready: %w\n%s", ctx.Err(), process.Said())
		case <-process.done:
			return nil, fmt.Errorf("the socket proxy has ended: %w\n%s", process.err, process.Said())
		case <-time.After(10 * time.Millisecond):
		}
	}
	return g, nil
}

// Env is what points the program to it. An OpenClaw that the program starts
// itself needs more of Docker: give such a deployment the engine's.
func (g *Guard) Env() string { return "DOCKER_HOST=unix://" + g.Socket }

// Record is what it has let through since it started, each kind of request with
// how often, and the lines by which it refused something.
func (g *Guard) Record() (passed map[string]int, refused []string) {
	passed = map[string]int{}
	endpoint := regexp.MustCompile(`endpoint="([^"]*)"`)
	for line := range strings.Lines(g.process.Said()) {
		if found := endpoint.FindStringSubmatch(line); found != nil && strings.Contains(line, "let through") {
			passed[found[1]]++
		}
		if strings.Contains(line, "refused: ") {
			refused = append(refused, strings.TrimSpace(line))
		}
	}
	return passed, refused
}

// Stop ends it.
func (g *Guard) Stop(ctx context.Context) error {
	defer os.Remove(g.Socket)
	return g.process.Stop(ctx)
}
