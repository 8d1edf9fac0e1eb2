package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sync/errgroup"

	"github.com/githabideri/fraktalia/config"
	"github.com/githabideri/fraktalia/crashpoint"
	"github.com/githabideri/fraktalia/homeserver"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/secretfile"
	"github.com/githabideri/fraktalia/stack"
)

const (
	defaultListen = "127.0.0.1:8008"
	botName       = "fraktalia"
)

// upOptions are the flags of `fraktalia up`.
type upOptions struct {
	data, listen, serverName, owner string
	yes, json                       bool

	withOpenClaw bool
	adopt        bool // look after the OpenClaw that is there
	agent        agentOptions
	tailscale    string // yes, no, or "" where it was not said
}

// up brings up a local homeserver and runs the bot on it.
func (p *program) up(ctx context.Context, o upOptions) error {
	data, err := filepath.Abs(o.data)
	if err != nil {
		return err
	}
	screen := newScreen(p.stderr)
	defer screen.close()
	file := filepath.Join(data, "fraktalia.yaml")
	o.withOpenClaw = o.withOpenClaw || o.adopt
	if err := o.settle(ctx, file, p, screen); err != nil {
		return err
	}
	log, closeLog := fileLog(filepath.Join(data, "logs", "fraktalia.log"), p.stderr)
	defer closeLog()
	local := &homestead{options: o, data: data, file: file, log: log, screen: screen, news: make(chan reply.Doc, 8)}
	if err := o.checkTailscale(); err != nil {
		return err
	}
	if err := local.wantClaw(ctx, p, screen); err != nil {
		return err
	}
	if err := local.start(ctx, screen); err != nil {
		return local.stopped(err)
	}
	defer local.stack.Close()
	d, err := local.deployment(ctx, p.version)
	if err != nil {
		return err
	}
	if err := o.followTailscale(ctx, d); err != nil {
		return err
	}
	announce := func() { screen.close(); p.announce(ctx, d, local.agentID(), o.json) }
	d.ready = func(*deployment) {
		local.serveAsSaid(ctx, d, screen)
		local.present(announce)
	}
	return local.run(ctx, d, announce)
}

// settle fills in what was not said: from the data folder where it has been
// set up before, else from the machine.
func (o *upOptions) settle(ctx context.Context, file string, p *program, screen *screen) error {
	known, err := config.Load(file)
	switch {
	case err == nil:
		return o.takeUp(known)
	case !errors.Is(err, os.ErrNotExist):
		return &exitError{code: 1, text: err.Error()}
	}
	if o.listen == "" {
		o.listen = defaultListen
	}
	if o.owner == "" {
		if err := o.askOwner(ctx, p); err != nil {
			return err
		}
	}
	if o.owner == botName {
		return usage("--owner %s: that is the bot's own name; choose another", botName)
	}
	if err := homeserver.ValidLocalpart(o.owner, ""); err != nil {
		return usage("--owner %s: account names have small letters, digits and . _ = - / + only", o.owner)
	}
	if o.serverName == "" {
		return o.chooseServerName(ctx, file, p, screen)
	}
	return nil
}

// takeUp continues with a data folder that is set up.
func (o *upOptions) takeUp(known config.Config) error {
	if !stack.Ran(filepath.Dir(known.File)) { // up writes its configuration after that
		return failed("%s is of a homeserver that runs elsewhere (%s), and up does not put another in its place. Start the bot for it: fraktalia run --config %[1]s. For a second homeserver, choose another folder with --data. Nothing was changed.", known.File, known.Homeserver.Address)
	}
	if o.listen == "" {
		o.listen = knownListen(known)
	}
	if _, ok := stack.KnownServerName(known.Data); !ok && o.serverName == "" {
		o.serverName = known.Homeserver.ServerName // the folder was restored from a backup
	}
	if o.owner != "" && known.Owners[0] != "@"+o.owner+":"+known.Homeserver.ServerName {
		return usage("--owner %s: this data folder's owner is %s; owners are changed in fraktalia.yaml", o.owner, known.Owners[0])
	}
	return nil
}

// chooseServerName says the name that accounts will carry for ever before it
// is made, and asks where there is somebody to ask.
func (o *upOptions) chooseServerName(ctx context.Context, file string, p *program, screen *screen) error {
	name, ok := stack.KnownServerName(filepath.Dir(file))
	if !ok {
		name = stack.DefaultServerName(ctx).Name
		screen.say("The homeserver will be called %s: accounts are @%s:%s, and that is for ever. (--server-name chooses another.)", name, o.owner, name)
		if o.mayAsk(p) && !o.withOpenClaw { // there are three questions already
			typed, err := p.ask(ctx, "Press Enter to go on, or type another name: ")
			if err != nil {
				return err
			}
			if typed != "" {
				name = typed
			}
		}
	}
	o.serverName = name
	return nil
}

