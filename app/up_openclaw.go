package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sync/errgroup"

	"github.com/githabideri/fraktalia/aside"
	"github.com/githabideri/fraktalia/config"
	"github.com/githabideri/fraktalia/crashpoint"
	"github.com/githabideri/fraktalia/homeserver"
	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/openclaw/programs"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/secretfile"
	"github.com/githabideri/fraktalia/stack"
)

const (
	// joinPatience is how long an agent has to come into the chat room: OpenClaw
	// goes there some seconds after its gateway is ready.
	joinPatience = 2 * time.Minute
	// joinPoll is the time between two looks.
	joinPoll = 200 * time.Millisecond
)

// localClaw is the OpenClaw that `up --with-openclaw` brings to this machine:
// its programs in the user's cache folder, all else in the data folder.
type localClaw struct {
	data     string
	file     string // fraktalia.yaml
	firewall bool   // whether the isolated network may be made
	wish     agentWish
	fresh    bool // whether the agent is being made by this start
	whole    bool // whether it has been prepared by an earlier start
	// unfetched says why the pinned release could not be had, where an earlier one
	// goes on.
	unfetched error
	moved     bool   // whether its gateway has another port than at the last start
	key       string // of the model, until it is in its file
	// warmed is closed when a started gateway has told its configuration once.
	warmed   chan struct{}
	log      *logrus.Entry
	screen   *screen
	programs programs.Programs
	gateway  *stack.Gateway
	news     chan<- reply.Doc
}

// agentWish is what was asked for at the first start. It is kept, so that an
// interrupted one goes on without asking again; the model's key is a file of its
// own.
type agentWish struct {
	Agent    string `json:"agent"`
	ModelURL string `json:"model_url"`
	Model    string `json:"model"`
	Port     int    `json:"gateway_port"`
	// Done says that the agent, its room and its configuration have been made.
	Done bool `json:"done"`
	// DoctorDue says that the admin room is to be shown how all is.
	DoctorDue bool `json:"doctor_due"`
}

func (c *localClaw) folder() string         { return filepath.Join(c.data, "openclaw") }
func (c *localClaw) configFile() string     { return filepath.Join(c.folder(), "openclaw.json") }
func (c *localClaw) secret(n string) string { return filepath.Join(c.data, "secrets", n) }
func (c *localClaw) agentID(server string) string {
	return "@" + c.wish.Agent + ":" + server
}

func wishFile(data string) string { return filepath.Join(data, "openclaw", "wish.json") }

// knownWish is what was asked for before; false where nothing was.
func knownWish(data string) (w agentWish, known bool, err error) {
	text, err := os.ReadFile(wishFile(data))
	if errors.Is(err, os.ErrNotExist) {
		return w, false, nil
	}
	if err != nil {
		return w, false, fmt.Errorf("read what was asked for: %w", err)
	}
	if err := json.Unmarshal(text, &w); err != nil {
		return w, false, fmt.Errorf("read %s: %w", wishFile(data), err)
	}
	return w, true, nil
}

// prepare makes the agent's account and writes down what is wanted.
func (c *localClaw) prepare(ctx context.Context, accounts *homeserver.Synapse) error {
	if err := os.MkdirAll(c.folder(), 0o700); err != nil {
		return fmt.Errorf("make OpenClaw's folder: %w", err)
	}
	if err := makeAgentAccount(ctx, accounts, c.wish.Agent, c.secret("agent-"+c.wish.Agent)); err != nil {
		return err
	}
	crashpoint.At("up.agent.registered")
	if _, err := writeOnce(c.secret("openclaw-token"), freshPassword); err != nil {
		return fmt.Errorf("keep the gateway's token: %w", err)
	}
	if c.key != "" {
		if err := secretfile.Write(c.secret("model-key"), c.key); err != nil {
			return fmt.Errorf("keep the model's key: %w", err)
		}
	}
	if err := c.keepWish(); err != nil {
		return err
	}
	crashpoint.At("up.wished")
	return config.Change(c.file, func(f *config.Config) {
		f.OpenClaw.Run, f.OpenClaw.Config = true, filepath.Join("openclaw", "openclaw.json")
		f.OpenClaw.Gateway, f.OpenClaw.GatewayTokenFile = "http://"+c.address(), filepath.Join("secrets", "openclaw-token")
	})
}

