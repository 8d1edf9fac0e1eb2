package openclaw

import (
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/githabideri/fraktalia/openclaw/json5"
)

// MoveHomeserver has the Matrix accounts that OpenClaw has on a server find it at another address. An account is of the
// server where its userId ends in the server's name. Only an address of plain http is changed: https is somebody's own way
// to the server, which does not move with the port that it listens on.
func MoveHomeserver(server, address string) EditFunc {
	return func(c *Config) ([]json5.Operation, error) {
		var list []json5.Operation
		for _, path := range c.matrixPaths() {
			path = path.Then(json5.Key("homeserver"))
			have, there := follow(c.Value(), path)
			if there && have.Text != address && movable(have.Text) && c.onServer(path[:len(path)-1], server) {
				list = append(list, json5.Operation{Verb: json5.Set, Path: path, Value: json5.StringValue(address)})
			}
		}
		return list, nil
	}
}

func movable(address string) bool {
	parsed, err := url.Parse(address)
	return err == nil && parsed.Scheme == "http" && (parsed.Hostname() == "localhost" || net.ParseIP(parsed.Hostname()) != nil)
}

// onServer says whether the homeserver named at a path is a server's: by the account there, or by those that have no
// address of their own and so use that of the channel.
func (c *Config) onServer(path json5.Path, server string) bool {
	of := func(path json5.Path) (user string) {
		v, _ := follow(c.Value(), path.Then(json5.Key("userId")))
		return v.Text
	}
	users := []string{of(path)}
	if users[0] == "" {
		users = []string{of(matrixPath())}
	}
	if len(path) == len(matrixPath()) {
		for _, account := range c.matrixPaths()[1:] {
			if !c.has(account.Then(json5.Key("homeserver"))) {
				users = append(users, of(account))
			}
		}
	}
	for _, user := range users {
		if strings.HasPrefix(user, "@") && strings.HasSuffix(user, ":"+server) {
			return true
		}
	}
	return false
}

// GatewayPort is where the gateway listens; 0 where the configuration does not say.
func (c *Config) GatewayPort() int {
	v, _ := follow(c.Value(), gatewayPortPath())
	port, err := strconv.Atoi(v.Text)
	if err != nil || port < 1 || port > 65535 {
		return 0
	}
	return port
}

// MoveGateway has the gateway listen on another port.
func MoveGateway(port int) EditFunc {
	return func(c *Config) ([]json5.Operation, error) {
		if c.GatewayPort() == port {
			return nil, nil
		}
		return []json5.Operation{{Verb: json5.Set, Path: gatewayPortPath(), Value: json5.ParseValue(strconv.Itoa(port))}}, nil
	}
}

func gatewayPortPath() json5.Path { return json5.Path{json5.Key("gateway"), json5.Key("port")} }
