package app

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/forwarder"
	"github.com/githabideri/fraktalia/procnet"
	"github.com/githabideri/fraktalia/sandbox"
)

// ports joins what the commands for ports act on: the forwarder, and what is
// known of the sandboxes. It opens every forward on the addresses that the
// configuration names, where it was not asked for others.
type ports struct {
	*forwarder.Forwarder
	d *deployment
}

func (d *deployment) forwards() ports { return ports{d.ports, d} }

// Open implements command.Forwards.
func (p ports) Open(spec forwarder.Spec) error {
	spec, err := p.d.bound(spec)
	if err != nil {
		return err
	}
	return p.Forwarder.Open(spec)
}

// bound gives a forward the configuration's addresses.
func (d *deployment) bound(spec forwarder.Spec) (forwarder.Spec, error) {
	if spec.Bind != 0 {
		return spec, nil
	}
	bind, err := forwarder.ParseBind(d.config.Forwards.Listen)
	spec.Bind = bind
	return spec, err
}

// Addresses implements command.Forwards.
func (p ports) Addresses(bind forwarder.Bind) (all, beyond []netip.Addr, err error) {
	return forwarder.Addresses(bind)
}

// Told implements command.Forwards.
func (p ports) Told(key forwarder.Key, answers bool) { p.d.watch.Told(key, answers) }

// Listening implements command.Forwards.
func (p ports) Listening(s forwarder.Sandbox, udp bool) (addrs []netip.AddrPort, seen bool) {
	err := p.d.outside(s.ID, func(pid int) (err error) {
		if udp {
			addrs, err = procnet.PortsUDP(pid)
		} else {
			addrs, err = procnet.Ports(pid)
		}
		return err
	})
	return addrs, err == nil
}

// listenersOutput bounds what a sandbox says of itself, in bytes.
const listenersOutput = 1 << 20

// Listeners implements command.Forwards. It looks from outside, where the
// sandbox's processes are this machine's and may be looked into; else it asks
// inside.
func (p ports) Listeners(ctx context.Context, s forwarder.Sandbox) ([]procnet.Listener, error) {
	var found []procnet.Listener
	err := p.d.outside(s.ID, func(pid int) (err error) {
		found, err = procnet.Inside(pid)
		return err
	})
	named := !slices.ContainsFunc(found, func(l procnet.Listener) bool { return !l.Process.Known() })
	if err == nil && named {
		return found, nil
	}
	inside, failed := p.d.fromInside(ctx, s)
	if failed != nil && err == nil {
		return found, nil // at least that something listens
	}
	return inside, failed
}

// errElsewhere says that a container's processes are not to be seen here.
var errElsewhere = errors.New("the sandbox's processes are not this machine's")

// outside looks at a sandbox by its first process, which must be the same
// before and after: a number is given to another process in time.
func (d *deployment) outside(id string, look func(pid int) error) error {
	now := d.running.Load()
	if now == nil {
		return errElsewhere
	}
	at := slices.IndexFunc(now.Containers, func(c sandbox.Container) bool { return c.ID == id })
	if at < 0 || !ownedBy(now.Containers[at].PID(), id) {
		return errElsewhere
	}
	if err := look(now.Containers[at].PID()); err != nil {
		return err
	}
	if !ownedBy(now.Containers[at].PID(), id) {
		return errElsewhere
	}
	return nil
}

// ownedBy says whether a process of this machine is one of the container: the
// engine may be another machine's, and numbers are given again.
func ownedBy(pid int, id string) bool {
	groups, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	return err == nil && strings.Contains(string(groups), id)
}

func (d *deployment) fromInside(ctx context.Context, s forwarder.Sandbox) ([]procnet.Listener, error) {
	engine, err := d.relays.engine(s.Host)
	if err != nil {
		return nil, err
	}
	out := sandbox.Capture{Most: listenersOutput}
	status, err := engine.Exec(ctx, s.ID, sandbox.Command{Args: []string{"/bin/sh", "-c", procnet.Script}, Stdout: &out})
	if err == nil && (status == sandbox.StatusNotFound || status == sandbox.StatusNotExecutable) {
		err = errNoShell
	}
	if err != nil {
		return nil, fmt.Errorf("ask a sandbox what listens in it: %w", err)
	}
	return procnet.Told(out.String()), nil
}

// errNoShell says that a sandbox cannot be asked.
var errNoShell = errors.New("there is no shell in the sandbox")

// restoreForwards opens what was open before.
func (d *deployment) restoreForwards(ctx context.Context) error {
	saved, err := d.store.Forwards(ctx)
	if err != nil {
		return err
	}
	var specs []forwarder.Spec
	for _, f := range saved {
		if d.beyondRange(f.Port) {
			d.log.Warnf("port %d is not opened again: forwards.range is %d-%d now; unforward %[1]d forgets it",
				f.Port, d.config.Forwards.Range.First, d.config.Forwards.Range.Last)
			continue
		}
		if !f.Until.IsZero() && !f.Until.After(time.Now()) {
			continue // its lease ended while nobody was there; that is told
		}
		spec, err := d.bound(command.SpecOf(f))
		if err != nil {
			return err
		}
		specs = append(specs, spec)
	}
	return d.ports.Restore(specs)
}

// beyondRange says that a port was forwarded under a wider range than today's.
func (d *deployment) beyondRange(port int) bool {
	return port < d.config.Forwards.Range.First || port > d.config.Forwards.Range.Last
}

// sandboxesOn tells the forwarder what runs on a host, "" on this machine.
func (d *deployment) sandboxesOn(host string) func(sandbox.Snapshot) {
	return func(now sandbox.Snapshot) {
		if host == "" {
			d.isolation.engineKnown(now.Known)
		}
		d.running.Store(d.engines.noted(host, now))
		defer d.watch.Poke()
		if !now.Known {
			d.ports.SetHostUnknown(host, now.Err)
			return
		}
		list := running(now)
		d.relays.keep(host, list)
		d.ports.SetHost(host, list)
	}
}

// running are the containers that take connections.
func running(now sandbox.Snapshot) []forwarder.Sandbox {
	var list []forwarder.Sandbox
	for _, c := range now.Containers {
		if c.Running() {
			list = append(list, forwarder.Sandbox{ID: c.ID, Name: c.Name, Agent: c.Agent, Host: c.Host, Addrs: c.Addrs, Started: c.Started})
		}
	}
	return list
}
