// Package tailnet asks the tailscaled of this machine, over its local API, by
// which name and addresses other machines of the tailnet reach it, and has it
// serve a port over https (what `tailscale serve` does). It will not start,
// log in or configure Tailscale otherwise; where there is none it says so.
package tailnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tailscale.com/client/local"
	"tailscale.com/ipn"
	"tailscale.com/ipn/ipnstate"
	"tailscale.com/tailcfg"
)

// askLimit bounds one question: tailscaled is on this machine.
const askLimit = 2 * time.Second

// httpsPort is where addresses need no number.
const httpsPort = 443

// Tailnet is this machine's tailscaled.
type Tailnet struct{ client *local.Client }

// New makes a Tailnet; socket is where tailscaled listens, "" for the usual
// place. Nothing is asked yet.
func New(socket string) *Tailnet {
	return &Tailnet{&local.Client{Socket: socket, UseSocketOnly: socket != ""}}
}

// Node is this machine as its tailnet knows it.
type Node struct {
	// Name is its MagicDNS name, without a dot at its end.
	Name string
	// Addrs are its addresses in the tailnet.
	Addrs []netip.Addr
	// Userspace says that there is no network device: what comes for this
	// machine is handed to 127.0.0.1.
	Userspace bool
	// HTTPS says that the tailnet gives out certificates.
	HTTPS bool
}

// ErrAbsent says that no tailscaled runs here, or that it is not logged in.
var ErrAbsent = errors.New("this machine is in no tailnet")

// Node asks how the tailnet knows this machine. Errors: ErrAbsent.
func (t *Tailnet) Node(ctx context.Context) (Node, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	status, err := t.client.StatusWithoutPeers(ctx)
	if err != nil {
		return Node{}, fmt.Errorf("%w: %w", ErrAbsent, err)
	}
	if status.BackendState != ipn.Running.String() || status.Self == nil {
		return Node{}, fmt.Errorf("%w: tailscaled is in state %s", ErrAbsent, status.BackendState)
	}
	return Node{Name: nameOf(status.Self), Addrs: status.TailscaleIPs, Userspace: !status.TUN, HTTPS: status.Self.HasCap(tailcfg.CapabilityHTTPS)}, nil
}

func nameOf(self *ipnstate.PeerStatus) string {
	return strings.ToLower(strings.TrimSuffix(self.DNSName, "."))
}

// Served finds the https address at which tailscaled serves a port of this
// machine, "" where it does not.
func (t *Tailnet) Served(ctx context.Context, port int) (address string, err error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	config, err := t.client.GetServeConfig(ctx)
	if err != nil {
		return "", fmt.Errorf("ask tailscaled what it serves: %w", err)
	}
	all := []*ipn.ServeConfig{config}
	for _, foreground := range config.Foreground {
		all = append(all, foreground)
	}
	for _, one := range all {
		for at, web := range one.Web {
			if handler := web.Handlers["/"]; handler != nil && proxies(handler.Proxy, port) && one.IsServingHTTPS(portOf(at), "") {
				return webAddress(at), nil
			}
		}
	}
	return "", nil
}

// proxies says whether a handler's target is a port of this machine.
func proxies(target string, port int) bool {
	if !strings.Contains(target, "://") {
		target = "http://" + target
	}
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "http" {
		return false
	}
	host := net.ParseIP(u.Hostname())
	return u.Port() == strconv.Itoa(port) && (u.Hostname() == "localhost" || host != nil && host.IsLoopback())
}

func portOf(at ipn.HostPort) uint16 {
	port, _ := at.Port()
	return port
}

func webAddress(at ipn.HostPort) string {
	host, port, _ := net.SplitHostPort(string(at))
	if port == strconv.Itoa(httpsPort) {
		return "https://" + host
	}
	return "https://" + net.JoinHostPort(host, port)
}

// ErrNoHTTPS says that the tailnet gives out no certificates.
var ErrNoHTTPS = errors.New("the tailnet gives out no https certificates")

// ErrNotOperator says that tailscaled takes no orders from this user.
var ErrNotOperator = errors.New("tailscaled takes no orders from this user")

// TakenError says that something else is served at the https port already.
type TakenError struct{ What string }

func (e *TakenError) Error() string {
	return "tailscaled serves something else at the https port: " + e.What
}

// Serve has tailscaled serve a port of this machine at the https port of its
// name, until Unserve, also after restarts. It replaces nothing. Errors:
// ErrAbsent, ErrNoHTTPS, ErrNotOperator, *TakenError.
func (t *Tailnet) Serve(ctx context.Context, port int) (address string, err error) {
	node, err := t.Node(ctx)
	if err != nil {
		return "", err
	}
	if !node.HTTPS {
		return "", ErrNoHTTPS
	}
	at := ipn.HostPort(net.JoinHostPort(node.Name, strconv.Itoa(httpsPort)))
	err = t.change(ctx, func(config *ipn.ServeConfig) error {
		if what := occupied(config, at); what != "" {
			return &TakenError{what}
		}
		config.SetWebHandler(&ipn.HTTPHandler{Proxy: "http://127.0.0.1:" + strconv.Itoa(port)}, node.Name, httpsPort, "/", true, "")
		return nil
	})
	return webAddress(at), err
}

// occupied names what is served at the https port.
func occupied(config *ipn.ServeConfig, at ipn.HostPort) string {
	if web := config.Web[at]; web != nil && web.Handlers["/"] != nil {
		handler := web.Handlers["/"]
		return handler.Proxy + handler.Path + handler.Text
	}
	if tcp := config.TCP[httpsPort]; tcp != nil && !tcp.HTTPS {
		return tcp.TCPForward
	}
	return ""
}

// Unserve undoes Serve; it leaves what serves another port.
func (t *Tailnet) Unserve(ctx context.Context, port int) error {
	node, err := t.Node(ctx)
	if err != nil {
		return err
	}
	at := ipn.HostPort(net.JoinHostPort(node.Name, strconv.Itoa(httpsPort)))
	return t.change(ctx, func(config *ipn.ServeConfig) error {
		web := config.Web[at]
		if web == nil || web.Handlers["/"] == nil || !proxies(web.Handlers["/"].Proxy, port) {
			return nil
		}
		config.RemoveWebHandler(node.Name, httpsPort, []string{"/"}, true)
		return nil
	})
}

// change edits what tailscaled serves; the ETag inside keeps another program's
// change of the same moment from being lost.
func (t *Tailnet) change(ctx context.Context, edit func(*ipn.ServeConfig) error) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	config, err := t.client.GetServeConfig(ctx)
	if err != nil {
		return fmt.Errorf("ask tailscaled what it serves: %w", err)
	}
	if err := edit(config); err != nil {
		return err
	}
	err = t.client.SetServeConfig(ctx, config)
	if local.IsAccessDeniedError(err) {
		return fmt.Errorf("%w: %w", ErrNotOperator, err)
	}
	if err != nil {
		return fmt.Errorf("tell tailscaled what to serve: %w", err)
	}
	return nil
}
