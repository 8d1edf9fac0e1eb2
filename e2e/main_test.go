// Package e2e tests the whole program: the real binary, a real Synapse, the
// real Docker engine, and people at real Matrix clients. A test fails, with a
// sentence, where one of these cannot be had; none is ever skipped.
package e2e

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/e2e/client"
	"github.com/githabideri/fraktalia/e2e/harness"
	"github.com/githabideri/fraktalia/socketproxy"
)

// patience is how long a test waits for one thing. It is no measurement:
// busy machines are slow.
const patience = 90 * time.Second

// world is what most tests share: one deployment, with its owner in the admin
// room and one sandbox running.
type world struct {
	*harness.Deployment
	dir     string
	run     string // names this run's containers and images
	crashy  string // the binary with crash points
	engine  *harness.Engine
	guard   *harness.Guard
	sandbox *harness.Sandbox
	owner   *client.Client
	admin   *client.Room
	// recovery lets a second device of the owner take their identity.
	recovery string
	first    harness.Ready // what the very first start said
	// tailscale gives Tailscale's programs, which are built meanwhile.
	tailscale func(context.Context) (dir string, err error)
	// gateway is held by the one test at a time that runs OpenClaw beside others.
	gateway sync.Mutex
}

// shared is set up by TestMain.
var shared *world

func TestMain(m *testing.M) { os.Exit(runAll(m)) }

func runAll(m *testing.M) int {
	dir, remove, err := harness.Folder()
	if err != nil {
		fmt.Fprintln(os.Stderr, "no folder for the tests:", err)
		return 1
	}
	defer remove()
	shared = &world{dir: dir, run: rand.Text()[:8]}
	defer shared.close()
	building, stop := context.WithCancel(context.Background())
	defer stop()
	shared.tailscale = meanwhile(building, harness.BuildTailscale)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	if err := shared.open(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "the deployment for the tests does not come up:", err)
		return 1
	}
	return max(m.Run(), shared.askedForTheRest())
}

// askedForTheRest is 1 where the socket proxy had to refuse something of the
// program's, or where all tests were run and it has something on its list that
// nobody asked for.
func (w *world) askedForTheRest() int {
	passed, refused := w.guard.Record()
	for _, line := range refused {
		fmt.Fprintln(os.Stderr, "the program asks Docker for what is not on the socket proxy's list:", line)
	}
	unused := 0
	for _, endpoint := range socketproxy.Endpoints() {
		if flag.Lookup("test.run").Value.String() == "" && passed[endpoint.String()] == 0 && !elsewhere(endpoint.String()) {
			fmt.Fprintln(os.Stderr, "nothing asks Docker for what is on the socket proxy's list:", endpoint)
			unused++
		}
	}
	return min(1, len(refused)+unused)
}

// elsewhere are the requests that other tests see: the import of a probe in
// e2e/isolation, the pull of a base where there is a registry (socketproxy).
func elsewhere(endpoint string) bool {
	return endpoint == "POST /images/create?fromSrc" || endpoint == "POST /images/create?fromImage"
}

// meanwhile begins something now whose outcome is wanted later.
func meanwhile(ctx context.Context, do func(context.Context) (string, error)) func(context.Context) (string, error) {
	var dir string
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		dir, err = do(ctx)
	}()
	return func(ctx context.Context) (string, error) {
		select {
		case <-done:
			return dir, err
		case <-ctx.Done():
			return "", fmt.Errorf("it is not done yet: %w", ctx.Err())
		}
	}
}

