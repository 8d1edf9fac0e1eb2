package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/e2e/client"
	"github.com/githabideri/fraktalia/stack"
)

// ServerName is the part behind the colon of the tests' accounts.
const ServerName = "fraktalia.test"

// Ready is what `fraktalia up --json` says once the bot is ready.
type Ready struct {
	Homeserver string    `json:"homeserver"`
	Public     string    `json:"public_address"` // where other machines reach it, if elsewhere
	Owner      OwnerInfo `json:"owner"`
	BotUserID  id.UserID `json:"bot_user_id"`
	AdminRoom  id.RoomID `json:"admin_room"`
	ChatRoom   id.RoomID `json:"chat_room"`
	DataDir    string    `json:"data_dir"`
	Socket     string    `json:"socket"`
}

// OwnerInfo is the owner's account; Password is nil once it is no longer on
// file.
type OwnerInfo struct {
	UserID   id.UserID `json:"user_id"`
	Password *string   `json:"password"`
}

// Deployment is one data folder and what runs on it.
type Deployment struct {
	Ready
	Binary   string
	Password string   // the owner's first, kept from the first start
	Env      []string // for the program, e.g. DOCKER_HOST=...
	Process  *Process

	dir        string
	port       int
	homeserver *stack.Stack
	clients    int
}

// New prepares a deployment in dir; nothing runs yet.
func New(ctx context.Context, binary, dir string) (*Deployment, error) {
	data := filepath.Join(dir, "data")
	if err := linkSynapse(ctx, data); err != nil {
		return nil, err
	}
	if err := hurry(data); err != nil {
		return nil, fmt.Errorf("prepare Synapse for the tests: %w", err)
	}
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	return &Deployment{Binary: binary, dir: dir, port: port, Ready: Ready{DataDir: data}}, nil
}

// Anew gives the deployment a new data folder below dir, as a new machine has
// one, at the same address. Nothing may run on it.
func (d *Deployment) Anew(ctx context.Context, dir string) error {
	fresh, err := New(ctx, d.Binary, dir)
	if err != nil {
		return err
	}
	d.dir, d.DataDir, d.Socket = fresh.dir, fresh.DataDir, filepath.Join(fresh.DataDir, "fraktalia.sock")
	return nil
}

// Up runs `fraktalia up`, with more flags, and returns when the bot is ready.
func (d *Deployment) Up(ctx context.Context, flags ...string) error {
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	defer out.Close()
	words := []string{"up", "--data", d.DataDir, "--server-name", ServerName, "--owner", "mila", "--yes", "--json"}
	if d.port != 0 {
		words = append(words, "--listen", loopback(d.port))
	}
	d.Process, err = start(d.Binary, d.Env, in, append(words, flags...)...)
	in.Close()
	if err != nil {
		return err
	}
	return d.readReady(ctx, out)
}

func (d *Deployment) readReady(ctx context.Context, out io.Reader) error {
	read := make(chan error, 1)
	var ready Ready
	go func() { read <- json.NewDecoder(out).Decode(&ready) }()
	select {
	case err := <-read:
		if err != nil {
			return fmt.Errorf("fraktalia up gave no JSON: %w\n%s", err, d.Process.Said())
		}
	case <-ctx.Done():
		return fmt.Errorf("fraktalia up does not get ready: %w\n%s", ctx.Err(), d.Process.Said())
	}
	if ready.Owner.Password != nil {
		d.Password = *ready.Owner.Password
	}
	d.Ready = ready
	return nil
}

// Move has the homeserver listen on another port from its next start on.
func (d *Deployment) Move() (err error) {
	d.port, err = FreePort()
	return err
}

// ListensAsBefore leaves it to the program where the homeserver listens.
func (d *Deployment) ListensAsBefore() { d.port = 0 }

// Listen is the homeserver's HOST:PORT.
func (d *Deployment) Listen() string { return loopback(d.port) }

// StartHomeserver runs the deployment's homeserver without the program, so
// that Run can start, kill and restart the bot alone. Up must have been run
// once, and be stopped.
func (d *Deployment) StartHomeserver(ctx context.Context) error {
	log := logrus.New()
	log.SetOutput(io.Discard)
	d.homeserver = stack.New(stack.Options{Data: d.DataDir, Listen: loopback(d.port), ServerName: ServerName, Log: logrus.NewEntry(log)})
	if err := d.homeserver.Prepare(ctx); err != nil {
		return fmt.Errorf("prepare the homeserver: %w", err)
	}
	if err := d.homeserver.Start(ctx); err != nil {
		return fmt.Errorf("start the homeserver: %w", err)
	}
	return nil
}

