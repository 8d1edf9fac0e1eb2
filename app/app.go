// Package app is the wiring: it makes the parts of the program, gives each what
// it needs, and runs them until they are told to stop. Read it top to bottom.
// It decides nothing about what commands may do.
package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sync/errgroup"

	"github.com/githabideri/fraktalia/bot"
	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/config"
	"github.com/githabideri/fraktalia/forwarder"
	"github.com/githabideri/fraktalia/metrics"
	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/procnet"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/sandbox"
	"github.com/githabideri/fraktalia/shell"
	"github.com/githabideri/fraktalia/store"
	"github.com/githabideri/fraktalia/tailnet"
)

const (
	// cardLifetime is how long a joining card stays in the room.
	cardLifetime = 30 * time.Minute
	// drain is how long connections may end by themselves when the program stops.
	drain = 3 * time.Second
)

// deployment is the running program.
type deployment struct {
	config    config.Config
	log       *logrus.Entry
	version   string
	started   time.Time
	store     *store.Store
	bot       *bot.Bot
	engine    *sandbox.Engine // this machine's, which engines has too
	engines   *engines
	ports     *forwarder.Forwarder
	relays    *relays
	watcher   *sandbox.Watcher
	server    *server
	running   atomic.Pointer[sandbox.Snapshot] // the newest of the watcher
	agents    *agents
	backups   *backups
	metrics   *metrics.Server     // nil where none is asked for
	offers    chan openclaw.Event // what the roster's guard has to tell
	commands  *command.Commands
	isolation *isolation
	// interrupted are the builds in whose middle the program was killed.
	interrupted []store.Build
	// addresses is where friends reach this machine.
	addresses *addresses
	leases    *command.Leases
	watch     *command.Watch
	// ready is called once the bot is in its rooms.
	ready func(*deployment)
	// ownerIn tells when an owner is in the admin room.
	ownerIn *arrived
}

// open makes the parts; nothing runs yet.
func open(ctx context.Context, c config.Config, log *logrus.Entry, version string) (*deployment, error) {
	if err := checkPolicies(c.Roles); err != nil {
		return nil, err
	}
	secrets := filepath.Join(c.Data, "secrets")
	if err := os.MkdirAll(secrets, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of secrets: %w", err)
	}
	d := &deployment{config: c, log: log, version: version, started: time.Now(), offers: make(chan openclaw.Event, 8), ready: func(*deployment) {}, ownerIn: newArrived()}
	var err error
	if d.store, err = store.Open(ctx, filepath.Join(c.Data, "fraktalia.db")); err != nil {
		return nil, err
	}
	if d.engines, err = openEngines(c, log); err != nil {
		return nil, errors.Join(err, d.store.Close())
	}
	d.engine = d.engines.local
	d.relays = newRelays(d.engines.on, log.WithField("part", "relay"))
	d.ports = forwarder.New(forwarder.Options{Log: log.WithField("part", "forwarder"), Holder: holder, Drain: drain, Dialers: []forwarder.Dialer{overSSH{d.engines}, d.relays}})
	d.watcher = sandbox.NewWatcher(d.engine, log.WithField("part", "docker"), d.sandboxesOn(""))
	d.addresses = &addresses{config: c.Homeserver, tailnet: tailnet.New(c.Tailscale.Socket), log: log.WithField("part", "address")}
	for _, h := range d.engines.hosts {
		d.ports.SetHostUnknown(h.Name, nil)
		h.watcher = sandbox.NewWatcher(h.engine, log.WithField("part", "docker").WithField("host", h.Name), d.sandboxesOn(h.Name))
	}
	d.bot = bot.New(bot.Options{
		Homeserver:   c.Homeserver.Address,
		UserID:       c.Bot.UserID,
		PasswordFile: c.Bot.PasswordFile,
		Secrets:      secrets,
		Store:        d.store,
		Owners:       c.Owners,
		AdminRoom:    c.Rooms.Admin,
		ChatRoom:     c.Rooms.Chat,
		Log:          log.WithField("part", "bot"),
		OwnerJoined:  d.ownerCame,
	})
	d.server = newServer(c, d.bot, log.WithField("part", "homeserver"))
	d.agents = newAgents(c, d.engines, d.bot, d.rosterEvent, log.WithField("part", "openclaw"))
	d.isolation = newIsolation(prover{c.Firewall, d.engine}, c.Data, d.tellOfIsolation, log.WithField("part", "isolation"))
	d.metrics = d.tellMetrics()
	d.backups = newBackups(c, log.WithField("part", "backups"))
	d.commands = command.New(d.services())
	d.leases = d.commands.Leases(d.bot, log.WithField("part", "leases"))
	d.watch = d.commands.Watch(d.bot, log.WithField("part", "forwards"))
	return d, nil
}

// run serves until ctx ends. Ports and shell do not wait for the homeserver.
func (d *deployment) run(ctx context.Context) error {
	defer d.store.Close()
	defer d.engines.Close()
	defer d.relays.pool.Close()
	if err := d.restoreForwards(ctx); err != nil {
		return err
	}
	d.sweepBuilds(ctx)
	server, err := shell.Listen(socketIn(d.config.Data), d.commands, d.store, d.log.WithField("part", "shell"))
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	if _, err := d.leases.Tick(ctx); err != nil { // before the bot can hear a click
		return err
	}
	group.Go(func() error { return d.ports.Run(ctx) })
	group.Go(func() error { return d.leases.Run(ctx) })
	group.Go(func() error { return d.watch.Run(ctx) })
	group.Go(func() error { return d.watcher.Run(ctx) })
	for _, h := range d.engines.hosts {
		group.Go(func() error { return h.watcher.Run(ctx) })
	}
	group.Go(func() error { return d.watchOpenClaw(ctx) })
	group.Go(func() error { return d.isolation.Run(ctx) })
	group.Go(func() error { d.stayAlive(ctx); return nil })
	group.Go(func() error { return server.Run(ctx) })
	group.Go(func() error { return d.obey(ctx) })
	group.Go(func() error { return d.mendPermissions(ctx) })
	group.Go(func() error { return d.arrivals().Run(ctx) })
	group.Go(func() error { return d.offerHTTPS(ctx) })
	group.Go(func() error { return d.backups.Run(ctx) })
	if d.metrics != nil {
		group.Go(func() error { return d.metrics.Run(ctx) })
	}
	if err := group.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// obey connects the bot and lets it work.
func (d *deployment) obey(ctx context.Context) error {
	if err := d.bot.Connect(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	d.liftRateLimit(ctx)
	d.tellInterrupted(ctx)
	recovered := d.commands.Recover(ctx, func(doc reply.Doc) { d.bot.Alert(ctx, doc) }, d.log.WithField("part", "agents"))
	defer func() { <-recovered }()
	d.ready(d)
	return d.bot.Run(ctx, d.commands)
}

// liftRateLimit takes the bot out of the homeserver's limits on senders, where
// the bot is its administrator and the server can do that; elsewhere it waits
// when it is told to.
func (d *deployment) liftRateLimit(ctx context.Context) {
	driver, err := d.server.driver(ctx)
	if err == nil {
		if limits, ok := driver.(interface {
			Unlimit(ctx context.Context, userID string) error
		}); ok {
			err = limits.Unlimit(ctx, d.config.Bot.UserID)
		}
	}
	if err != nil {
		d.log.WithError(err).Info("the homeserver's rate limit stays in force for the bot")
	}
}

func holder(key forwarder.Key) string {
	who := procnet.Holder
	if key.UDP {
		who = procnet.HolderUDP
	}
	if found, ok := who(key.Port); ok {
		return found.String()
	}
	return ""
}