func (w *world) open(ctx context.Context) (err error) {
	binary, err := harness.Build(ctx, w.dir)
	if err != nil {
		return err
	}
	if w.crashy, err = harness.Build(ctx, w.dir, "crashpoints"); err != nil {
		return err
	}
	if w.engine, err = harness.OpenEngine(ctx, w.dir, w.run); err != nil {
		return err
	}
	if w.guard, err = harness.StartGuard(ctx, binary, filepath.Join(w.dir, "guard.sock"), w.engine.Socket, w.image()); err != nil {
		return err
	}
	if err := w.engine.BuildPage(ctx, w.dir); err != nil {
		return err
	}
	if w.sandbox, err = w.engine.StartSandbox(ctx, "mox", "hello", pages...); err != nil {
		return err
	}
	if w.Deployment, w.first, err = w.deploy(ctx, binary, "shared"); err != nil {
		return err
	}
	return w.moveIn(ctx)
}

// pages are the ports on which the sandbox's page answers.
var pages = []string{"9005", "9006", "9007", "9008", "9009", "9091", "9092", "9095"}

// image is what !rebuild-sandbox makes in this run.
func (w *world) image() string { return "fraktalia-e2e-" + strings.ToLower(w.run) + ":test" }

// deploy brings a fresh deployment up twice: between the two starts its image
// gets a name of this run. It returns what the first start said, too. More
// environment counts for more, e.g. another engine.
func (w *world) deploy(ctx context.Context, binary, name string, env ...string) (*harness.Deployment, harness.Ready, error) {
	dir := filepath.Join(w.dir, name)
	d, err := harness.New(ctx, binary, dir)
	if err != nil {
		return nil, harness.Ready{}, err
	}
	d.Env = append([]string{w.guard.Env(), "HOME=" + dir}, env...)
	if err := d.Up(ctx); err != nil {
		d.Process.Kill()
		return nil, harness.Ready{}, err
	}
	first := d.Ready
	if err := d.Process.Stop(ctx); err != nil {
		return nil, first, err
	}
	// Whatever tailnet this machine is in is none of the tests'.
	if err := d.SetConfig(`socket: ""`, `socket: "no-tailscaled"`); err != nil {
		return nil, first, err
	}
	if err := d.SetConfig("openclaw-sandbox:bookworm-slim", w.image()); err != nil {
		return nil, first, err
	}
	if err := d.SetConfig("proposals_an_hour: 6", "proposals_an_hour: 1000"); err != nil {
		return nil, first, err
	}
	if err := d.Up(ctx); err != nil {
		d.Process.Kill()
		return nil, first, err
	}
	return d, first, nil
}

// moveIn logs the owner in, with an identity of their own, and enters.
func (w *world) moveIn(ctx context.Context) (err error) {
	if w.owner, err = w.Owner(ctx); err != nil {
		return err
	}
	if w.recovery, err = w.owner.Sign(ctx); err != nil {
		return err
	}
	w.admin, err = w.owner.Enter(ctx, w.AdminRoom, w.BotUserID)
	return err
}

func (w *world) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var errs []error
	if w.owner != nil {
		errs = append(errs, w.owner.Close())
	}
	if w.Deployment != nil {
		if w.Process.Ended() {
			errs = append(errs, fmt.Errorf("the program has ended while the tests ran:\n%s", w.LastWords()))
		}
		errs = append(errs, w.Down(ctx))
	}
	if w.engine != nil {
		errs = append(errs, w.engine.RemoveSandboxes(ctx), w.engine.Down())
	}
	if w.guard != nil {
		errs = append(errs, w.guard.Stop(ctx))
	}
	if err := errors.Join(errs...); err != nil {
		fmt.Fprintln(os.Stderr, "taking the tests' deployment down:", err)
	}
}

// within bounds a test's waiting.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// patient bounds the waiting for what builds an image: packages are fetched.
func patient(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// shortly bounds the waiting for what is not to happen.
func shortly(t testing.TB) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(context.Background(), 3*time.Second)
}

// must fails the test on an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// say types a line in a room and waits for the end of its turn.
func say(t testing.TB, room *client.Room, line string) client.Outcome {
	t.Helper()
	ctx := within(t)
	turn, err := room.Say(ctx, line)
	must(t, err)
	out, err := turn.Final(ctx)
	must(t, err)
	return out
}