// homestead is the local homeserver with its two accounts.
type homestead struct {
	options    upOptions
	data, file string
	log        *logrus.Entry
	stack      *stack.Stack
	// news of the homeserver is for the admin room.
	news chan reply.Doc
	// claw is nil where no OpenClaw is run here; inRooms is closed once the bot is.
	claw    *localClaw
	adopted *adoption // of somebody's OpenClaw; nil for none
	screen  *screen
	inRooms chan struct{}
}

// start brings the homeserver up and makes what is missing: accounts and the
// configuration.
func (h *homestead) start(ctx context.Context, screen *screen) error {
	h.stack = stack.New(stack.Options{
		Data: h.data, Listen: h.options.listen, ServerName: h.options.serverName, Cache: stack.DefaultCache(),
		Log: h.log.WithField("part", "homeserver"), Progress: screen.step,
		OnCrash: h.crashed, OnRecovered: h.recovered,
	})
	if err := h.startBoth(ctx); err != nil {
		return errors.Join(err, h.stack.Close())
	}
	h.tellUpgrade()
	if err := h.makeWhole(ctx); err != nil {
		return errors.Join(err, h.stack.Close())
	}
	return nil
}

// startBoth brings the homeserver while OpenClaw's programs are fetched. Each
// ends the other where it fails, and the first to fail is told of.
func (h *homestead) startBoth(ctx context.Context) error {
	fetching, stop, fetched := h.fetchClaw(ctx)
	defer stop()
	err := h.startHomeserver(fetching)
	if err != nil {
		stop()
	}
	if failure := fetched(); failure != nil && (err == nil || !errors.Is(failure, context.Canceled)) {
		return failure
	}
	return err
}

func (h *homestead) startHomeserver(ctx context.Context) error {
	if err := h.stack.Prepare(ctx); err != nil {
		return err
	}
	return h.stack.Start(ctx)
}

// makeWhole makes the accounts and the configuration that are missing.
func (h *homestead) makeWhole(ctx context.Context) error {
	if _, err := os.Stat(h.file); err != nil {
		if err := h.makeAccounts(ctx); err != nil {
			return err
		}
		if err := h.writeConfig(); err != nil {
			return err
		}
		crashpoint.At("up.configured")
	}
	if h.adopted != nil {
		return h.prepareAdoption(ctx)
	}
	if h.claw == nil {
		return nil
	}
	if h.claw.whole {
		return h.claw.keepPort()
	}
	accounts, err := h.accounts()
	if err != nil {
		return err
	}
	return h.claw.prepare(ctx, accounts)
}

// accounts makes accounts by the homeserver's registration secret.
func (h *homestead) accounts() (*homeserver.Synapse, error) {
	secret, err := secretfile.Read(h.stack.SecretFile())
	if err != nil {
		return nil, fmt.Errorf("read the registration secret: %w", err)
	}
	return homeserver.NewSynapse(homeserver.NewClient(h.stack.Address(), nil), homeserver.Secret(secret), ""), nil
}

// makeAccounts makes the bot's and the owner's account. Interrupted, it is
// done again with the same passwords.
func (h *homestead) makeAccounts(ctx context.Context) error {
	accounts, err := h.accounts()
	if err != nil {
		return err
	}
	for _, account := range []struct {
		name, file string
		display    string
		admin      bool
	}{
		{botName, filepath.Join(h.data, "secrets", "bot-password"), "Fraktalia", true},
		{h.options.owner, firstPasswordFile(h.data), "", false},
	} {
		password, err := writeOnce(account.file, freshPassword)
		if err != nil {
			return fmt.Errorf("keep a password: %w", err)
		}
		_, err = accounts.Register(ctx, homeserver.Account{Localpart: account.name, Password: homeserver.Secret(password),
			DisplayName: account.display, Admin: account.admin})
		var exists homeserver.ErrUserExists
		if err != nil && !errors.As(err, &exists) {
			return fmt.Errorf("make the account %s: %w", account.name, err)
		}
		crashpoint.At("up.registered." + filepath.Base(account.file))
	}
	return nil
}

func (h *homestead) writeConfig() error {
	c := config.Default()
	server := h.stack.ServerName()
	secret, err := filepath.Rel(h.data, h.stack.SecretFile())
	if err != nil {
		return err
	}
	c.Homeserver = config.Homeserver{Address: h.stack.Address(), ServerName: server, RegistrationSecretFile: secret}
	c.Bot = config.Bot{UserID: "@" + botName + ":" + server, PasswordFile: filepath.Join("secrets", "bot-password")}
	c.Owners = []string{"@" + h.options.owner + ":" + server}
	return config.Write(h.file, c)
}