// StopHomeserver stops what StartHomeserver has started.
func (d *Deployment) StopHomeserver() error {
	if d.homeserver == nil {
		return nil
	}
	err := d.homeserver.Close()
	d.homeserver = nil
	return err
}

// Config is the path of the deployment's fraktalia.yaml.
func (d *Deployment) Config() string { return filepath.Join(d.DataDir, "fraktalia.yaml") }

// Run starts the bot alone, with more environment, e.g. a crash point. It does
// not wait: see WaitReady.
func (d *Deployment) Run(binary string, env ...string) error {
	var err error
	d.Process, err = start(binary, append(slices.Clone(d.Env), env...), io.Discard, "run", "--config", d.Config())
	return err
}

// WaitReady waits until the bot that Run started says that it obeys.
func (d *Deployment) WaitReady(ctx context.Context) error {
	for !strings.Contains(d.Process.Said(), "ready: ") {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the bot does not get ready: %w\n%s", ctx.Err(), d.Process.Said())
		case <-d.Process.done:
			return fmt.Errorf("the bot ended before it was ready: %w\n%s", d.Process.err, d.Process.Said())
		case <-time.After(2 * time.Millisecond):
		}
	}
	return nil
}

// SetConfig replaces one value in fraktalia.yaml; the program reads the file
// when it starts.
func (d *Deployment) SetConfig(old, new string) error {
	text, err := os.ReadFile(d.Config())
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	changed := strings.Replace(string(text), old, new, 1)
	if changed == string(text) {
		return fmt.Errorf("the configuration has no %q:\n%s", old, text)
	}
	return os.WriteFile(d.Config(), []byte(changed), 0o600)
}

// Down stops everything that runs on the deployment.
func (d *Deployment) Down(ctx context.Context) error {
	if d.Process != nil {
		if err := d.Process.Stop(ctx); err != nil {
			d.Process.Kill()
			return err
		}
	}
	return d.StopHomeserver()
}

// LastWords tells how the program ended, with the end of its log: for the
// message of a failed test.
func (d *Deployment) LastWords() string {
	log, err := os.ReadFile(filepath.Join(d.DataDir, "logs", "fraktalia.log"))
	if err != nil {
		log = []byte(err.Error())
	}
	log = log[max(0, len(log)-4000):]
	return fmt.Sprintf("%v\n%s\n%s", d.Process.err, d.Process.Said(), log)
}

// Person logs a new device of an account in.
func (d *Deployment) Person(ctx context.Context, user, password string) (*client.Client, error) {
	d.clients++
	return client.Login(ctx, client.Options{
		Homeserver: d.Homeserver, User: user, Password: password, DeviceName: "e2e",
		Dir: filepath.Join(d.dir, fmt.Sprintf("device-%d", d.clients)),
	})
}

// PersonBy logs a new device in at another address of the homeserver, by
// another way.
func (d *Deployment) PersonBy(ctx context.Context, address string, transport http.RoundTripper, user, password string) (*client.Client, error) {
	d.clients++
	return client.Login(ctx, client.Options{
		Homeserver: address, User: user, Password: password, DeviceName: "e2e", Transport: transport,
		Dir: filepath.Join(d.dir, fmt.Sprintf("device-%d", d.clients)),
	})
}

// Owner logs a device of the owner in.
func (d *Deployment) Owner(ctx context.Context) (*client.Client, error) {
	return d.Person(ctx, string(d.Ready.Owner.UserID), d.Password)
}

// Shell runs a command line of the program, as in the machine's own shell,
// and returns what it says on standard output and on standard error.
func (d *Deployment) Shell(ctx context.Context, input io.Reader, args ...string) (out, said string, err error) {
	cmd := exec.CommandContext(ctx, d.Binary, append([]string{"--socket", d.Socket}, args...)...)
	var stdout, stderr noise
	cmd.Stdin, cmd.Stdout, cmd.Stderr = input, &stdout, &stderr
	err = cmd.Run()
	return stdout.String(), stderr.String(), err
}
