package stack

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

//go:embed constraints.txt
var constraints string

// DefaultCache is the folder, in the user's cache, where an installation of
// this release is kept to be taken over by data folders. It may not exist.
func DefaultCache() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "" // no HOME: nothing is kept
	}
	return filepath.Join(cache, "fraktalia", "synapse-"+SynapseVersion)
}

// Install brings the pinned Synapse into a virtual environment at path. One
// that is complete already (made here, or a symbolic link to one that was) is
// left alone and nothing is downloaded; anything else at path is replaced. A
// complete one at cache ("" for none) is taken over, which takes a second
// instead of half a minute. Two installs at the same path wait for each other.
//
// Errors: ErrNoPython, ErrNoVenv, ErrInstall.
func Install(ctx context.Context, path, cache string, progress func(Event)) error {
	if installed(ctx, path) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make folder for Synapse: %w", err)
	}
	lock, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("lock installation: %w", err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock installation: %w", err)
	}
	if installed(ctx, path) { // by whom we waited for
		return nil
	}
	if err := os.RemoveAll(path); err != nil {
		return fmt.Errorf("remove incomplete environment: %w", err)
	}
	if cache != "" && installed(ctx, cache) && private(cache) {
		return takeOver(path, cache, progress)
	}
	return install(ctx, path, progress)
}

func install(ctx context.Context, path string, progress func(Event)) error {
	interpreter, err := findPython(ctx, pythonNames()...)
	if err != nil {
		return err
	}
	progress(Event{Step: StepVenv, Percent: Unknown})
	if err := runTool(ctx, StepVenv, nil, interpreter.path, "-I", "-m", "venv", path); err != nil {
		return err
	}
	progress(Event{Step: StepVenv, Percent: 100})
	pins := filepath.Join(path, "constraints.txt")
	if err := os.WriteFile(pins, []byte(constraints), 0o600); err != nil {
		return fmt.Errorf("write constraints: %w", err)
	}
	pip := newPipProgress(progress)
	program := filepath.Join(path, "bin", "python")
	// pip would compile every module of every package, which takes 10 s. The
	// import compiles those in use, and proves that the packages fit together.
	err = runTool(ctx, StepPackages, pip.line, program, "-I", "-m", "pip", "install", "--no-input", "--no-compile",
		"--disable-pip-version-check", "--progress-bar", "off", "--constraint", pins, "matrix-synapse=="+SynapseVersion)
	if err != nil {
		return err
	}
	progress(Event{Step: StepPackages, Percent: compiling})
	if err := runTool(ctx, StepPackages, nil, program, "-I", "-c", "import "+synapseModule); err != nil {
		return err
	}
	// The stamp comes last: an environment without it is not complete.
	if err := writeFile(stampFile(path), []byte(stamp(interpreter.version))); err != nil {
		return err
	}
	progress(Event{Step: StepPackages, Percent: 100})
	return nil
}

// takeOver copies a complete environment, with hard links where it can. Moving
// one is safe here, though its scripts name the old place: we only ever run
// its Python, which finds its packages beside itself.
func takeOver(path, cache string, progress func(Event)) error {
	progress(Event{Step: StepPackages, Percent: Unknown})
	if err := copyTree(cache, path, stampName); err != nil {
		return fmt.Errorf("take Synapse over from %s: %w", cache, err)
	}
	data, err := os.ReadFile(stampFile(cache))
	if err != nil {
		return fmt.Errorf("take Synapse over from %s: %w", cache, err)
	}
	if err := writeFile(stampFile(path), data); err != nil {
		return err
	}
	progress(Event{Step: StepPackages, Percent: 100})
	return nil
}

const stampName = "fraktalia-complete"

func stampFile(venv string) string { return filepath.Join(venv, stampName) }

// stamp names everything that the environment depends on: a newer Synapse,
// other pins or another Python make it a new one. scripts/synapse writes the
// same.
func stamp(pythonVersion string) string { return "python " + pythonVersion + "\n" + constraints }

// installed says whether the environment is complete and its Python is still
// the one that it was made for: an upgrade of the distribution exchanges it.
func installed(ctx context.Context, venv string) bool {
	have, err := os.ReadFile(stampFile(venv))
	if err != nil {
		return false
	}
	script := `import sys; print("%d.%d" % sys.version_info[:2])`
	out, err := exec.CommandContext(ctx, filepath.Join(venv, "bin", "python"), "-I", "-c", script).Output()
	return err == nil && string(have) == stamp(strings.TrimSpace(string(out)))
}

// runTool runs a step of the installation in a process group of its own, so
// that cancelling ends its helpers too. Each line goes to line (may be nil).
func runTool(ctx context.Context, step Step, line func(string), name string, args ...string) error {
	output := &lineWriter{line: line}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "PYTHONUNBUFFERED=1")
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	err := cmd.Run()
	if ctx.Err() != nil {
		return fmt.Errorf("install Synapse: %w", ctx.Err())
	}
	if err != nil {
		return ErrInstall{Step: step, Tail: output.tail, Err: err}
	}
	return nil
}

// lineWriter cuts a stream into lines, passes them on and keeps the last ones.
type lineWriter struct {
	line func(string)
	rest string
	tail []string
}

const tailLines = 12 // of a tool's output that an error carries

// Write takes a part of the stream.
func (w *lineWriter) Write(data []byte) (int, error) {
	w.rest += string(data)
	for {
		line, rest, found := strings.Cut(w.rest, "\n")
		if !found {
			return len(data), nil
		}
		w.rest = rest
		w.take(strings.TrimSpace(line))
	}
}

func (w *lineWriter) take(line string) {
	if line == "" {
		return
	}
	w.tail = append(w.tail, line)
	w.tail = w.tail[max(0, len(w.tail)-tailLines):]
	if w.line != nil {
		w.line(line)
	}
}

// pipProgress makes a percentage of what pip says: one "Collecting" for each
// package, in the order of their finding, then one long silence while they are
// unpacked.
type pipProgress struct {
	report    func(Event)
	collected int
	total     int
}

func newPipProgress(report func(Event)) *pipProgress {
	return &pipProgress{report: report, total: strings.Count(constraints, "==")}
}

// Shares of the time, in percent, as measured with an empty cache: until pip
// unpacks, and until Synapse is compiled.
const (
	collecting = 50
	compiling  = 80
)

func (p *pipProgress) line(line string) {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "Collecting":
		p.collected = min(p.collected+1, p.total)
		name, _, _ := strings.Cut(rest, "=")
		name, _, _ = strings.Cut(name, " ")
		p.report(Event{Step: StepPackages, Percent: p.collected * collecting / p.total, Detail: strings.TrimRight(name, "<>!~")})
	case "Installing":
		p.report(Event{Step: StepPackages, Percent: collecting})
	}
}
