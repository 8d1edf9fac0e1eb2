package forwarder

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// keepEvery is how often addresses of the host are looked at anew and
	// ports that another program held are tried again.
	keepEvery    = 2 * time.Second
	firstBackOff = time.Second
	lastBackOff  = 15 * time.Second
)

// Open binds a forward's port now, on every address of its policy or on none.
// Errors: *InUseError, *AlreadyError, or what the kernel said.
func (f *Forwarder) Open(spec Spec) error {
	spec = spec.normal()
	if err := spec.check(); err != nil {
		return err
	}
	host, err := f.lookAtHost()
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return errors.New("the forwarder has stopped")
	}
	if p, ok := f.ports[spec.Key()]; ok {
		return &AlreadyError{p.spec}
	}
	p := f.newPort(spec)
	f.bind(p, host)
	if p.refusal != nil || p.failure != nil {
		f.closeListeners(p)
		if p.refusal != nil {
			return p.refusal
		}
		return p.failure
	}
	f.ports[spec.Key()] = p
	return nil
}

// Restore opens forwards that were there before. A port that cannot be bound
// is no error here: it is shown as held and tried again. A spec that is
// already open, or is nonsense, is.
func (f *Forwarder) Restore(specs []Spec) error {
	host, err := f.lookAtHost()
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var failed []error
	for _, spec := range specs {
		spec = spec.normal()
		if err := spec.check(); err != nil {
			failed = append(failed, err)
			continue
		}
		if p, ok := f.ports[spec.Key()]; ok {
			failed = append(failed, &AlreadyError{p.spec})
			continue
		}
		p := f.newPort(spec)
		f.bind(p, host)
		f.ports[spec.Key()] = p
	}
	return errors.Join(failed...)
}

func (f *Forwarder) newPort(spec Spec) *port {
	return &port{spec: spec, since: time.Now(), listeners: map[netip.Addr]*listener{}, backOff: firstBackOff,
		tally: tally{reached: make([]atomic.Uint64, 1+len(f.carriers.dialers))}}
}

// bind makes the port's listeners what its policy wants on this host: binds
// what is missing, closes what the host no longer has. The caller holds the
// mutex.
func (f *Forwarder) bind(p *port, host []hostAddr) {
	wanted := p.spec.addresses(host)
	for addr, ln := range p.listeners {
		if !slices.Contains(wanted, addr) {
			f.closeListener(ln)
		}
	}
	before := p.refusal
	p.refusal, p.failure = nil, nil
	for _, addr := range wanted {
		if p.listeners[addr] == nil {
			f.bindOne(p, addr, before)
		}
	}
}

func (f *Forwarder) bindOne(p *port, addr netip.Addr, before *InUseError) {
	ln, err := f.listen(p, addr)
	switch {
	case err == nil:
		p.listeners[addr] = ln
		for _, l := range f.loopsOf(ln) {
			l.post(func() { l.listen(ln) })
		}
	case errors.Is(err, unix.EADDRINUSE):
		if p.refusal == nil {
			p.refusal = &InUseError{netip.AddrPortFrom(addr, uint16(p.spec.Port)), f.holder(p.spec.Key())}
		}
		if before != nil && p.refusal.Holder == "" {
			p.refusal.Holder = before.Holder
		}
	case errors.Is(err, unix.EADDRNOTAVAIL):
		// The address has just gone, or is not yet usable (IPv6 checks for
		// duplicates first); the next look at the host decides.
	default:
		p.failure = err
	}
}

// keep follows the host's addresses and retries ports that were held.
func (f *Forwarder) keep(ctx context.Context) {
	ticker := time.NewTicker(keepEvery)
	defer ticker.Stop()
	for {
		f.rebind()
		select {
		case <-ctx.Done():
			return
		case <-f.look:
		case <-ticker.C:
		}
	}
}

func (f *Forwarder) rebind() {
	host, err := f.lookAtHost()
	if err != nil {
		f.log.WithError(err).Warn("cannot read this host's addresses")
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return // between the tick and the lock
	}
	now := time.Now()
	for _, p := range f.ports {
		held := p.refusal != nil || p.failure != nil
		if held && now.Before(p.retryAt) {
			continue
		}
		f.bind(p, host)
		if p.refusal == nil && p.failure == nil {
			p.backOff = firstBackOff
			continue
		}
		p.retryAt = now.Add(p.backOff)
		p.backOff = min(2*p.backOff, lastBackOff)
	}
}

// Close stops a forward: no new connections from now on; those that are open
// may go on for the drain time and are then reset. Flows of datagrams, which
// nothing ends by itself, end at once. Error: *NotOpenError.
func (f *Forwarder) Close(key Key) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, ok := f.ports[key]
	if !ok {
		return &NotOpenError{key}
	}
	delete(f.ports, key)
	f.closeListeners(p)
	for _, l := range f.loops {
		time.AfterFunc(f.drain, func() { l.post(func() { l.dropAll(p) }) })
	}
	time.AfterFunc(f.drain, func() { f.carriers.drop(func(one *carrier) bool { return one.port == p }) })
	return nil
}

// closeListeners closes all listeners of a port; the caller holds the mutex.
func (f *Forwarder) closeListeners(p *port) {
	for _, ln := range p.listeners {
		f.closeListener(ln)
	}
}

// closeListener closes one once no loop can accept from it any more: its
// descriptor's number may at once be another listener's.
func (f *Forwarder) closeListener(ln *listener) {
	delete(ln.port.listeners, ln.addr.Addr())
	for _, l := range f.loopsOf(ln) {
		l.call(func() { l.unlisten(ln) })
	}
	unix.Close(ln.fd)
}