func (c *localClaw) keepWish() error {
	text, err := json.MarshalIndent(c.wish, "", "  ")
	if err != nil {
		return err
	}
	if err := replaceFile(wishFile(c.data), append(text, '\n')); err != nil {
		return fmt.Errorf("write down what was asked for: %w", err)
	}
	return nil
}

// makeAgentAccount makes an agent's account. Interrupted, it is done again with
// the same password; somebody else's account is left alone.
func makeAgentAccount(ctx context.Context, accounts *homeserver.Synapse, name, passwordFile string) error {
	_, missing := os.Stat(passwordFile)
	password, err := writeOnce(passwordFile, freshPassword)
	if err != nil {
		return fmt.Errorf("keep the agent's password: %w", err)
	}
	_, err = accounts.Register(ctx, homeserver.Account{Localpart: name, Password: homeserver.Secret(password), DisplayName: displayName(name)})
	var exists homeserver.ErrUserExists
	switch {
	case errors.As(err, &exists) && missing != nil:
		return errors.Join(os.Remove(passwordFile),
			failed("There is an account %s on the homeserver already. Choose another name for the agent with --agent.", name))
	case errors.As(err, &exists):
		return nil
	case err != nil:
		return fmt.Errorf("make the account %s: %w", name, err)
	}
	return nil
}

func (c *localClaw) address() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(c.wish.Port))
}

// run brings the agent into the chat room, and keeps its gateway running until
// ctx ends. ready is called once the agent is there, or will not be. What fails is
// told: the homeserver and the bot go on without an agent.
func (c *localClaw) run(ctx context.Context, d *deployment, ready func()) error {
	defer c.close()
	return c.keep(ctx, d, c.start(ctx, d), ready)
}

// keep goes on after a start. An agent that has not come yet may come, or be
// invited again: its gateway is kept running like any other.
func (c *localClaw) keep(ctx context.Context, d *deployment, err error, ready func()) error {
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		c.log.WithError(err).Error("OpenClaw was not brought up")
		c.say("❌ ", c.worded(err))
	}
	ready()
	var group errgroup.Group
	group.Go(func() error { return c.examine(ctx, d, err == nil) })
	if err == nil || errors.Is(err, errAgentAway) {
		group.Go(func() error { return c.gateway.Run(ctx) })
	}
	return group.Wait()
}

// say tells a sentence at the terminal and, with its mark, in the room.
func (c *localClaw) say(mark, sentence string) {
	c.screen.say("%s", sentence)
	c.tell(reply.Say(mark, sentence))
}

func (c *localClaw) tell(doc reply.Doc) {
	select {
	case c.news <- doc:
	default:
	}
}

func (c *localClaw) close() {
	if c.gateway != nil {
		_ = c.gateway.Close()
	}
}

func (c *localClaw) start(ctx context.Context, d *deployment) error {
	c.fresh = !c.wish.Done
	if err := c.settle(ctx, d); err != nil {
		return err
	}
	if err := c.follow(ctx, d); err != nil {
		return err
	}
	var building sync.WaitGroup
	building.Go(func() { c.buildImage(ctx, d) })
	defer building.Wait()
	if err := c.startGateway(ctx, d); err != nil {
		return err
	}
	// A set-up of which nobody has seen the end may have been killed before the agent
	// came. Later it is in the room, or the owner has taken it out.
	if !c.fresh && !c.wish.DoctorDue {
		return nil
	}
	return c.awaitAgent(ctx, d)
}

// launch starts the gateway of the release in use.
func (c *localClaw) launch(ctx context.Context, d *deployment) error {
	if err := c.programs.Plant(c.folder()); err != nil {
		return err
	}
	preloads := c.programs.Probe(ctx, c.folder(), d.engine.SameFiles)
	options, err := programs.NodeOptions(filepath.Join(c.folder(), "preload"), preloads)
	if err != nil {
		return err
	}
	if err := keepPreloads(c.data, preloads); err != nil {
		return err
	}
	var environment []string
	if options != "" {
		environment = []string{"NODE_OPTIONS=" + options}
	}
	c.screen.part("Starting OpenClaw's gateway")
	c.gateway = stack.NewGateway(stack.GatewayOptions{
		Node: c.programs.Node(), Script: c.programs.OpenClaw(), Path: c.programs.Path(), State: c.folder(), Environment: environment, Port: c.wish.Port,
		Console: filepath.Join(c.data, "logs", "openclaw-console.log"), Log: c.log, OnCrash: c.crashed, OnRecovered: c.recovered,
	})
	if err := c.gateway.Start(ctx); err != nil {
		return err
	}
	c.warmed = make(chan struct{})
	go func() {
		defer close(c.warmed)
		c.warm(ctx)
	}()
	return nil
}

