package sandbox

import (
	"bufio"
	"context"
	"fmt"
	"io"
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
	ctx, cancel := context.WithTimeout(context.Background(), killLimit)
	defer cancel()
	// Asked first: engines take a program whose streams are closed for one that
	// has ended, although it runs on (seen: 20.10).
	pid := p.pid(ctx)
	p.Close()
	// The engine makes each program the leader of a group: its children go too.
	if number := inside(pid, p.container); number != "" {
		p.engine.runToEnd(ctx, p.container, Command{Args: []string{"/bin/sh", "-c", "kill -KILL -" + number}, User: p.user})
	}
}

// pid is the program's number on the engine's machine; 0 when it does not run.
// A program writes before the engine has noted its number.
func (p *Process) pid(ctx context.Context) int {
	for {
		state, err := p.engine.api.ContainerExecInspect(ctx, p.id)
		if err != nil || !state.Running {
			return 0
		}
		if state.Pid != 0 {
			return state.Pid
		}
		select {
		case <-ctx.Done():
			return 0
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// runToEnd runs what nobody waits for the answer of. It reads to the end of the
// stream: until a program has started the engine says of it, too, that it does
// not run, and a stream closed before then takes the program with it.
func (e *Engine) runToEnd(ctx context.Context, id string, c Command) {
	process, err := e.StartExec(ctx, id, c)
	if err != nil {
		return
	}
	defer process.Close()
	defer context.AfterFunc(ctx, func() { process.Close() })()
	io.Copy(io.Discard, process)
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
