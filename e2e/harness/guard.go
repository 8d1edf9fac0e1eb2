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

// Guard puts the program's own socket proxy between the program and the engine,
// as an installation has it: what is not on its list does not work in the tests.
// images are the names that sandbox images are built under, beside OpenClaw's.
func (e *Engine) Guard(ctx context.Context, binary string, images ...string) (err error) {
	args := []string{"socket-proxy", "--listen", e.guardSocket(), "--engine", e.Socket, "--verbose", "--image", "openclaw-sandbox:bookworm-slim"}
	for _, image := range images {
		args = append(args, "--image", image)
	}
	if e.guard, err = start(binary, nil, io.Discard, args...); err != nil {
		return err
	}
	for !strings.Contains(e.guard.Said(), "ready: ") {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the socket proxy does not get ready: %w\n%s", ctx.Err(), e.guard.Said())
		case <-e.guard.done:
			return fmt.Errorf("the socket proxy has ended: %v\n%s", e.guard.err, e.guard.Said())
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

// GuardedEnv is what points the program to the socket proxy. An OpenClaw that
// the program starts itself needs more of Docker: give such a deployment Env.
func (e *Engine) GuardedEnv() string { return "DOCKER_HOST=unix://" + e.guardSocket() }

func (e *Engine) guardSocket() string { return strings.TrimSuffix(e.Socket, ".sock") + "-guard.sock" }

// Guarded is what the socket proxy has let through since it started, each kind
// of request with how often, and the lines by which it refused something.
func (e *Engine) Guarded() (passed map[string]int, refused []string) {
	passed = map[string]int{}
	endpoint := regexp.MustCompile(`endpoint="([^"]*)"`)
	for line := range strings.Lines(e.guard.Said()) {
		if found := endpoint.FindStringSubmatch(line); found != nil && strings.Contains(line, "let through") {
			passed[found[1]]++
		}
		if strings.Contains(line, "refused: ") {
			refused = append(refused, strings.TrimSpace(line))
		}
	}
	return passed, refused
}

// Unguard stops the socket proxy.
func (e *Engine) Unguard(ctx context.Context) error {
	if e.guard == nil {
		return nil
	}
	defer os.Remove(e.guardSocket())
	return e.guard.Stop(ctx)
}
