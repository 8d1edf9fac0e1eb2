package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/sirupsen/logrus"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/config"
	"github.com/githabideri/fraktalia/forwarder"
	"github.com/githabideri/fraktalia/remote"
	"github.com/githabideri/fraktalia/sandbox"
)

// engines are this machine's Docker engine and those of other hosts.
type engines struct {
	local *sandbox.Engine
	hosts []*host

	mu    sync.Mutex
	homes map[string]string // of agents, and of containers by id: the host where it was seen last
	last  map[string]sandbox.Snapshot
}

// agentKey is before an agent's name in homes.
const agentKey = "agent:"

// host is another machine with an engine.
type host struct {
	config.Host
	remote  *remote.Host
	engine  *sandbox.Engine
	watcher *sandbox.Watcher
}

// openEngines prepares clients of all engines; nothing is connected yet.
func openEngines(c config.Config, log *logrus.Entry) (*engines, error) {
	local, err := sandbox.Connect(c.Sandbox.Docker)
	if err != nil {
		return nil, err
	}
	e := &engines{local: local, homes: map[string]string{}, last: map[string]sandbox.Snapshot{}}
	for _, h := range c.Hosts {
		user, address := h.Login()
		there := remote.New(remote.Options{Name: h.Name, User: user, Address: address, KeyFile: h.KeyFile, Agent: os.Getenv("SSH_AUTH_SOCK"),
			KnownHosts: h.KnownHosts, Socket: h.Socket, Log: log.WithField("part", "remote")})
		engine, err := sandbox.ConnectThrough(h.Name, there.Engine)
		if err != nil {
			return nil, errors.Join(err, e.Close())
		}
		e.hosts = append(e.hosts, &host{Host: h, remote: there, engine: engine})
	}
	return e, nil
}

// Close ends all connections.
func (e *engines) Close() error {
	err := e.local.Close()
	for _, h := range e.hosts {
		err = errors.Join(err, h.engine.Close(), h.remote.Close())
	}
	return err
}

// on is the engine of a host, "" of this machine.
func (e *engines) on(name string) (*sandbox.Engine, error) {
	if name == "" {
		return e.local, nil
	}
	if h := e.host(name); h != nil {
		return h.engine, nil
	}
	return nil, fmt.Errorf("there is no host %q", name)
}

func (e *engines) host(name string) *host {
	if at := slices.IndexFunc(e.hosts, func(h *host) bool { return h.Name == name }); at >= 0 {
		return e.hosts[at]
	}
	return nil
}

// Home implements command.Engines: where the configuration says, else where
// the agent's container was seen last, else this machine.
func (e *engines) Home(agent string) (string, *sandbox.Engine) {
	for _, h := range e.hosts {
		if slices.Contains(h.Agents, agent) {
			return h.Name, h.engine
		}
	}
	e.mu.Lock()
	name := e.homes[agentKey+agent]
	e.mu.Unlock()
	engine, err := e.on(name)
	if err != nil {
		return "", e.local
	}
	return name, engine
}

// Engine implements command.Engines.
func (e *engines) Engine(name string) (*sandbox.Engine, bool) {
	engine, err := e.on(name)
	return engine, err == nil
}

// Hosts implements command.Engines.
func (e *engines) Hosts() []string {
	var names []string
	for _, h := range e.hosts {
		names = append(names, h.Name)
	}
	return names
}

// Living implements command.Engines. Where an agent has no container for the
// moment, or its host is away, it lives where it was seen last.
func (e *engines) Living() []string {
	found := map[string]bool{}
	e.mu.Lock()
	for whose, host := range e.homes {
		if strings.HasPrefix(whose, agentKey) {
			found[host] = true
		}
	}
	e.mu.Unlock()
	var names []string
	for _, name := range append([]string{""}, e.Hosts()...) {
		if h := e.host(name); found[name] || h != nil && len(h.Agents) > 0 {
			names = append(names, name)
		}
	}
	return names
}

// seen notes where containers are.
func (e *engines) seen(list []sandbox.Container) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range list {
		e.homes[agentKey+c.Agent], e.homes[c.ID] = c.Host, c.Host
	}
}

