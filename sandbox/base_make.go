package sandbox

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/docker/docker/api/types/image"
)

//go:embed base.sh
var baseHook string

// leastBase is the size under which a tar cannot be a system: the engine
// imports an empty one without a word.
const leastBase = 30 << 20

// stopPatience is how long a cancelled mmdebstrap may tidy up.
const stopPatience = 10 * time.Second

// ErrNoMmdebstrap says that the program mmdebstrap is not installed; it is in
// the package of that name on Debian and Ubuntu.
var ErrNoMmdebstrap = errors.New("mmdebstrap is not installed")

// MmdebstrapError is mmdebstrap's failure and what it said last.
type MmdebstrapError struct {
	Err  error    // e.g. its exit status
	Tail []string // the last lines of its messages, oldest first
}

func (e *MmdebstrapError) Error() string {
	return fmt.Sprintf("mmdebstrap: %v: %s", e.Err, strings.Join(e.Tail, " / "))
}

func (e *MmdebstrapError) Unwrap() error { return e.Err }

// MakeBase puts a base image together from the distribution's signed packages
// and imports it as o.Substitute, also where there is one already: that is how
// security updates get in.
//
// Errors: ErrNotDebian, ErrNoMmdebstrap, *MmdebstrapError, *EngineDownError, or
// the context's.
func (e *Engine) MakeBase(ctx context.Context, o BaseOptions, report func(Progress)) (Base, error) {
	o = o.named()
	suite := debianSuite(o.Ref)
	if suite == "" {
		return Base{}, fmt.Errorf("%s: %w", o.Ref, ErrNotDebian)
	}
	program, err := exec.LookPath("mmdebstrap")
	if err != nil {
		return Base{}, ErrNoMmdebstrap
	}
	steady := newSteady("make "+o.Substitute+" from Debian's packages", report)
	defer steady.stop()
	err = e.runMmdebstrap(ctx, program, suite, o, steady.line)
	if ctx.Err() != nil {
		return Base{}, fmt.Errorf("make a base image: %w", context.Cause(ctx))
	}
	if err != nil {
		return Base{}, err
	}
	return Base{Ref: o.Substitute, Origin: BaseMade}, nil
}

func (e *Engine) runMmdebstrap(ctx context.Context, program, suite string, o BaseOptions, line func(string)) error {
	system, err := startMmdebstrap(ctx, program, suite, o.TempDir, line)
	if err != nil {
		return err
	}
	defer system.Close()
	err = e.importBase(ctx, system, o.Substitute)
	if system.bad != nil { // the import's error is but its echo
		return system.bad
	}
	return err
}

// importBase sends the tar to the engine as it comes.
func (e *Engine) importBase(ctx context.Context, system *debianTar, tag string) error {
	// Half a minute passes before the first byte: no request waits for it.
	if _, err := system.out.Peek(1); err != nil {
		system.bad = system.verdict()
		return system.bad
	}
	source := image.ImportSource{Source: system, SourceName: "-"}
	body, err := e.api.ImageImport(ctx, source, tag, image.ImportOptions{
		Message: "made by Fraktalia with mmdebstrap",
		Changes: []string{`CMD ["bash"]`, "LABEL " + ImageLabel + "=base"},
	})
	if err != nil {
		return e.engineError(err, "import %s", tag)
	}
	defer body.Close()
	return eachMessage(body, buildMessage.failure)
}

// debianTar is mmdebstrap at work: its standard output, which ends well only
// if the program did and the tar is a system's size.
type debianTar struct {
	out  *bufio.Reader
	read int64
	bad  error        // why the tar is not to be used
	wait func() error // for the program's end, once
	stop func()
}

func startMmdebstrap(ctx context.Context, program, suite, tempDir string, line func(string)) (*debianTar, error) {
	ctx, cancel := context.WithCancel(ctx)
	command := exec.CommandContext(ctx, program, mmdebstrapArgs(os.Geteuid(), suite)...)
	command.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	if tempDir != "" {
		command.Env = append(command.Env, "TMPDIR="+tempDir)
	}
	last := &messages{line: line}
	command.Stderr = last
	// A group of its own: a cancelled one must take apt along, and a Ctrl-C on
	// the terminal must not reach it before us.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGTERM) }
	command.WaitDelay = stopPatience
	out, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("start mmdebstrap: %w", err)
	}
	wait := sync.OnceValue(func() error {
		if err := command.Wait(); err != nil {
			return &MmdebstrapError{Err: err, Tail: last.tail.all()}
		}
		return nil
	})
	return &debianTar{out: bufio.NewReaderSize(out, 256<<10), wait: wait, stop: cancel}, nil
}

// mmdebstrapArgs chooses a way that the user has the rights for: root's own,
// else what mmdebstrap finds (user namespaces, fakechroot).
func mmdebstrapArgs(uid int, suite string) []string {
	mode := "auto"
	if uid == 0 {
		mode = "root"
	}
	return []string{
		"--variant=minbase", "--mode=" + mode, "--format=tar",
		"--dpkgopt=force-unsafe-io", // nothing here survives a power cut anyway
		"--customize-hook=" + baseHook,
		suite, "-",
	}
}

// Read passes the tar on. Its end is an end only if all was well; as an error
// it breaks the import off, and the engine keeps nothing.
func (d *debianTar) Read(into []byte) (int, error) {
	n, err := d.out.Read(into)
	d.read += int64(n)
	if errors.Is(err, io.EOF) {
		if d.bad = d.verdict(); d.bad != nil {
			return n, d.bad
		}
	}
	return n, err
}

func (d *debianTar) verdict() error {
	if err := d.wait(); err != nil {
		return err
	}
	if d.read < leastBase {
		return fmt.Errorf("mmdebstrap made %d bytes, which is no system", d.read)
	}
	return nil
}

// Close ends the program if it still runs, and waits for it.
func (d *debianTar) Close() error {
	d.stop()
	return d.wait()
}

// messages takes a program's messages line by line and keeps the last.
type messages struct {
	line func(string)
	cut  lines
	tail tail
}

func (m *messages) Write(piece []byte) (int, error) {
	m.cut.add(piece, func(text string) {
		text = shortened(plainLine(text))
		m.tail.add(text)
		m.line(text)
	})
	return len(piece), nil
}
