package openclaw

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
)

// EventKind says what somebody else did to the configuration.
type EventKind string

// The kinds, the gravest that applies is told.
const (
	Broken   EventKind = "broken"   // the file cannot be read any more; the gateway will not start again with it
	Gone     EventKind = "gone"     // the file is not there
	Shrunk   EventKind = "shrunk"   // agents or bindings have vanished
	Reverted EventKind = "reverted" // OpenClaw put an older content back and laid the newer one aside
)

// Event is something that an owner should hear of at once.
type Event struct {
	Kind         EventKind
	LostAgents   []string
	LostBindings []Binding
	Aside        []string // the files in which OpenClaw keeps what it replaced: .clobbered.* and .rejected.*
	Diff         string   // over all files, secrets hidden
	Err          error    // for Broken: why
	changes      []Change
}

// Restore puts the content back that was there before the event, provided that nobody has changed it since.
func (e Event) Restore(ctx context.Context) error {
	for _, made := range e.changes {
		if _, err := Restore(ctx, made.Path, made.After, made.Before); err != nil {
			return err
		}
	}
	return nil
}

// Restorable says whether Restore can do anything: a file that is gone or unreadable as a whole cannot be put back.
func (e Event) Restorable() bool { return len(e.changes) > 0 }

// Guard watches the configuration for what others do to it. It looks at the files at an interval, since that also works
// on file systems that tell nobody of changes, and it reads them only if they look different.
type Guard struct {
	path     string
	interval time.Duration
	notify   func(context.Context, Event)
	log      *logrus.Entry

	mu  sync.Mutex
	own map[[sha256.Size]byte]bool // contents that we wrote

	good  *Config // the last configuration that could be read
	seen  string  // what the files looked like when they were read last
	aside []string
}

// NewGuard makes a guard that calls notify for each event, in the goroutine of Run.
func NewGuard(path string, interval time.Duration, notify func(context.Context, Event), log *logrus.Entry) *Guard {
	return &Guard{path: path, interval: interval, notify: notify, log: log, own: map[[sha256.Size]byte]bool{}}
}

// Own tells the guard of changes that are ours, before or just after they are written: they are no events.
func (g *Guard) Own(changes []Change) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range changes {
		g.own[sha256.Sum256(c.After)] = true
	}
}

func (g *Guard) isOwn(content []byte) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.own[sha256.Sum256(content)]
}

// Run watches until ctx ends.
func (g *Guard) Run(ctx context.Context) error {
	if good, err := LoadConfig(g.path); err == nil {
		g.good = good
	} else {
		g.log.WithError(err).Warn("the configuration cannot be read; it is watched from the moment it can")
	}
	g.seen, g.aside = g.look(), Aside(g.path)
	ticker := time.NewTicker(g.interval)
	defer ticker.Stop()
	before := g.seen
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		now := g.look()
		if now != g.seen && now == before { // it has changed, and has come to rest
			g.seen = now
			g.examine(ctx)
		}
		before = now
	}
}

// look gives a text that changes when one of the files does.
func (g *Guard) look() string {
	names := []string{g.path}
	if g.good != nil {
		names = names[:0]
		for name := range g.good.files {
			names = append(names, name)
		}
		slices.Sort(names)
	}
	var out strings.Builder
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			out.WriteString(name + " " + err.Error() + "\n")
			continue
		}
		out.WriteString(name + " " + info.ModTime().String() + " " + info.Mode().String() + " " + fileID(info) + "\n")
	}
	return out.String()
}

// examine reads the files and tells what is wrong with what it finds.
func (g *Guard) examine(ctx context.Context) {
	aside := Aside(g.path)
	fresh := slices.DeleteFunc(slices.Clone(aside), func(name string) bool { return slices.Contains(g.aside, name) })
	g.aside = aside
	now, err := LoadConfig(g.path)
	if err != nil {
		g.tellBroken(ctx, err)
		return
	}
	before := g.good
	g.good = now
	g.seen = g.look() // the set of files may be another one now
	if before == nil || g.allOwn(before, now) && len(fresh) == 0 {
		return
	}
	if e := compareConfigs(before, now, fresh); e.Kind != "" {
		g.notify(ctx, e)
	}
}

func (g *Guard) tellBroken(ctx context.Context, err error) {
	e := Event{Kind: Broken, Err: err}
	if errors.Is(err, os.ErrNotExist) {
		e.Kind = Gone
	}
	if g.good != nil {
		f := g.good.files[g.good.root]
		if data, errRead := os.ReadFile(f.Path()); errRead == nil {
			e.changes = []Change{{Path: f.Path(), Before: f.Bytes(), After: data}}
			e.Diff = Diff(f.Path(), f.Bytes(), data)
		}
	}
	g.notify(ctx, e)
}

// allOwn says whether every file that differs holds what we wrote.
func (g *Guard) allOwn(before, now *Config) bool {
	for name, f := range now.files {
		if was := before.files[name]; (was == nil || string(was.Bytes()) != string(f.Bytes())) && !g.isOwn(f.Bytes()) {
			return false
		}
	}
	return true
}

// compareConfigs finds what was lost.
func compareConfigs(before, now *Config, aside []string) Event {
	e := Event{Aside: aside}
	was, _ := before.Agents()
	is, _ := now.Agents()
	for _, a := range was {
		if !slices.ContainsFunc(is, func(b Agent) bool { return a.ID == b.ID }) {
			e.LostAgents = append(e.LostAgents, a.ID)
		}
	}
	left := now.Bindings()
	for _, b := range before.Bindings() {
		if !slices.ContainsFunc(left, func(other Binding) bool { other.Index = b.Index; return other == b }) {
			e.LostBindings = append(e.LostBindings, b)
		}
	}
	switch {
	case len(aside) > 0:
		e.Kind = Reverted
	case len(e.LostAgents)+len(e.LostBindings) > 0:
		e.Kind = Shrunk
	}
	for name, f := range before.files {
		if other := now.files[name]; other != nil && string(other.Bytes()) != string(f.Bytes()) {
			made := change(name, f.Bytes(), other.Bytes())
			e.changes = append(e.changes, made)
			e.Diff += made.Diff
		}
	}
	return e
}

// Aside lists the files in which OpenClaw keeps configurations that it replaced by its last good copy (.clobbered.*) or
// refused (.rejected.*): each one is somebody's lost edit.
func Aside(path string) []string {
	var list []string
	for _, kind := range []string{".clobbered.", ".rejected."} {
		found, err := filepath.Glob(globEscape(path) + kind + "*")
		if err == nil {
			list = append(list, found...)
		}
	}
	return list
}

// globEscape keeps letters of a path from being read as a pattern.
func globEscape(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}
