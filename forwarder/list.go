package forwarder

import (
	"context"
	"errors"
	"net"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// probeLimit bounds one probe's attempt at one address.
const probeLimit = 2 * time.Second

// List tells how every forward stands, sorted by port, TCP before UDP.
func (f *Forwarder) List() []Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []Status
	for _, p := range f.ports {
		all = append(all, f.status(p))
	}
	slices.SortFunc(all, func(a, b Status) int {
		if a.Port != b.Port || a.UDP == b.UDP {
			return a.Port - b.Port
		}
		if a.UDP {
			return 1
		}
		return -1
	})
	return all
}

// status is called with the mutex held.
func (f *Forwarder) status(p *port) Status {
	r := f.route(p)
	s := Status{Spec: p.spec, State: r.state, Listening: p.listening(), Answer: Answer(p.lastMet.Load()), Way: p.way(),
		Open: p.open.Load(), Total: p.total.Load(), In: p.in.Load(), Out: p.out.Load(), Since: p.since,
		Reached: f.reachedBy(&p.tally), Failures: p.tally.failed(), DatagramsIn: p.tally.datagramsIn.Load(), DatagramsOut: p.tally.datagramsOut.Load()}
	switch r.state {
	case Serving, Unreachable:
		s.Sandbox = r.sandboxes[0]
	case Ambiguous:
		s.Agents = r.agents
	case Unknown:
		s.Err = &UnknownError{r.world.lost, r.world.err}
	}
	if p.refusal != nil {
		s.Holder, s.Err = p.refusal.Holder, p.refusal
	} else if p.failure != nil {
		s.Err = p.failure
	}
	if len(s.Listening) == 0 {
		s.State = Held
	}
	return s
}

// Probe tries whether the service inside answers, and returns the way that
// was taken ("direct" or a Dialer's). It opens one connection and closes it at once.
// A UDP service cannot be asked without giving it a datagram that it may not
// understand: there Probe tells what the last one met, "" where there was none.
// Errors: *NotOpenError, *NoSandboxError, *AmbiguousError, *UnknownError,
// *SilentError.
func (f *Forwarder) Probe(ctx context.Context, key Key) (string, error) {
	f.mu.Lock()
	p, ok := f.ports[key]
	f.mu.Unlock()
	if !ok {
		return "", &NotOpenError{key}
	}
	r := f.route(p)
	switch r.state {
	case Waiting:
		return "", &NoSandboxError{p.spec.Agent}
	case Ambiguous:
		return "", &AmbiguousError{r.agents}
	case Unknown:
		return "", &UnknownError{r.world.lost, r.world.err}
	}
	silent := &SilentError{Sandbox: r.sandboxes[0], To: p.spec.To}
	if key.UDP {
		return p.lastDatagram(r, silent)
	}
	for _, t := range r.targets {
		if silent.Err = tryConnect(ctx, t); silent.Err == nil {
			p.met(Answers, wayDirect)
			return wayDirect, nil
		}
	}
	if len(f.carriers.dialers) > 0 {
		way, err := f.carriers.probe(ctx, r.sandboxes, p.spec.To)
		if err == nil {
			p.met(Answers, way)
			return way, nil
		}
		silent.Err = err
	}
	if ctx.Err() == nil {
		p.met(Silent, "")
	}
	return "", silent
}

// lastDatagram is the answer of Probe for UDP.
func (p *port) lastDatagram(r *route, silent *SilentError) (string, error) {
	if r.state == Unreachable {
		return "", silent
	}
	if Answer(p.lastMet.Load()) == Silent {
		silent.Err = unix.ECONNREFUSED
		return "", silent
	}
	return p.way(), nil
}

func tryConnect(ctx context.Context, t target) error {
	dialer := net.Dialer{Timeout: probeLimit}
	conn, err := dialer.DialContext(ctx, "tcp", t.addr.String())
	if err != nil {
		var failed *net.OpError
		if errors.As(err, &failed) {
			return failed.Err // the address and "dial tcp" are in the error that wraps it
		}
		return err
	}
	return conn.Close()
}
