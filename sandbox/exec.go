package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
)

// Command is a program to run inside a container that runs already.
type Command struct {
	Args []string // the program and its arguments; no shell reads them
	User string   // "" is the container's own; else a name, an id, or "id:group"
	Env  []string // in addition to the container's, e.g. "LANG=C"
	Dir  string   // "" is the container's own

	// Stdin is read to its end, Stdout and Stderr get what the program writes.
	// What is nil is empty, or thrown away. The program is as untrusted as the
	// container: take what it writes with a Capture, never with a buffer that
	// grows as it likes.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// NotRunningError says that the container has gone, or does not run.
type NotRunningError struct {
	Container string
	Err       error
}

func (e *NotRunningError) Error() string {
	return fmt.Sprintf("container %.12s does not run: %v", e.Container, e.Err)
}

func (e *NotRunningError) Unwrap() error { return e.Err }

// Statuses by which the engine says that a program could not be started, as a
// shell does.
const (
	StatusNotExecutable = 126
	StatusNotFound      = 127
)

// Exec runs a command in a container to its end and returns its exit status;
// one of StatusNotExecutable and StatusNotFound may be the engine's own, which
// then says why on Stdout.
//
// When ctx ends, the program's streams are closed and it is killed as far as
// that can be done (see Process.Close). Errors: *NotRunningError,
// *EngineDownError, the context's cause, or an error of Stdin, Stdout or
// Stderr.
func (e *Engine) Exec(ctx context.Context, id string, c Command) (status int, err error) {
	process, err := e.StartExec(ctx, id, c)
	if err != nil {
		return 0, err
	}
	defer process.Close()
	defer context.AfterFunc(ctx, process.Kill)()
	fed := make(chan error, 1)
	go func() { fed <- process.feed(c.Stdin) }()
	out := c.Stdout
	if out == nil {
		out = io.Discard
	}
	_, err = io.Copy(out, process)
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	if err != nil {
		return 0, fmt.Errorf("exec in %.12s: %w", id, err)
	}
	status, err = e.exitCode(ctx, process.id)
	select {
	case failed := <-fed: // a reader that blocks is not waited for
		err = errors.Join(err, failed)
	default:
	}
	return status, err
}

// feed gives the program its input. A program that does not read all of it is
// its own affair; an input that cannot be read is an error.
func (p *Process) feed(in io.Reader) error {
	defer p.CloseWrite()
	if in == nil {
		return nil
	}
	source := &source{from: in}
	io.Copy(p, source) // failing to write: the program has ended
	if source.err != nil {
		return fmt.Errorf("read the input: %w", source.err)
	}
	return nil
}

// source remembers why reading ended.
type source struct {
	from io.Reader
	err  error
}

func (s *source) Read(buffer []byte) (int, error) {
	n, err := s.from.Read(buffer)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// Process is a program that runs inside a container. Read gives its standard
// output and Write its standard input; what it writes to standard error goes
// to Command.Stderr while Read runs. Nothing is kept: a program whose output
// is not read stands still.
type Process struct {
	engine    *Engine
	container string
	user      string
	id        string
	attached  types.HijackedResponse
	output    output
}

// StartExec starts a command in a container; its Stdin and Stdout are not
// used, the Process has them. ctx bounds the start only. Errors:
// *NotRunningError, *EngineDownError, the context's cause. That there is no
// such program shows by the exit status.
func (e *Engine) StartExec(ctx context.Context, id string, c Command) (*Process, error) {
	created, err := e.api.ContainerExecCreate(ctx, id, container.ExecOptions{
		Cmd: c.Args, User: c.User, Env: c.Env, WorkingDir: c.Dir,
		AttachStdin: true, AttachStdout: true, AttachStderr: true,
	})
	if err != nil {
		return nil, e.execError(id, err)
	}
	attached, err := e.attach(ctx, created.ID)
	if err != nil {
		return nil, e.execError(id, err)
	}
	p := &Process{engine: e, container: id, user: c.User, id: created.ID, attached: attached}
	p.output = output{from: attached.Reader, stderr: c.Stderr}
	if p.output.stderr == nil {
		p.output.stderr = io.Discard
	}
	return p, nil
}

// attach starts the program. The client heeds the context only while it dials.
func (e *Engine) attach(ctx context.Context, execID string) (types.HijackedResponse, error) {
	type answer struct {
		attached types.HijackedResponse
		err      error
	}
	answered := make(chan answer, 1)
	go func() {
		attached, err := e.api.ContainerExecAttach(ctx, execID, container.ExecAttachOptions{})
		answered <- answer{attached, err}
	}()
	select {
	case a := <-answered:
		return a.attached, a.err
	case <-ctx.Done():
		go func() {
			if a := <-answered; a.err == nil {
				a.attached.Close()
			}
		}()
		return types.HijackedResponse{}, context.Cause(ctx)
	}
}

func (e *Engine) execError(id string, err error) error {
	if errdefs.IsNotFound(err) || errdefs.IsConflict(err) {
		return &NotRunningError{Container: id, Err: err}
	}
	return e.engineError(err, "exec in %.12s", id)
}

// Read reads standard output.
func (p *Process) Read(buffer []byte) (int, error) { return p.output.read(buffer) }

// Write writes standard input.
func (p *Process) Write(data []byte) (int, error) { return p.attached.Conn.Write(data) }

// CloseWrite ends standard input.
func (p *Process) CloseWrite() error { return p.attached.CloseWrite() }

// Status is the exit status, once Read has come to its end.
func (p *Process) Status(ctx context.Context) (int, error) { return p.engine.exitCode(ctx, p.id) }

// Close closes the streams. A program that minds them ends by that.
func (p *Process) Close() error {
	p.attached.Close()
	return nil
}
