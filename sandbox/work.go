package sandbox

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
)

// Work is a program that runs in a container beside its own one.
type Work struct {
	Command string        // as its arguments read; the agent decides what stands there
	Age     time.Duration // 0 where it is not known
}

// RelayProgram is the forwarder's own helper inside sandboxes: it runs there
// for us, and makes no container busy.
const RelayProgram = "fraktalia-relay"

// psColumns are what the engine's machine is asked for; the last may have blanks.
const psColumns = "pid,ppid,stat,etimes,args"

// Works lists what runs in a container beside its own program: what an
// agent has started and not ended, servers in the background too. A container
// without any can be removed and nobody's work is cut off.
func (e *Engine) Works(ctx context.Context, c Container) ([]Work, error) {
	if c.pid == 0 {
		return nil, nil
	}
	top, err := e.api.ContainerTop(ctx, c.ID, []string{"-o", psColumns})
	if err != nil {
		return e.execs(ctx, c, err) // there is no ps on the engine's machine
	}
	var found []Work
	for _, row := range top.Processes {
		if len(row) != len(top.Titles) || c.own(row) {
			continue
		}
		age, _ := strconv.Atoi(row[3])
		found = append(found, Work{Command: row[4], Age: time.Duration(age) * time.Second})
	}
	return found, nil
}

// own says whether a row of psColumns is the container's own program, with or
// without an init above it, our relay, or a process that has ended.
func (c Container) own(row []string) bool {
	pid, parent, state, command := row[0], row[1], row[2], row[4]
	main := strconv.Itoa(c.pid)
	return pid == main || strings.HasPrefix(state, "Z") || relays(command) ||
		parent == main && command == strings.Join(c.command, " ")
}

func relays(command string) bool {
	program, _, _ := strings.Cut(command, " ")
	return program[strings.LastIndexByte(program, '/')+1:] == RelayProgram
}

// execs asks the engine itself, which knows only what was started through it
// and still runs.
func (e *Engine) execs(ctx context.Context, c Container, otherwise error) ([]Work, error) {
	details, err := e.api.ContainerInspect(ctx, c.ID)
	if err != nil || details.State == nil || !slices.Contains([]string{container.StateRunning, container.StatePaused}, details.State.Status) {
		return nil, e.engineError(otherwise, "list the processes of container %.12s", c.ID)
	}
	var found []Work
	for _, id := range details.ExecIDs {
		if state, err := e.api.ContainerExecInspect(ctx, id); err == nil && state.Running {
			found = append(found, Work{Command: "a command of the agent's"})
		}
	}
	return found, nil
}
