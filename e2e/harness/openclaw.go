package harness

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/githabideri/fraktalia/openclaw/programs"
)

// OpenClaw is the real gateway, from npm.
type OpenClaw struct {
	// Bin is the folder of its programs.
	Bin  string
	Port int

	gateway *exec.Cmd
	log     string
}

// OpenClawConfig is a configuration with which the gateway starts: two agents,
// and the plugin that says whether a change was applied.
func OpenClawConfig(port int) string {
	return fmt.Sprintf(`{
  // made by hand
  meta: { lastTouchedVersion: "2026.9.6" },
  gateway: { mode: "local", port: %d, bind: "loopback", auth: { mode: "token", token: "only-for-this-test-0123456789" } },
  plugins: { entries: { "admin-http-rpc": { enabled: true } } },
  agents: {
    ownership: "explicit",
    entries: {
      mox: { name: "Mox" }, // the first
      max: {},
    },
  },
}
`, port)
}

// WithMatrix gives a state folder of OpenClaw the Matrix plugin, and returns the
// environment with which it works on this machine.
func WithMatrix(ctx context.Context, state string) (env string, err error) {
	installed, err := programs.Install(ctx, programs.DefaultCache(), func(programs.Step) {})
	if err != nil {
		return "", err
	}
	if err := installed.Plant(state); err != nil {
		return "", err
	}
	noMounts := func(context.Context, string, string) (bool, error) { return false, nil }
	options, err := programs.NodeOptions(filepath.Join(state, "preload"), installed.Probe(ctx, state, noMounts))
	return "NODE_OPTIONS=" + options, err
}

// StartOpenClaw runs the gateway on the configuration at path, with more
// environment, and returns when it is ready, which takes about half a minute.
func StartOpenClaw(ctx context.Context, path string, port int, env ...string) (*OpenClaw, error) {
	installed, err := programs.Install(ctx, programs.DefaultCache(), func(programs.Step) {})
	if err != nil {
		return nil, err
	}
	o := &OpenClaw{Bin: installed.Bin(), Port: port, log: filepath.Join(filepath.Dir(path), "gateway.log")}
	log, err := os.Create(o.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	o.gateway = exec.Command(filepath.Join(o.Bin, "openclaw"), "gateway", "run")
	o.gateway.Env = append(os.Environ(), "PATH="+installed.Path(), "OPENCLAW_CONFIG_READONLY=1", "OPENCLAW_CONFIG_PATH="+path, "OPENCLAW_STATE_DIR="+filepath.Dir(path))
	o.gateway.Env = append(o.gateway.Env, env...)
	o.gateway.Stdout, o.gateway.Stderr = log, log
	o.gateway.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it starts others
	if err := o.gateway.Start(); err != nil {
		return nil, fmt.Errorf("start OpenClaw: %w", err)
	}
	if err := o.awaitReady(ctx); err != nil {
		o.Stop()
		return nil, err
	}
	return o, nil
}

func (o *OpenClaw) awaitReady(ctx context.Context) error {
	for {
		answer, err := http.Get(fmt.Sprintf("http://%s/ready", loopback(o.Port)))
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			said, _ := os.ReadFile(o.log)
			return fmt.Errorf("OpenClaw's gateway does not get ready: %w\n%s", ctx.Err(), said)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Env puts its programs first on the PATH of a program that is started.
func (o *OpenClaw) Env() string {
	return "PATH=" + o.Bin + string(os.PathListSeparator) + os.Getenv("PATH")
}

// Said is the end of what it has said.
func (o *OpenClaw) Said() string {
	said, err := os.ReadFile(o.log)
	if err != nil {
		return fmt.Sprint(err)
	}
	return string(said[max(0, len(said)-6000):])
}

// Stop ends it.
func (o *OpenClaw) Stop() {
	_ = syscall.Kill(-o.gateway.Process.Pid, syscall.SIGKILL)
	_ = o.gateway.Wait()
}

// AwaitSchema waits until the deployment's program has learned OpenClaw's schema.
func (d *Deployment) AwaitSchema(ctx context.Context) error {
	for {
		if found, _ := filepath.Glob(filepath.Join(d.DataDir, "cache", "openclaw-schema", "*", "names")); len(found) > 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the program does not learn OpenClaw's schema: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// UseOpenClaw writes a configuration of OpenClaw to where the deployment looks
// for it, and has its program ask the gateway at port from its next start on.
func (d *Deployment) UseOpenClaw(text string, port int) (path string, err error) {
	if err := d.SetConfig("http://127.0.0.1:18789", "http://"+loopback(port)); err != nil {
		return "", err
	}
	path = filepath.Join(d.dir, "openclaw", "openclaw.json")
	if err := d.SetConfig("~/.openclaw/openclaw.json", path); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	return path, os.WriteFile(path, []byte(text), 0o600)
}
