package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/docker"
	"github.com/githabideri/fraktalia/forwarder"
	"github.com/githabideri/fraktalia/relay"
	"github.com/githabideri/fraktalia/sandbox"
)

// relays is the forwarder's way into sandboxes by the relay inside them: one
// exec for each run of a container.
type relays struct {
	engine func(host string) (*sandbox.Engine, error)
	pool   *relay.Pool
	log    *logrus.Entry

	mu      sync.Mutex
	running map[string][]forwarder.Sandbox // by host
	without map[string]string              // names of sandboxes that turned out to have no relay, by run
}

func newRelays(engine func(host string) (*sandbox.Engine, error), log *logrus.Entry) *relays {
	return &relays{engine: engine, pool: relay.NewPool(), log: log, running: map[string][]forwarder.Sandbox{}, without: map[string]string{}}
}

// Way names it in !forwards.
func (r *relays) Way() string { return "relay" }

// Dial connects to the loopback inside a sandbox.
func (r *relays) Dial(ctx context.Context, box forwarder.Sandbox, port int) (net.Conn, error) {
	key := runKey(box)
	conn, err := r.pool.Dial(ctx, key, func(ctx context.Context) (relay.Link, error) { return r.start(ctx, box) }, port)
	var stranger *relay.StrangerError
	if errors.As(err, &stranger) && stranger.Missing {
		r.log.WithError(err).WithField("sandbox", box.Name).Debug("no relay")
		r.note(key, box.Name)
		return nil, &forwarder.NoRelayError{Sandbox: box, Err: err}
	}
	if err != nil {
		return nil, err
	}
	return conn, nil
}

func (r *relays) start(ctx context.Context, box forwarder.Sandbox) (relay.Link, error) {
	engine, err := r.engine(box.Host)
	if err != nil {
		return nil, err
	}
	process, err := engine.StartExec(ctx, box.ID, sandbox.Command{Args: []string{relay.Program}})
	if err != nil {
		return nil, err
	}
	return relayProcess{process}, nil
}

// relayProcess is a relay in a sandbox.
type relayProcess struct{ *sandbox.Process }

// Missing says that there was no such program.
func (p relayProcess) Missing() bool {
	ctx, cancel := context.WithTimeout(context.Background(), missingLimit)
	defer cancel()
	status, err := p.Status(ctx)
	return err == nil && (status == sandbox.StatusNotFound || status == sandbox.StatusNotExecutable)
}

// missingLimit bounds the wait for the exit status of what was no relay.
const missingLimit = 2 * time.Second

// runKey tells one run of a container from the next.
func runKey(box forwarder.Sandbox) string {
	return box.ID + " " + box.Started.UTC().Format(time.RFC3339Nano)
}

func (r *relays) note(key, name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.without[key] = name
}

// keep closes the relays of runs that are over. What is not known for the
// moment is kept.
func (r *relays) keep(host string, running []forwarder.Sandbox) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running[host] = running
	keys := map[string]bool{}
	for _, boxes := range r.running {
		for _, box := range boxes {
			keys[runKey(box)] = true
		}
	}
	for key := range r.without {
		if !keys[key] {
			delete(r.without, key)
		}
	}
	r.pool.Keep(keys)
}

// missing names the sandboxes that were found to have no relay.
func (r *relays) missing() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []string
	for _, name := range r.without {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// withoutRelay is what a binary loses that carries no relay.
const withoutRelay = "this fraktalia was built without it, so images that it makes lack it: services on 127.0.0.1 inside a sandbox, and sandboxes without network, cannot be reached"

// relayHealth says whether sandboxes can be reached by the relay.
func (d *deployment) relayHealth(context.Context) command.Finding {
	kinds, missing := docker.Relays(), d.relays.missing()
	switch {
	case len(kinds) == 0:
		return unsure("make build puts it in (go build alone does not)", withoutRelay)
	case len(missing) > 0:
		return unsure("!rebuild-sandbox puts it into the image; containers made after that have it",
			"%s no relay: what listens on 127.0.0.1 alone inside cannot be reached", haveText(missing))
	case !slices.Contains(kinds, runtime.GOARCH):
		return unsure("make build on this machine, or RELAY_ARCHES="+runtime.GOARCH, "in this program for %s only", strings.Join(kinds, ", "))
	}
	return well("for %s, put into the sandbox image", strings.Join(kinds, ", "))
}

func haveText(names []string) string {
	if len(names) == 1 {
		return names[0] + " has"
	}
	return fmt.Sprintf("%s have", strings.Join(names, ", "))
}
