package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docker/go-units"
	"github.com/sirupsen/logrus"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/firewall/probe"
	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/sandbox"
)

const (
	// proveEvery is the time between two tries from inside.
	proveEvery = 24 * time.Hour
	// settleFor is how long a started engine has to bring its networks up.
	settleFor = 5 * time.Second
	// proveLimit bounds one try of everything.
	proveLimit = 3 * time.Minute
)

// isolation tries from inside at the start, daily and when Docker has come
// back, and tells the room of changes for the worse. It implements
// command.Isolation.
type isolation struct {
	prover
	log  *logrus.Entry
	file string // keeps the last report, so that a restart repeats no alert
	tell func(context.Context, reply.Doc)
	// again asks for a try before its time.
	again chan struct{}

	proving sync.Mutex
	mu      sync.Mutex
	last    *probe.Report
	lost    bool // the engine has been away
}

func newIsolation(v prover, data string, tell func(context.Context, reply.Doc), log *logrus.Entry) *isolation {
	i := &isolation{prover: v, log: log, file: filepath.Join(data, "isolation.json"), tell: tell, again: make(chan struct{}, 1)}
	if text, err := os.ReadFile(i.file); err == nil {
		var last probe.Report
		if json.Unmarshal(text, &last) == nil {
			i.last = &last
		}
	}
	return i
}

// Network implements command.Isolation.
func (i *isolation) Network() string { return i.config.Network }

// Exists implements command.Isolation.
func (i *isolation) Exists(ctx context.Context) (bool, error) {
	n, ok, err := i.engine.Network(ctx, i.config.Network)
	return ok && n.Ours, err
}

// Prove implements command.Isolation.
func (i *isolation) Prove(ctx context.Context) (probe.Report, error) {
	i.proving.Lock()
	defer i.proving.Unlock()
	ctx, cancel := context.WithTimeout(ctx, proveLimit)
	defer cancel()
	report, err := i.prove(ctx)
	var none *noNetworkError
	if errors.As(err, &none) {
		return report, &command.NoIsolation{Network: none.Network}
	}
	if err != nil {
		return report, err
	}
	i.keep(report)
	return report, nil
}

func (i *isolation) keep(report probe.Report) {
	i.mu.Lock()
	i.last = &report
	i.mu.Unlock()
	text, err := json.Marshal(report)
	if err == nil {
		err = os.WriteFile(i.file, text, 0o600)
	}
	if err != nil {
		i.log.WithError(err).Warn("the last look at the isolation is not kept")
	}
}

// Last is the last report; nil where nothing was tried yet.
func (i *isolation) Last() *probe.Report {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.last
}

// engineKnown is told whether the engine's events can be followed: when they
// come back, Docker was started again.
func (i *isolation) engineKnown(known bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if known && i.lost {
		i.anew()
	}
	i.lost = !known
}

// anew has it tried soon.
func (i *isolation) anew() {
	select {
	case i.again <- struct{}{}:
	default: // is asked for already
	}
}

// Run tries until ctx ends.
func (i *isolation) Run(ctx context.Context) error {
	wait := time.Duration(0)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-i.again:
			wait = settleFor
			continue
		case <-time.After(wait):
		}
		i.look(ctx)
		wait = proveEvery
	}
}

// look tries once, and tells what has become worse.
func (i *isolation) look(ctx context.Context) {
	before := i.Last()
	report, err := i.Prove(ctx)
	var none *command.NoIsolation
	var down *sandbox.EngineDownError
	switch {
	case ctx.Err() != nil:
	case errors.As(err, &none) && before != nil:
		i.tell(ctx, reply.Sayf("⚠️ The isolated network %s is gone, and what was on it is not isolated any more. sudo fraktalia firewall apply makes it anew.", none.Network))
		i.forget()
	case errors.As(err, &none) || errors.As(err, &down):
		i.log.WithError(err).Info("isolation is not tried") // !status tells of both
	case err != nil:
		i.log.WithError(err).Error("isolation could not be tried")
		i.tell(ctx, reply.Say("⚠️ What sandboxes can reach could not be tried from inside; the log says why. ", reply.Mono("!isolation"), " tries it again."))
	default:
		i.log.WithField("tries", len(report.Findings)).WithField("surprises", len(report.Surprises())).Info("isolation was tried from inside")
		if worse(before, report) {
			i.tell(ctx, command.IsolationDoc(report))
		}
	}
}

func (i *isolation) forget() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.last = nil
	if err := os.Remove(i.file); err != nil && !errors.Is(err, os.ErrNotExist) {
		i.log.WithError(err).Warn("the last look at the isolation is not forgotten")
	}
}

// worse says that something is a surprise that was none before.
func worse(before *probe.Report, now probe.Report) bool {
	var known []probe.Target
	if before != nil {
		for _, f := range before.Surprises() {
			known = append(known, f.Target)
		}
	}
	return slices.ContainsFunc(now.Surprises(), func(f probe.Finding) bool { return !slices.Contains(known, f.Target) })
}

// isolationHealth tells how the last try went, and who is not isolated at all.
func (d *deployment) isolationHealth(ctx context.Context) command.Finding {
	exists, err := d.isolation.Exists(ctx)
	last := d.isolation.Last()
	switch {
	case err != nil:
		return unsure("see docker", "not known: the engine does not answer")
	case !exists:
		return d.noIsolation(ctx)
	case last == nil:
		return unsure("!isolation does", "nothing has been tried from inside yet")
	}
	tried := fmt.Sprintf("%d tries from inside %s ago", len(last.Findings), strings.ToLower(units.HumanDuration(time.Since(last.At))))
	if n := len(last.Surprises()); n > 0 {
		return notWell("sudo fraktalia firewall apply repairs the rules; !isolation tells which", "%s: %d were a surprise", tried, n)
	}
	if settings, err := openclaw.LoadConfig(d.config.OpenClaw.Config); err == nil {
		sandboxes, _ := d.agents.Sandboxes(ctx) // without them the configuration's word is all there is
		if outside, err := command.Outside(settings, sandboxes, d.isolation.Network()); err == nil && len(outside) > 0 {
			return unsure("!isolation on AGENT", "%s: as expected; not isolated: %s", tried, strings.Join(outside, ", "))
		}
	}
	if time.Since(last.At) > proveEvery+time.Hour {
		return unsure("!isolation tries again", "the last %s", tried)
	}
	return well("%s: as expected", tried)
}

// noIsolation tells how it is where the isolated network was not made: well only
// if no sandbox has any.
func (d *deployment) noIsolation(ctx context.Context) command.Finding {
	settings, err := openclaw.LoadConfig(d.config.OpenClaw.Config)
	if err == nil {
		agents, _ := settings.Agents()
		sandboxes, _ := d.agents.Sandboxes(ctx)
		outside, err := command.Outside(settings, sandboxes, noNetwork)
		if err == nil && len(outside) == 0 && len(agents) > 0 {
			return well("no agent's sandbox has a network, so nothing can be reached from one; sudo fraktalia firewall apply makes one for the internet alone")
		}
	}
	return unsure("sudo fraktalia firewall apply makes it; !isolation on AGENT puts an agent there", "there is no isolated network %s", d.isolation.Network())
}

// tellOfIsolation tells the admin room, as soon as the bot is in it.
func (d *deployment) tellOfIsolation(ctx context.Context, doc reply.Doc) {
	name := fmt.Sprintf("isolation-%d", time.Now().UnixNano())
	if _, err := d.bot.Announce(ctx, name, doc); err != nil && ctx.Err() == nil {
		d.log.WithError(err).Errorf("could not tell the admin room: %s", doc.Text())
	}
}
