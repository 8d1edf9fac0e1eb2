// Package remote reaches another machine over ssh: the socket of its Docker
// engine, and the addresses of the containers there. One connection carries
// all of it.
//
// The other machine's key must stand in known_hosts, this machine proves
// itself by a key, never by a password, and no program is started over there.
// It knows neither Docker nor forwards: it makes connections for those who do.
package remote

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/crypto/ssh"
)

const (
	// connectLimit bounds one attempt to connect and to prove who we are.
	connectLimit = 10 * time.Second
	// After a failure nobody tries again for a while: the one who asks gets the
	// same error.
	firstBackOff = time.Second
	lastBackOff  = 30 * time.Second
	// aliveEvery is how often the other machine is asked for a sign of life,
	// and how long it may take.
	aliveEvery = 15 * time.Second
)

// Options say how a machine is reached.
type Options struct {
	Name       string // what people call it
	User       string // the account over there
	Address    string // host:port of its ssh server
	KeyFile    string // a private key without passphrase; "": the keys of the ssh agent
	Agent      string // the agent's socket; "" where there is none
	KnownHosts string // the file with the machine's own key
	Socket     string // of its Docker engine, over there
	Log        *logrus.Entry
}

// Host is another machine. It connects when it is first used, and again when
// the connection was lost.
type Host struct {
	options Options

	mu      sync.Mutex // held while it connects
	link    *link
	failed  error
	retryAt time.Time
	backOff time.Duration
	closed  bool
}

// New makes a Host; nothing is connected yet.
func New(o Options) *Host { return &Host{options: o, backOff: firstBackOff} }

// Name is what people call it.
func (h *Host) Name() string { return h.options.Name }

// Engine connects to the socket of the machine's Docker engine. Errors: those
// of connecting (*UnreachableError, *HostKeyError, *RefusedError, *KeyError),
// *EngineError.
func (h *Host) Engine(ctx context.Context) (net.Conn, error) {
	conn, err := h.dial(ctx, "unix", h.options.Socket)
	if refusal := refusalOf(err); refusal != nil {
		return nil, &EngineError{Host: h.options.Name, Socket: h.options.Socket, Err: err}
	}
	return conn, err
}

// Dial connects to an address as that machine sees it. Errors: those of
// connecting; ErrForbidden; or what the machine says of the address.
func (h *Host) Dial(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	conn, err := h.dial(ctx, "tcp", to.String())
	if refusal := refusalOf(err); refusal != nil && refusal.Reason == ssh.Prohibited {
		return nil, &ForbiddenError{Host: h.options.Name, Err: err}
	}
	return conn, err
}

func (h *Host) dial(ctx context.Context, network, address string) (net.Conn, error) {
	l, err := h.connected(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := l.client.DialContext(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("host %s: connect to %s: %w", h.options.Name, address, err)
	}
	return &Conn{Conn: conn, link: l}, nil
}

// Check connects, and returns what hinders it.
func (h *Host) Check(ctx context.Context) error {
	_, err := h.connected(ctx)
	return err
}

// connected returns the connection, and makes it where there is none.
func (h *Host) connected(ctx context.Context) (*link, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return nil, fmt.Errorf("host %s: %w", h.options.Name, net.ErrClosed)
	case h.link != nil && !h.link.dead.Load():
		return h.link, nil
	case h.failed != nil && time.Now().Before(h.retryAt):
		return nil, h.failed
	}
	h.link = nil
	l, err := h.options.connect(ctx)
	if err != nil {
		if ctx.Err() == nil {
			h.failed, h.retryAt = err, time.Now().Add(h.backOff)
			h.backOff = min(2*h.backOff, lastBackOff)
		}
		return nil, err
	}
	h.options.Log.WithField("host", h.options.Name).Info("connected over ssh")
	h.link, h.failed, h.backOff = l, nil, firstBackOff
	go l.watch(h.options.Log.WithField("host", h.options.Name))
	return l, nil
}

// Close ends the connection and everything that goes over it.
func (h *Host) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	if h.link != nil {
		h.link.end()
	}
	return nil
}
