package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/githabideri/fraktalia/sandbox"
	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
)

// box is a container of the base image that does nothing.
func box(t *testing.T, e *sandbox.Engine) string {
	t.Helper()
	id := sandboxtest.Docker(t, "run", "-d", "--label", "io.fraktalia.test=exec", base(t, e), "sleep", "600")
	t.Cleanup(func() { exec.Command("docker", "rm", "-f", id).Run() })
	return id
}

func TestExec(t *testing.T) {
	e := engine(t)
	id := box(t, e)
	sh := func(script string) []string { return []string{"/bin/sh", "-c", script} }
	for name, test := range map[string]struct {
		command     sandbox.Command
		status      int
		out, errOut string
	}{
		"both streams": {sandbox.Command{Args: sh("echo out; echo err >&2; exit 7")}, 7, "out\n", "err\n"},
		"input":        {sandbox.Command{Args: sh("cat; echo end"), Stdin: strings.NewReader("hello ")}, 0, "hello end\n", ""},
		"no input":     {sandbox.Command{Args: sh("cat; echo end")}, 0, "end\n", ""},
		"user and env": {sandbox.Command{Args: sh("id -u; pwd; echo $WORD"), User: "1234", Dir: "/tmp", Env: []string{"WORD=a b"}}, 0, "1234\n/tmp\na b\n", ""},
		"input unread": {sandbox.Command{Args: sh("exit 3"), Stdin: bytes.NewReader(make([]byte, 8<<20))}, 3, "", ""},
		"a word only":  {sandbox.Command{Args: []string{"/bin/echo", "$HOME; ls"}}, 0, "$HOME; ls\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			out, errOut := sandbox.Capture{Most: 100}, sandbox.Capture{Most: 100}
			test.command.Stdout, test.command.Stderr = &out, &errOut
			status, err := e.Exec(t.Context(), id, test.command)
			if err != nil || status != test.status || out.String() != test.out || errOut.String() != test.errOut {
				t.Errorf("status %d, %v\nout %q\nerr %q", status, err, out.String(), errOut.String())
			}
		})
	}
}

func TestExecKeepsNoMoreThanAsked(t *testing.T) {
	e := engine(t)
	out := sandbox.Capture{Most: 10}
	status, err := e.Exec(t.Context(), box(t, e), sandbox.Command{Args: []string{"/bin/sh", "-c", "head -c 50000000 /dev/zero"}, Stdout: &out})
	if err != nil || status != 0 || len(out.String()) != 10 || !out.Cut() {
		t.Errorf("status %d, %v, %d bytes", status, err, len(out.String()))
	}
}

func TestExecTellsWhatIsWrong(t *testing.T) {
	e := engine(t)
	id := box(t, e)
	if status, err := e.Exec(t.Context(), id, sandbox.Command{Args: []string{"/never/there"}}); err != nil ||
		(status != sandbox.StatusNotFound && status != sandbox.StatusNotExecutable) {
		t.Errorf("no such program: status %d, %v", status, err)
	}
	broken := iotest.ErrReader(io.ErrNoProgress)
	if _, err := e.Exec(t.Context(), id, sandbox.Command{Args: []string{"cat"}, Stdin: broken}); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("an input that cannot be read: %v", err)
	}
	sandboxtest.Docker(t, "rm", "-f", id)
	var not *sandbox.NotRunningError
	if _, err := e.Exec(t.Context(), id, sandbox.Command{Args: []string{"true"}}); !errors.As(err, &not) {
		t.Errorf("no container: %v", err)
	}
	away, err := sandbox.Connect("unix:///nobody/there.sock")
	if err != nil {
		t.Fatal(err)
	}
	var down *sandbox.EngineDownError
	if _, err := away.Exec(t.Context(), id, sandbox.Command{Args: []string{"true"}}); !errors.As(err, &down) {
		t.Errorf("no engine: %v", err)
	}
}

func TestExecEndsWithItsContext(t *testing.T) {
	e := engine(t)
	id := box(t, e)
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stopped by the test")
	started := make(chan string, 1)
	go func() { <-started; cancel(stop) }()
	// It minds neither signals that can be minded nor closed streams, and has a child.
	script := `trap "" TERM HUP INT PIPE; echo up; sleep 567 & while :; do sleep 1; done`
	_, err := e.Exec(ctx, id, sandbox.Command{Args: []string{"/bin/sh", "-c", script}, Stdout: notify(started)})
	if !errors.Is(err, stop) {
		t.Errorf("error %v", err)
	}
	for deadline := time.Now().Add(20 * time.Second); strings.Contains(sandboxtest.Docker(t, "top", id), "sleep 567"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it runs on:\n" + sandboxtest.Docker(t, "top", id))
		}
	}
}

// notify passes on what is written.
type notify chan string

func (n notify) Write(data []byte) (int, error) {
	n <- string(data)
	return len(data), nil
}

func TestStartExecTalks(t *testing.T) {
	e := engine(t)
	var errOut sandbox.Capture
	errOut.Most = 100
	process, err := e.StartExec(t.Context(), box(t, e), sandbox.Command{Args: []string{"/bin/sh", "-c", "echo err >&2; cat; exit 5"}, Stderr: &errOut})
	if err != nil {
		t.Fatal(err)
	}
	defer process.Close()
	buffer := make([]byte, 2) // smaller than the pieces
	for _, word := range []string{"first\n", "second\n"} {
		if _, err := io.WriteString(process, word); err != nil {
			t.Fatal(err)
		}
		got := ""
		for len(got) < len(word) {
			n, err := process.Read(buffer)
			if got += string(buffer[:n]); err != nil {
				t.Fatalf("got %q, %v", got, err)
			}
		}
		if got != word {
			t.Errorf("got %q for %q", got, word)
		}
	}
	process.CloseWrite()
	if rest, err := io.ReadAll(process); err != nil || len(rest) > 0 {
		t.Errorf("rest %q, %v", rest, err)
	}
	if status, err := process.Status(t.Context()); status != 5 || err != nil || errOut.String() != "err\n" {
		t.Errorf("status %d, %v, err %q", status, err, errOut.String())
	}
}
