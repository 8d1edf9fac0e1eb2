// Package stack brings up the homeserver that a fresh machine does not have: a
// pinned Synapse from the Python package index in a virtual environment under
// the data folder, configured for a family (SQLite, registration closed,
// federation off), run and supervised as a child process; and, where it is asked
// for, OpenClaw's gateway beside it, which somebody else has installed.
//
// It owns the folders synapse/, secrets/ and logs/synapse* under the data
// folder, and the lock on it. It makes no accounts and no rooms, knows no
// commands, and words nothing for people: its errors are types that carry the
// facts, its progress is events.
package stack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/sirupsen/logrus"
)

// SynapseVersion is the release of matrix-synapse that is installed.
const SynapseVersion = "1.163.2"

// Options say what is brought up, and where.
type Options struct {
	Data       string        // the data folder; made with mode 0700 when absent
	Listen     string        // HOST:PORT of the homeserver; port 0 takes a free one
	ServerName string        // "" keeps the data folder's, or takes DefaultServerName for a new one
	Cache      string        // a kept installation to take over, see DefaultCache; "" for none
	Log        *logrus.Entry // what happens, for a log file

	Progress    func(Event)     // told as Prepare and Start go on; may be nil
	OnCrash     func(Crash)     // told when Synapse ended by itself, before it is restarted; may be nil
	OnRecovered func(Recovered) // told when it answers again after that; may be nil
}

// Stack is the local homeserver. Prepare, Start and Run are called in this
// order from one goroutine; Close may be called at any point after that.
type Stack struct {
	options    Options
	layout     layout
	lock       *os.File
	synapse    *service
	venv       string   // of the Synapse that is run
	upgrade    *Upgrade // where that is, or should be, a newer one
	serverName string
	host       string
	port       int
}

// New makes a stack; nothing is touched before Prepare.
func New(options Options) *Stack {
	if options.Progress == nil {
		options.Progress = func(Event) {}
	}
	if options.OnCrash == nil {
		options.OnCrash = func(Crash) {}
	}
	if options.OnRecovered == nil {
		options.OnRecovered = func(Recovered) {}
	}
	return &Stack{options: options}
}

// Address is where the homeserver answers on this machine, e.g.
// "http://127.0.0.1:8008". Known after Prepare.
func (s *Stack) Address() string {
	return AddressOf(net.JoinHostPort(s.host, strconv.Itoa(s.port)))
}

// ServerName is the part of account ids after the colon. Known after Prepare.
func (s *Stack) ServerName() string { return s.serverName }

// SecretFile is the 0600 file with the registration shared secret. It exists
// after Prepare.
func (s *Stack) SecretFile() string { return s.layout.registrationSecret() }

// Prepare locks the data folder, installs Synapse where that has not been done
// and writes its configuration. Everything already done is skipped, so a
// second call costs milliseconds; an interrupted one is taken up again.
//
// Errors: ErrLocked, ErrDataFolder, ErrServerName, ErrServerNameFixed,
// ErrListen, ErrNoPython, ErrNoVenv, ErrInstall.
func (s *Stack) Prepare(ctx context.Context) (err error) {
	if s.layout, err = newLayout(s.options.Data); err != nil {
		return err
	}
	if s.lock, err = lockFolder(s.layout.dir); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			s.unlock()
		}
	}()
	if err = s.layout.makeFolders(); err != nil {
		return err
	}
	if s.host, s.port, err = resolveListen(ctx, s.options.Listen); err != nil {
		return err
	}
	if s.serverName, err = s.settleServerName(ctx); err != nil {
		return err
	}
	if err = s.installSynapse(ctx); err != nil {
		return err
	}
	return s.configure()
}

// Start runs Synapse and returns when it answers. A Synapse of this data
// folder that an earlier run left behind is stopped first. The child outlives
// ctx: it ends with Run or Close, or with this process, however that ends.
//
// Errors: ErrPortInUse, ErrExited, ErrNotReady.
func (s *Stack) Start(ctx context.Context) error {
	if err := s.stopOrphans(ctx); err != nil {
		return err
	}
	if err := awaitPort(ctx, s.host, s.port); err != nil {
		return err
	}
	s.options.Progress(Event{Step: StepStart, Percent: Unknown})
	s.synapse = &service{
		name: "Synapse", log: s.options.Log, console: s.layout.console(), tells: s.layout.log(),
		address: s.Address() + "/_matrix/client/versions", command: s.synapseCommand,
		onCrash: s.options.OnCrash, onRecovered: s.options.OnRecovered,
	}
	if err := s.launch(ctx); err != nil {
		return err
	}
	if err := s.keepListen(); err != nil {
		return err
	}
	s.options.Progress(Event{Step: StepStart, Percent: 100})
	return nil
}