func (h *homestead) deployment(ctx context.Context, version string) (*deployment, error) {
	c, err := config.Load(h.file)
	if err != nil {
		return nil, &exitError{code: 1, text: err.Error()}
	}
	if err := h.keepAddress(c.Homeserver.Address); err != nil {
		return nil, err
	}
	c.Homeserver.Address = h.stack.Address()
	setLevel(h.log, c.Log.Level)
	if err := useOpenClaw(c); err != nil {
		return nil, err
	}
	return open(ctx, c, h.log, version)
}

// crashed tells the terminal of a homeserver that does not stay up: the room
// cannot be told. Once and twice are in the log only.
func (h *homestead) crashed(c stack.Crash) {
	if c.Attempt >= 3 {
		h.log.Errorf("The homeserver has ended by itself %d times in a row; I start it again in %s. %s tells why.", c.Attempt, c.Restart, c.Exit.Log)
	}
}

// recovered passes on that the homeserver had ended by itself. It must not
// wait: the one who tells is the one who keeps the homeserver running.
func (h *homestead) recovered(r stack.Recovered) {
	select {
	case h.news <- reply.Sayf("⚠️ The homeserver ended by itself; I started it again, and it answers after %s.", r.Down.Round(100*time.Millisecond)):
	default: // a homeserver that falls again and again is told often enough
	}
}

// tell brings the news into the admin room until ctx ends, as soon as there is
// an owner who can read it.
func (h *homestead) tell(ctx context.Context, d *deployment) {
	d.ownerIn.wait(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case doc := <-h.news:
			d.bot.Alert(ctx, doc)
		}
	}
}

// run serves until ctx ends; the homeserver goes last, so that what is being
// said can still be said.
func (h *homestead) run(ctx context.Context, d *deployment, announce func()) error {
	serving, stop := context.WithCancel(ctx)
	defer stop()
	keeping, release := context.WithCancel(context.WithoutCancel(ctx))
	defer release()
	var group errgroup.Group
	group.Go(func() error {
		defer stop()
		return h.stack.Run(keeping)
	})
	group.Go(func() error {
		defer release()
		return d.run(serving)
	})
	group.Go(func() error { h.tell(serving, d); return nil })
	group.Go(func() error { return h.runClaw(serving, d, announce) })
	return group.Wait()
}

// stopped words why the homeserver could not be brought up.
func (h *homestead) stopped(err error) error {
	var port stack.ErrPortInUse
	var locked stack.ErrLocked
	var fixed stack.ErrServerNameFixed
	var noPython stack.ErrNoPython
	var noVenv stack.ErrNoVenv
	var name stack.ErrServerName
	var listen stack.ErrListen
	var told *exitError
	switch {
	case errors.As(err, &told):
		return told
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &port):
		return failed("Port %d is taken by %s. Stop that program, or choose another port with --listen.", port.Port, port.Holder)
	case errors.As(err, &locked):
		return failed("Another fraktalia runs in %s. Stop it, or choose another folder with --data.", h.data)
	case errors.As(err, &fixed):
		return failed("The server name of %s is %s, for ever. Leave --server-name out, or choose another folder with --data.", h.data, fixed.Have)
	case errors.As(err, &name):
		return usage("--server-name %s: a server name has small letters, digits, dots and dashes, such as family.example", name.Name)
	case errors.As(err, &listen):
		return usage("--listen %s cannot be used: it is HOST:PORT with an address of this machine, such as 127.0.0.1:8008", listen.Listen)
	case errors.As(err, &noPython):
		return failed("Python 3.11 or newer is needed for the homeserver and was not found. Install it (apt-get install python3).")
	case errors.As(err, &noVenv):
		return failed("Python cannot make virtual environments here. Install them: apt-get install python3-venv.")
	}
	h.log.WithError(err).Warn("the homeserver could not be brought up") // an error would be shown twice
	return failed("The homeserver could not be brought up: %v. %s has more.", err, filepath.Join(h.data, "logs"))
}

// loginName is the account name for whoever started the program.
func loginName() string {
	for _, key := range []string{"SUDO_USER", "USER", "LOGNAME"} {
		name := strings.ToLower(os.Getenv(key))
		if name != "" && name != "root" && name != botName && homeserver.ValidLocalpart(name, "") == nil {
			return name
		}
	}
	return "owner"
}
