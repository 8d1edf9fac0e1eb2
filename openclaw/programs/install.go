package programs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// nativeLimit bounds the fetching of the plugin's native part: it comes from a
// place that many machines cannot reach, and encrypted rooms work without it.
const nativeLimit = 30 * time.Second

// Install brings the programs into a folder where they are not complete yet. Two
// installs into one folder wait for each other; an interrupted one is begun
// anew. Errors: ErrNoNPM, ErrInstall.
func Install(ctx context.Context, dir string, progress func(Step)) (Programs, error) {
	p := At(dir)
	if p.Installed() {
		return p, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return p, fmt.Errorf("make the folder for OpenClaw: %w", err)
	}
	lock, err := os.OpenFile(dir+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return p, fmt.Errorf("lock the installation of OpenClaw: %w", err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return p, fmt.Errorf("lock the installation of OpenClaw: %w", err)
	}
	if p.Installed() { // by whom we waited for
		return p, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return p, fmt.Errorf("remove an incomplete OpenClaw: %w", err)
	}
	return p, p.install(ctx, progress)
}

func (p Programs) install(ctx context.Context, progress func(Step)) error {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return ErrNoNPM{}
	}
	if err := os.MkdirAll(p.seed(), 0o700); err != nil {
		return err
	}
	if err := os.CopyFS(p.dir, pins); err != nil {
		return fmt.Errorf("write the list of packages: %w", err)
	}
	// No package runs a script of its own here: what OpenClaw's would do is to
	// tidy up after an older release, and Node comes as a package of its own.
	progress(StepPackages)
	if err := p.run(ctx, StepPackages, os.Environ(), npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", p.dir); err != nil {
		return err
	}
	progress(StepPlugin)
	if err := p.run(ctx, StepPlugin, p.seedEnvironment(), p.Node(), p.OpenClaw(), "plugins", "install", matrixPlugin); err != nil {
		return err
	}
	progress(StepCrypto)
	if err := p.fetchNative(ctx); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(p.dir, stampName), []byte(stamp()), 0o600)
}

// seedEnvironment keeps what OpenClaw installs out of the user's own state.
func (p Programs) seedEnvironment() []string {
	var kept []string
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "OPENCLAW_") && !strings.HasPrefix(entry, "NODE_OPTIONS=") {
			kept = append(kept, entry)
		}
	}
	return append(kept, "PATH="+p.Path(), "OPENCLAW_STATE_DIR="+p.seed(), "OPENCLAW_CONFIG_PATH="+filepath.Join(p.seed(), "openclaw.json"))
}

// fetchNative has the plugin fetch its native part. Failing is no error:
// Preloads finds out whether it is there.
func (p Programs) fetchNative(ctx context.Context) error {
	plugin, err := p.plugin()
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, nativeLimit)
	defer cancel()
	folder := filepath.Join(plugin, "node_modules", "@matrix-org", "matrix-sdk-crypto-nodejs")
	cmd := exec.CommandContext(limited, p.Node(), "download-lib.js")
	cmd.Dir = folder
	_ = cmd.Run()
	return ctx.Err()
}

// run runs a step in a process group of its own, so that cancelling ends its
// helpers too.
func (p Programs) run(ctx context.Context, step Step, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = p.dir, env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	said, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return errors.Join(errors.New("install OpenClaw"), ctx.Err())
	}
	if err != nil {
		return ErrInstall{Step: step, Tail: tail(string(said)), Err: err}
	}
	return nil
}

// tail is the end of what a tool said.
func tail(said string) []string {
	lines := strings.Split(strings.TrimSpace(said), "\n")
	return lines[max(0, len(lines)-12):]
}