// noted notes what one host's engine says, and returns what is known of all;
// whether that is known is this machine's engine's word.
func (e *engines) noted(host string, now sandbox.Snapshot) *sandbox.Snapshot {
	e.seen(now.Containers)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last[host] = now
	all := e.last[""]
	all.Containers = slices.Clone(all.Containers)
	for _, h := range e.hosts {
		all.Containers = append(all.Containers, e.last[h.Name].Containers...)
	}
	return &all
}

// holding is the engine that has a container.
func (e *engines) holding(id string) *sandbox.Engine {
	e.mu.Lock()
	name := e.homes[id]
	e.mu.Unlock()
	engine, err := e.on(name)
	if err != nil {
		return e.local
	}
	return engine
}

// Containers lists those of all engines, this machine's first. A host that
// cannot be reached has none for the moment: status tells of it.
func (e *engines) Containers(ctx context.Context) ([]sandbox.Container, error) {
	all, err := e.local.Containers(ctx)
	if err != nil {
		return nil, err
	}
	found := make([][]sandbox.Container, len(e.hosts))
	var asking sync.WaitGroup
	for i, h := range e.hosts {
		asking.Go(func() { found[i], _ = h.engine.Containers(ctx) })
	}
	asking.Wait()
	for _, list := range found {
		all = append(all, list...)
	}
	e.seen(all)
	return all, nil
}

// overSSH is the forwarder's way to the addresses of other hosts' containers.
type overSSH struct{ engines *engines }

// Way names it in !forwards.
func (overSSH) Way() string { return "ssh" }

// Dial connects to a container of another host.
func (o overSSH) Dial(ctx context.Context, box forwarder.Sandbox, port int) (net.Conn, error) {
	h := o.engines.host(box.Host)
	if h == nil {
		return nil, errors.New("not on another host")
	}
	err := errors.New("it has no network")
	for _, addr := range box.Addrs {
		var conn net.Conn
		if conn, err = h.remote.Dial(ctx, netip.AddrPortFrom(addr, uint16(port))); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// hostHealth looks at one other host.
func (d *deployment) hostHealth(h *host) func(context.Context) command.Finding {
	return func(ctx context.Context) command.Finding {
		err := h.remote.Check(ctx)
		var version string
		if err == nil {
			version, err = h.engine.Version(ctx)
		}
		if err == nil {
			return well("engine %s, over ssh at %s", version, h.Address)
		}
		d.log.WithError(err).WithField("host", h.Name).Info("status: another host")
		return hostTrouble(h, err)
	}
}

// hostTrouble tells why a host is not well, and what to do.
func hostTrouble(h *host, err error) command.Finding {
	var key *remote.HostKeyError
	var own *remote.KeyError
	var refused *remote.RefusedError
	var unreachable *remote.UnreachableError
	switch {
	case errors.As(err, &key) && key.Changed:
		return notWell(fmt.Sprintf("find out why before you trust it; then mend line %d of that file", key.Line),
			"%s shows another key than %s has of it; I do not connect", h.Address, key.File)
	case errors.As(err, &key):
		return notWell(fmt.Sprintf("ssh to it once by hand, compare the key, and let it be written to %s", key.File), "the key of %s is not known", h.Address)
	case errors.As(err, &own) && own.Passphrase():
		return notWell("load it into an ssh agent and leave key_file empty", "%s needs a passphrase, which I do not ask for", own.File)
	case errors.As(err, &own) && own.File != "":
		return notWell("let this user read it, or name another in key_file", "the key %s cannot be used", own.File)
	case errors.As(err, &own):
		return notWell("start one and load a key, or name a key in key_file", "no ssh agent answers")
	case errors.As(err, &refused):
		return notWell(fmt.Sprintf("put this machine's public key into %s's authorized_keys there", refused.User), "%s does not let us in as %s", h.Address, refused.User)
	case errors.As(err, &unreachable):
		return notWell("see that it runs, and that its ssh server listens there; I try again by myself", "%s does not answer", strings.TrimSpace(h.Address))
	}
	return notWell(fmt.Sprintf("start it there, and let the ssh user open %s (group docker)", h.Socket), "its Docker engine does not answer")
}
