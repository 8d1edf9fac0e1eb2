package stack

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// child is a running program.
type child struct {
	name    string
	cmd     *exec.Cmd
	started time.Time
	console *os.File
	from    int64         // where this run's lines begin in the console file
	done    chan struct{} // closed when it has ended; exit is valid then
	exit    ErrExited
}

// launchChild starts the command with its console going to a file: a pipe
// would fill or break when nobody reads it. It runs in a process group of its
// own, so that Ctrl-C at the terminal reaches us alone and we stop things in
// order, and the kernel sends it a signal when we are gone, even by kill -9.
func launchChild(name string, cmd *exec.Cmd, console *os.File, orphaned syscall.Signal) (*child, error) {
	from, err := console.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("console file: %w", err)
	}
	cmd.Stdout, cmd.Stderr = console, console
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: orphaned}
	c := &child{name: name, cmd: cmd, console: console, from: from, done: make(chan struct{})}
	started := make(chan error, 1)
	go c.run(started)
	return c, <-started
}

// run starts the command and waits for its end. It keeps its thread all that
// time: the kernel sends Pdeathsig when the thread that forked ends, which Go
// may otherwise do at any time.
func (c *child) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(c.done)
	defer c.console.Close()
	err := c.cmd.Start()
	c.started = time.Now()
	started <- err
	if err != nil {
		return
	}
	_ = c.cmd.Wait() // what it says is in ProcessState
	state := c.cmd.ProcessState
	c.exit = ErrExited{
		Program: c.name,
		Code:    state.ExitCode(),
		Ran:     time.Since(c.started).Round(time.Millisecond),
		Tail:    c.tail(),
		Log:     c.console.Name(),
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		c.exit.Signal = status.Signal()
	}
}

// tail reads the last lines of this run from the console file.
func (c *child) tail() []string {
	const most = 16 << 10
	end, err := c.console.Seek(0, io.SeekEnd)
	if err != nil {
		return nil
	}
	start := max(c.from, end-most)
	data := make([]byte, end-start)
	if _, err := c.console.ReadAt(data, start); err != nil && !errors.Is(err, io.EOF) {
		return nil
	}
	lines := &lineWriter{}
	_, _ = lines.Write(append(data, '\n'))
	return lines.tail
}

// stop asks the child to end and forces it after patience. It returns when
// the child has ended.
func (c *child) stop(patience time.Duration) {
	pid := c.cmd.Process.Pid
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-c.done:
	case <-timer.C:
		_ = syscall.Kill(-pid, syscall.SIGKILL)
		<-c.done
	}
}

// openConsole opens the console file for appending; one that has grown past
// 1 MiB is put aside first, so that there are two of them at most.
func openConsole(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > 1<<20 {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, fmt.Errorf("rotate console file: %w", err)
		}
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open console file: %w", err)
	}
	return file, nil
}

// childEnvironment is what a child gets of ours: nothing that changes how
// Python or Node run, and no NOTIFY_SOCKET, by which it would tell systemd that
// all of us are ready or stopping.
func childEnvironment(more ...string) []string {
	kept := []string{"LANG=C.UTF-8"}
	for _, name := range []string{"PATH", "HOME", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"} {
		if value := os.Getenv(name); value != "" && !strings.Contains(value, "\x00") {
			kept = append(kept, name+"="+value)
		}
	}
	return append(kept, more...)
}
