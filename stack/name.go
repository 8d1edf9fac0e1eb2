package stack

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"
)

// Name is a name for the homeserver, and where it comes from.
type Name struct {
	Name string
	From NameSource
}

// NameSource says where a server name was found.
type NameSource string

// Where a server name can come from.
const (
	FromTailscale NameSource = "tailscale" // this machine's MagicDNS name
	FromHost      NameSource = "host"      // this machine's own name
)

// tailscaleSocket is where tailscaled listens on Linux.
const tailscaleSocket = "/var/run/tailscale/tailscaled.sock"

// DefaultServerName proposes the name of a new homeserver: the MagicDNS name
// where tailscaled runs and is logged in, else the host's name. Nobody has to
// resolve it as long as the server is not federated, but account ids carry it
// for ever.
func DefaultServerName(ctx context.Context) Name {
	if name := magicDNSName(ctx, tailscaleSocket); name != "" {
		return Name{Name: name, From: FromTailscale}
	}
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	return Name{Name: hostServerName(host), From: FromHost}
}

// magicDNSName asks tailscaled's LocalAPI, plain HTTP over a Unix socket, for
// this machine's name in its tailnet; "" when there is none.
func magicDNSName(ctx context.Context, socket string) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	transport := &http.Transport{DialContext: dial, DisableKeepAlives: true}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://local-tailscaled.sock/localapi/v0/status?peers=false", nil)
	if err != nil {
		return ""
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	var status struct {
		BackendState string
		Self         struct{ DNSName string }
	}
	if json.NewDecoder(response.Body).Decode(&status) != nil || status.BackendState != "Running" {
		return ""
	}
	name := strings.ToLower(strings.TrimSuffix(status.Self.DNSName, "."))
	if ValidServerName(name) != nil {
		return ""
	}
	return name
}

// hostServerName makes a server name of a host's name: small letters, a hyphen
// for what is not allowed. A host that nobody has named is "home".
func hostServerName(host string) string {
	name := strings.Map(func(char rune) rune {
		if char >= 'a' && char <= 'z' || char >= '0' && char <= '9' || char == '.' {
			return char
		}
		return '-'
	}, strings.ToLower(host))
	name = strings.Trim(name, ".-")
	if name == "" || name == "localhost" || ValidServerName(name) != nil {
		return "home"
	}
	return name
}

// serverName is the grammar of the Matrix specification (appendices, "Server
// Name"): a DNS name or an IPv4 address, or an IPv6 address in brackets, with
// or without a port. Capital letters are valid there but trouble everywhere.
var serverName = regexp.MustCompile(`^([0-9a-z]([0-9a-z-]*[0-9a-z])?(\.[0-9a-z]([0-9a-z-]*[0-9a-z])?)*|\[[0-9a-f:.]{2,45}\])(:[0-9]{1,5})?$`)

// ValidServerName says whether a homeserver may have the name. It leaves room
// for localparts: a user id has 255 bytes at most. The error is an
// ErrServerName.
func ValidServerName(name string) error {
	if len(name) > 200 || !serverName.MatchString(name) {
		return ErrServerName{Name: name}
	}
	return nil
}