// warm asks the gateway for its configuration once: the first answer takes it
// seconds, each later one milliseconds, and who asks it next does not wait long.
func (c *localClaw) warm(ctx context.Context) {
	token := func() (string, error) { return secretfile.Read(c.secret("openclaw-token")) }
	gateway, err := openclaw.NewGateway("http://"+c.address(), token, &http.Client{Timeout: time.Minute})
	if err == nil {
		_, err = gateway.State(ctx)
	}
	if err != nil && ctx.Err() == nil {
		c.log.WithError(err).Info("the gateway's configuration, asked for at its start")
	}
}

// awaitAgent waits until the agent is in the chat room.
func (c *localClaw) awaitAgent(ctx context.Context, d *deployment) error {
	c.screen.part("Waiting for the agent to come into the chat room")
	agent, deadline := c.agentID(d.config.Homeserver.ServerName), time.Now().Add(joinPatience)
	for !d.bot.HasJoined(ctx, d.bot.ChatRoomID(), agent) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(joinPoll):
		}
		if time.Now().After(deadline) {
			return errAgentAway
		}
	}
	return nil
}

var errAgentAway = errors.New("the agent does not come into the chat room")

func (c *localClaw) crashed(crash stack.Crash) {
	if crash.Attempt == 3 {
		c.tell(reply.Sayf("❌ OpenClaw's gateway has ended by itself %d times in a row; I start it again in %s. %s tells why.", crash.Attempt, crash.Restart, crash.Exit.Log))
	}
}

func (c *localClaw) recovered(r stack.Recovered) {
	c.tell(reply.Sayf("⚠️ OpenClaw's gateway ended by itself; I started it again, and it is ready after %s.", r.Down.Round(100*time.Millisecond)))
}

// worded is an error in a sentence for people.
func (c *localClaw) worded(err error) string {
	var port stack.ErrPortInUse
	var exited stack.ErrExited
	var slow stack.ErrNotReady
	var unkept aside.ErrNotKept
	switch {
	case errors.As(err, &port):
		return fmt.Sprintf("OpenClaw's gateway was not started: port %d is taken by %s. Stop that program and start me again.", port.Port, port.Holder)
	case errors.As(err, &exited):
		return fmt.Sprintf("OpenClaw's gateway ended at once (status %d). %s tells why.", exited.Code, exited.Log)
	case errors.As(err, &slow):
		return fmt.Sprintf("OpenClaw's gateway did not get ready within %s. %s may tell why.", slow.After.Round(time.Second), slow.Log)
	case errors.As(err, &unkept):
		return "No copy of its state could be kept; see whether the disk has room."
	case errors.Is(err, errAgentAway):
		return fmt.Sprintf("The agent does not come into the chat room. %s may tell why.", filepath.Join(c.data, "logs", "openclaw-console.log"))
	}
	return fmt.Sprintf("OpenClaw was not brought up; the log in %s tells why.", filepath.Join(c.data, "logs"))
}

// preloadFile is where it is kept which preloads are in force, and why.
func preloadFile(data string) string { return filepath.Join(data, "openclaw", "preload.json") }

func keepPreloads(data string, list []programs.Preload) error {
	text, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(preloadFile(data), append(text, '\n'))
}

// Preloads are those that the gateway of a data folder was started with; none
// where this program starts none.
func Preloads(data string) (list []programs.Preload, err error) {
	text, err := os.ReadFile(preloadFile(data))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what the gateway was started with: %w", err)
	}
	return list, json.Unmarshal(text, &list)
}

func freshPassword() string { return homeserver.NewPassword().Reveal() }

// useOpenClaw puts the programs that were brought first on the PATH, where the
// gateway is ours: what asks OpenClaw finds the same one.
func useOpenClaw(c config.Config) error {
	installed := programs.At(programs.DefaultCache())
	if !c.OpenClaw.Run || !installed.Installed() {
		return nil
	}
	return os.Setenv("PATH", installed.Path())
}

// modelKey is the key of the agent's model; "" where there is none.
func (c *localClaw) modelKey() (string, error) {
	key, err := secretfile.Read(c.secret("model-key"))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	return key, err
}
