package harness

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/githabideri/fraktalia/openclaw/programs"
	"github.com/githabideri/fraktalia/stack"
)

// Whole is a deployment with the real OpenClaw, brought by the program itself,
// and a model of a few words behind it.
type Whole struct {
	*Deployment
	Model *Model
	// GatewayPort is where OpenClaw's gateway listens at first.
	GatewayPort int
	flags       []string
}

// NewWhole prepares one in dir with an agent of this name. The program has made
// its own part once, so that image and tailnet are the test's; OpenClaw is not
// there yet. The firewall is this machine's and stays as it is: the tests of
// isolation have one of their own.
func NewWhole(ctx context.Context, binary, dir, agent, image string, env ...string) (*Whole, error) {
	w, err := NewBareWhole(ctx, binary, dir, agent, env...)
	if err != nil {
		return nil, err
	}
	if err := w.Up(ctx); err != nil {
		return nil, err
	}
	if err := w.Process.Stop(ctx); err != nil {
		return nil, err
	}
	return w, w.Apart(image)
}

// Apart gives the sandbox image another name, and keeps the machine's tailnet
// out of it: both are everybody's.
func (d *Deployment) Apart(image string) error {
	for old, new := range map[string]string{`socket: ""`: `socket: "no-tailscaled"`, "openclaw-sandbox:bookworm-slim": image, "proposals_an_hour: 6": "proposals_an_hour: 1000"} {
		if err := d.SetConfig(old, new); err != nil {
			return err
		}
	}
	return nil
}

// NewBareWhole is NewWhole with nothing made yet, but that Synapse and OpenClaw's
// packages are the user's.
func NewBareWhole(ctx context.Context, binary, dir, agent string, env ...string) (*Whole, error) {
	if _, err := programs.Install(ctx, programs.DefaultCache(), func(programs.Step) {}); err != nil {
		return nil, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	d, err := New(ctx, binary, dir)
	if err != nil {
		return nil, err
	}
	d.Env = append(env, "HOME="+dir, "XDG_CACHE_HOME="+cache)
	return d.withModel(agent)
}

func (d *Deployment) withModel(agent string) (*Whole, error) {
	m, err := StartModel("a-key-of-the-tests")
	if err != nil {
		return nil, err
	}
	key := filepath.Join(d.dir, "model-key")
	if err := os.WriteFile(key, []byte(m.Key+"\n"), 0o600); err != nil {
		return nil, err
	}
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	return &Whole{d, m, port, []string{"--with-openclaw", "--agent", agent, "--model-url", m.URL, "--model-key", key, "--gateway-port", strconv.Itoa(port), "--no-firewall"}}, nil
}

// Walled lets the program make the isolated network: for tests that have a
// network and an engine of their own.
func (w *Whole) Walled() {
	w.flags = slices.DeleteFunc(w.flags, func(flag string) bool { return flag == "--no-firewall" })
}

// FetchAll sees to it that Synapse and OpenClaw are in the user's cache folder: for
// tests whose own network leads nowhere.
func FetchAll(ctx context.Context) error {
	err := stack.Install(ctx, stack.DefaultCache(), "", func(stack.Event) {})
	if err == nil {
		_, err = programs.Install(ctx, programs.DefaultCache(), func(programs.Step) {})
	}
	return err
}

// UpWithOpenClaw runs `fraktalia up --with-openclaw` and returns when the agent
// is in the chat room.
func (w *Whole) UpWithOpenClaw(ctx context.Context, flags ...string) error {
	return w.Up(ctx, append(w.flags, flags...)...)
}

// Down stops everything.
func (w *Whole) Down(ctx context.Context) error {
	w.Model.Stop()
	return w.Deployment.Down(ctx)
}

// GatewayWords is the end of what OpenClaw's gateway has said, for the message
// of a failed test.
func (w *Whole) GatewayWords() string {
	said, err := os.ReadFile(filepath.Join(w.DataDir, "logs", "openclaw-console.log"))
	if err != nil {
		return fmt.Sprint(err)
	}
	return string(said[max(0, len(said)-6000):])
}
