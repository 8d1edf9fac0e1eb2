package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Process is one run of the program.
type Process struct {
	cmd   *exec.Cmd
	noise *noise
	done  chan struct{}
	err   error // of Wait; read after done
}

// start runs the program in a process group of its own, with what it says on
// standard error kept.
func start(binary string, env []string, stdout io.Writer, args ...string) (*Process, error) {
	p := &Process{cmd: exec.Command(binary, args...), noise: &noise{}, done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = stdout, p.noise
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = 5 * time.Second
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(binary), err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// PID is the process's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Said is what the process wrote to standard error.
func (p *Process) Said() string { return p.noise.String() }

// AwaitSaid waits until the process has written something to standard error: what
// it says there may come a moment later than what it says on standard output.
func (p *Process) AwaitSaid(ctx context.Context, text string) error {
	for !strings.Contains(p.Said(), text) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the program does not say %q: %w\n%s", text, ctx.Err(), p.Said())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// Stop asks the process to end, as Ctrl-C does, and waits until it has.
func (p *Process) Stop(ctx context.Context) error {
	if p.Ended() {
		return nil
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop: %w", err)
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		return fmt.Errorf("the program does not stop: %w\n%s", ctx.Err(), p.Said())
	}
	if p.err != nil {
		return fmt.Errorf("the program ended badly: %w\n%s", p.err, p.Said())
	}
	return nil
}

// Kill ends the process at once, as kill -9 does.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// WaitKilled waits until the process has ended by SIGKILL, as at a crash
// point.
func (p *Process) WaitKilled(ctx context.Context) error {
	select {
	case <-p.done:
	case <-ctx.Done():
		return fmt.Errorf("the program did not come to its crash point: %w\n%s", ctx.Err(), p.Said())
	}
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || status.Signal() != syscall.SIGKILL {
		return fmt.Errorf("the program ended otherwise than by its crash point: %w\n%s", p.err, p.Said())
	}
	return nil
}

// Ended says whether the process is over.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// noise keeps what a process says.
type noise struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write takes some of it.
func (n *noise) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.Write(p)
}

// String is all of it.
func (n *noise) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.String()
}
