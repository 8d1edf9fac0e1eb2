package stack

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/githabideri/fraktalia/procnet"
)

// GatewayOptions say how OpenClaw's gateway is run.
type GatewayOptions struct {
	Node, Script string   // the program, and what it runs
	Path         string   // the PATH, with OpenClaw's programs and docker in it
	State        string   // OpenClaw's folder: its configuration is openclaw.json there
	Environment  []string // more of it, e.g. NODE_OPTIONS
	Port         int      // where the configuration has it listen, on this machine only
	Console      string   // the file for what it says
	Log          *logrus.Entry

	OnCrash     func(Crash)     // told when it ended by itself, before it is restarted; may be nil
	OnRecovered func(Recovered) // told when it answers again after that; may be nil
}

// gatewayPatience is longer than a homeserver's: it is ready after 20 s on a
// machine with nothing else to do, and was seen to take six times that.
const gatewayPatience = 5 * time.Minute

// gatewayStopping is how long a gateway may take to its end. It keeps the keys of
// its agents' encrypted talk in memory, and writes them once a minute and at its
// end (OpenClaw 2026.9.6): killed before that, it goes on with older keys, with
// which it can neither be read nor read others. So it also gets SIGTERM where we
// are killed, and the next start waits for its end. Idle it takes 3.5 s.
const gatewayStopping = 40 * time.Second

// Gateway is OpenClaw's gateway as a supervised child of ours. Start, Run and
// Close are called in this order from one goroutine.
type Gateway struct {
	options GatewayOptions
	service *service
}

// gatewayMark is in the environment of a gateway and of all that it starts.
const gatewayMark = "FRAKTALIA_GATEWAY="

// NewGateway makes one; nothing runs yet.
func NewGateway(o GatewayOptions) *Gateway {
	if o.OnCrash == nil {
		o.OnCrash = func(Crash) {}
	}
	if o.OnRecovered == nil {
		o.OnRecovered = func(Recovered) {}
	}
	g := &Gateway{options: o}
	g.service = &service{
		name: "OpenClaw's gateway", log: o.Log, console: o.Console, tells: o.Console,
		address: "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(o.Port)) + "/ready",
		command: g.command, patience: gatewayPatience, stopping: gatewayStopping, orphaned: syscall.SIGTERM,
		onCrash: o.OnCrash, onRecovered: o.OnRecovered,
	}
	return g
}

// Start runs the gateway and returns when it is ready. One of this folder that
// an earlier run left behind is stopped first. The child outlives ctx: it ends
// with Run or Close, or with this process, however that ends.
//
// Errors: ErrPortInUse, ErrExited, ErrNotReady.
func (g *Gateway) Start(ctx context.Context) error {
	if err := g.stopOrphans(ctx); err != nil { // one of them may hold the port
		return err
	}
	if err := awaitPort(ctx, "127.0.0.1", g.options.Port); err != nil {
		return err
	}
	return g.service.launch(ctx)
}

// Run supervises the gateway until ctx is done and it has ended.
func (g *Gateway) Run(ctx context.Context) error {
	g.service.run(ctx)
	return g.Close()
}

// Close stops the gateway where it runs, and what it has left running.
func (g *Gateway) Close() error {
	g.service.halt()
	return g.stopOrphans(context.Background())
}

// command is how the gateway is started, the first time and after a crash, which
// may have left others running.
func (g *Gateway) command() *exec.Cmd {
	if err := g.stopOrphans(context.Background()); err != nil {
		g.options.Log.WithError(err).Warn("something of an earlier gateway runs on")
	}
	cmd := exec.Command(g.options.Node, g.options.Script, "gateway", "run")
	cmd.Dir = g.options.State
	cmd.Env = childEnvironment(g.Environment()...)
	return cmd
}

// Environment is what a process needs to speak as this gateway does: the
// gateway itself, or OpenClaw's program beside it. The configuration has one
// writer, and that is not OpenClaw.
func (g *Gateway) Environment() []string {
	more := []string{
		"PATH=" + g.options.Path, "OPENCLAW_STATE_DIR=" + g.options.State, "OPENCLAW_CONFIG_PATH=" + filepath.Join(g.options.State, "openclaw.json"),
		"OPENCLAW_CONFIG_READONLY=1", gatewayMark + g.options.State,
	}
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		more = append(more, "DOCKER_HOST="+host)
	}
	return append(more, g.options.Environment...)
}

// stopOrphans ends what a gateway of this folder has left running: it starts
// others, which do not end with it when it is killed. They are known by the
// mark in their environment; their command lines they write themselves.
func (g *Gateway) stopOrphans(ctx context.Context) error {
	marked := func(pid int) bool { return hasMark("/proc", pid, gatewayMark+g.options.State) }
	for _, pid := range processes("/proc", marked) {
		g.options.Log.WithField("pid", pid).Warn("stopping what an earlier gateway left behind")
		if err := stopOrphan(ctx, g.service.name, pid, gatewayStopping, marked); err != nil {
			return err
		}
	}
	return nil
}

// hasMark reads the environment that a process was started with.
func hasMark(proc string, pid int, mark string) bool {
	environment, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "environ"))
	return err == nil && slices.Contains(strings.Split(string(environment), "\x00"), mark)
}

// CheckPort fails with an ErrPortInUse that names the holder, where somebody
// listens there: the program to be started would only say that it is taken.
func CheckPort(host string, port int) error {
	listener, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err == nil {
		return listener.Close()
	}
	if isInUse(err) {
		holder, _ := procnet.Holder(port)
		return ErrPortInUse{Port: port, Holder: holder}
	}
	return ErrListen{Listen: net.JoinHostPort(host, strconv.Itoa(port)), Err: errors.Unwrap(err)}
}
