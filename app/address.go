package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/config"
	"github.com/githabideri/fraktalia/forwarder"
	"github.com/githabideri/fraktalia/tailnet"
)

const (
	// knockLimit is how long an address of this machine has to answer.
	knockLimit = time.Second
	// addressAge is how long what was found out is taken to be so.
	addressAge = 20 * time.Second
)

// addresses finds out where friends reach the homeserver and forwarded ports.
// It implements command.Addresses.
type addresses struct {
	config  config.Homeserver
	tailnet *tailnet.Tailnet
	log     *logrus.Entry

	mu    sync.Mutex
	found command.Address
	at    time.Time
}

// Address implements command.Addresses: what a person has written down, else
// the best that answers.
func (a *addresses) Address(ctx context.Context) command.Address {
	a.mu.Lock()
	defer a.mu.Unlock()
	if time.Since(a.at) > addressAge {
		a.found, a.at = a.find(ctx), time.Now()
	}
	return a.found
}

func (a *addresses) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at = time.Time{}
}

func (a *addresses) find(ctx context.Context) command.Address {
	if written := a.config.PublicAddress; written != "" {
		return command.Address{URL: written, Why: "as homeserver.public_address says"}
	}
	port, ours := a.port()
	if !ours {
		return command.Address{URL: a.config.Address, Why: "the homeserver is on another machine"}
	}
	node, err := a.tailnet.Node(ctx)
	if err != nil {
		a.log.WithError(err).Debug("no tailnet")
		return a.nearby(ctx, port)
	}
	if served, err := a.tailnet.Served(ctx, port); err == nil && served != "" {
		return command.Address{URL: served, Why: "tailscaled serves it over https, in the tailnet", Served: true}
	}
	if !a.reachable(ctx, node, port) {
		other := a.nearby(ctx, port)
		other.Why += "; in the tailnet it cannot be reached, because it listens on this machine alone"
		other.CanServe = node.HTTPS
		return other
	}
	return command.Address{URL: "http://" + net.JoinHostPort(node.Name, strconv.Itoa(port)), Why: "this machine's name in the tailnet", CanServe: node.HTTPS}
}

// port is the homeserver's, and whether it runs on this machine.
func (a *addresses) port() (port int, ours bool) {
	u, err := url.Parse(a.config.Address)
	if err != nil {
		return 0, false
	}
	port, err = strconv.Atoi(u.Port())
	if err != nil || u.Scheme != "http" {
		return 0, false
	}
	if u.Hostname() == "localhost" {
		return port, true
	}
	addr, err := netip.ParseAddr(u.Hostname())
	if err != nil {
		return port, false
	}
	if addr.IsLoopback() || addr.IsUnspecified() {
		return port, true
	}
	mine, err := forwarder.HostAddresses(forwarder.Home)
	return port, err == nil && slices.Contains(mine, addr)
}

// reachable says whether the homeserver answers in the tailnet. Without a
// network device nothing here can knock, but then what comes is handed to
// 127.0.0.1.
func (a *addresses) reachable(ctx context.Context, node tailnet.Node, port int) bool {
	if node.Userspace {
		return knock(ctx, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(port)))
	}
	return slices.ContainsFunc(node.Addrs, func(addr netip.Addr) bool {
		return addr.Is4() && knock(ctx, netip.AddrPortFrom(addr, uint16(port)))
	})
}

// nearby is the address in the LAN, where the homeserver answers there.
func (a *addresses) nearby(ctx context.Context, port int) command.Address {
	lan, err := forwarder.HostAddresses(forwarder.LAN)
	if err != nil {
		a.log.WithError(err).Warn("cannot tell this machine's addresses")
	}
	for _, addr := range lan {
		if addr.Is4() && knock(ctx, netip.AddrPortFrom(addr, uint16(port))) {
			return command.Address{URL: fmt.Sprintf("http://%s:%d", addr, port), Why: "this machine's address in the LAN"}
		}
	}
	return command.Address{URL: a.config.Address, Why: "as homeserver.address says"}
}

// knock says whether a Matrix homeserver answers at an address.
func knock(ctx context.Context, at netip.AddrPort) bool {
	ctx, cancel := context.WithTimeout(ctx, knockLimit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at.String()+"/_matrix/client/versions", nil)
	if err != nil {
		return false
	}
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// Hosts implements command.Addresses: this machine's name in the tailnet.
func (a *addresses) Hosts(ctx context.Context) []string {
	node, err := a.tailnet.Node(ctx)
	if err != nil || node.Name == "" {
		return nil
	}
	return []string{node.Name}
}

// Serve implements command.Addresses.
func (a *addresses) Serve(ctx context.Context) (string, error) {
	defer a.forget()
	port, ours := a.port()
	if !ours {
		return "", command.Sorry("The homeserver is not on this machine, so tailscaled here cannot serve it. Say it where it runs, or write its address into homeserver.public_address.")
	}
	address, err := a.tailnet.Serve(ctx, port)
	return address, a.problem(err)
}

// Unserve implements command.Addresses.
func (a *addresses) Unserve(ctx context.Context) error {
	defer a.forget()
	port, _ := a.port()
	return a.problem(a.tailnet.Unserve(ctx, port))
}

func (a *addresses) problem(err error) error {
	var taken *tailnet.TakenError
	switch {
	case errors.Is(err, tailnet.ErrAbsent):
		return command.Because(err, "This machine is in no tailnet: install Tailscale and log in (tailscale up), or, where its socket is elsewhere, name that in tailscale.socket.")
	case errors.Is(err, tailnet.ErrNoHTTPS):
		return command.Because(err, "Your tailnet gives out no https certificates yet. Switch HTTPS Certificates on in Tailscale's admin console, on the page DNS, and say it again.")
	case errors.Is(err, tailnet.ErrNotOperator):
		return command.Because(err, "tailscaled takes no orders from the user that runs me. As root say: tailscale set --operator=USER, with that user's name.")
	case errors.As(err, &taken):
		return command.Because(err, "tailscaled serves something else at the https port already (%.100s), which I leave alone. Free it with tailscale serve, or serve the homeserver at another port with it: I find it by itself.", taken.What)
	}
	return err
}