// Close stops Synapse where it runs and lets go of the data folder. It takes
// 6 s at most; calling it again does nothing.
func (s *Stack) Close() error {
	if s.synapse != nil {
		s.synapse.halt()
	}
	s.unlock()
	return nil
}

// Run supervises the Synapse that Start has started: when it ends by itself it
// is started anew, after a pause that grows from 1 s to a minute. Run returns
// when ctx is done and Synapse has ended, within 6 s; its error then is nil.
func (s *Stack) Run(ctx context.Context) error {
	s.synapse.run(ctx)
	return s.Close()
}

const synapseModule = "synapse.app.homeserver"

func (s *Stack) synapseCommand() *exec.Cmd {
	args := []string{"-I", "-m", synapseModule, "-c", s.layout.config()}
	if _, err := os.Stat(s.layout.localConfig()); err == nil {
		args = append(args, "-c", s.layout.localConfig())
	}
	cmd := exec.Command(filepath.Join(s.venv, "bin", "python"), args...)
	cmd.Dir = filepath.Dir(s.layout.config())
	cmd.Env = childEnvironment("PYTHONUNBUFFERED=1")
	return cmd
}

func (s *Stack) unlock() {
	if s.lock != nil {
		_ = s.lock.Close() // closing lets go of the lock
		s.lock = nil
	}
}

// resolveListen takes HOST:PORT apart. Synapse binds to IP addresses only, so
// a host's name is looked up here; no host means all addresses.
func resolveListen(ctx context.Context, listen string) (string, int, error) {
	host, service, err := net.SplitHostPort(listen)
	if err != nil {
		return "", 0, ErrListen{Listen: listen, Err: err}
	}
	port, err := strconv.Atoi(service)
	if err != nil || port < 0 || port > 65535 {
		return "", 0, ErrListen{Listen: listen, Err: fmt.Errorf("%q is no port", service)}
	}
	if host == "" {
		host = "0.0.0.0"
	}
	if net.ParseIP(host) == nil {
		addresses, err := new(net.Resolver).LookupIP(ctx, "ip4", host)
		if err != nil {
			return "", 0, ErrListen{Listen: listen, Err: err}
		}
		host = addresses[0].String()
	}
	if port == 0 {
		port, err = freePort(host)
	}
	return host, port, err
}

func freePort(host string) (int, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	return port, listener.Close()
}

// settleServerName decides the server's name once and for ever: account ids
// carry it, so a data folder that has one keeps it.
func (s *Stack) settleServerName(ctx context.Context) (string, error) {
	have, err := os.ReadFile(s.layout.serverName())
	if err == nil && (s.options.ServerName == "" || s.options.ServerName == string(have)) {
		return string(have), nil
	}
	if err == nil {
		return "", ErrServerNameFixed{Dir: s.layout.dir, Have: string(have), Want: s.options.ServerName}
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read server name: %w", err)
	}
	name := s.options.ServerName
	if name == "" {
		name = DefaultServerName(ctx).Name
	}
	if err := ValidServerName(name); err != nil {
		return "", err
	}
	return name, writeFile(s.layout.serverName(), []byte(name))
}

// KnownServerName returns the server name that a data folder has been given
// by an earlier Prepare.
func KnownServerName(dir string) (string, bool) {
	name, err := os.ReadFile(filepath.Join(dir, "synapse", "server-name"))
	return string(name), err == nil
}

// Event is a step of the way to a running homeserver.
type Event struct {
	Step    Step
	Percent int    // 0 to 100, at 100 the step is done; Unknown where it cannot be told
	Detail  string // what is at work, e.g. the name of a package; may be empty
}

// Unknown is the Percent of a step that cannot tell how far it is.
const Unknown = -1

// Step names a part of the work.
type Step string

// The steps in their order. StepVenv and StepPackages are left out where the
// environment is there already.
const (
	StepVenv     Step = "venv"     // making the virtual environment
	StepPackages Step = "packages" // downloading and installing Synapse
	StepConfig   Step = "config"   // writing secrets and configuration
	StepStart    Step = "start"    // starting Synapse until it answers
)

// Crash says that Synapse ended by itself.
type Crash struct {
	Exit    ErrExited
	Attempt int           // crashes in a row, this one included
	Restart time.Duration // it is started anew after this pause
}

// Recovered says that Synapse answers again after a crash.
type Recovered struct {
	Attempts int           // starts that it took
	Down     time.Duration // from the crash to the first answer
}
