package sandbox

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// killLimit bounds the killing of a program inside a container.
const killLimit = 5 * time.Second

// Kill closes the streams and kills the program if it still runs. The engine
// has no call for that: a shell inside the container does it, as the same
// user, and only where the engine is on this machine. Elsewhere, and in an
// image without a shell, a program that does not mind closed streams goes on.
func (p *Process) Kill() {
	p.Close()
	ctx, cancel := context.WithTimeout(context.Background(), killLimit)
	defer cancel()
	state, err := p.engine.api.ContainerExecInspect(ctx, p.id)
	if err != nil || !state.Running {
		return
	}
	// The engine makes each program the leader of a group: its children go too.
	if number := inside(state.Pid, p.container); number != "" {
		again, err := p.engine.StartExec(ctx, p.container, Command{Args: []string{"/bin/sh", "-c", "kill -KILL -" + number}, User: p.user})
		if err == nil {
			again.Status(ctx)
			again.Close()
		}
	}
}

// inside translates a process's number on this machine to the one that it has
// inside its container; "" where it is not a process of that container.
func inside(pid int, container string) string {
	groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil || !strings.Contains(string(groups), container) {
		return ""
	}
	status, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return ""
	}
	defer status.Close()
	for lines := bufio.NewScanner(status); lines.Scan(); {
		if numbers, ok := strings.CutPrefix(lines.Text(), "NSpid:"); ok {
			words := strings.Fields(numbers)
			return words[len(words)-1]
		}
	}
	return ""
}

// exitCode waits for the engine to notice the end: the stream ends a little
// before that.
func (e *Engine) exitCode(ctx context.Context, execID string) (int, error) {
	for {
		state, err := e.api.ContainerExecInspect(ctx, execID)
		if err != nil {
			return 0, e.engineError(err, "ask for the exit status")
		}
		if !state.Running {
			return state.ExitCode, nil
		}
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
