// Package sandbox is the adapter to the Docker engine: it finds OpenClaw's
// sandbox containers, follows the engine's events and builds the sandbox
// image. It owns every import of the Docker client, so that a move to another
// client is a change of this package alone. It keeps no state on disk and
// decides no policy: who may do what, and what a person reads, stands above.
package sandbox

import (
	"context"
	"fmt"
	"net"

	"github.com/docker/docker/client"
)

// Engine is a Docker engine, reached through its API.
type Engine struct {
	api  *client.Client
	host string
}

// Connect prepares a client of the engine at host, e.g.
// "unix:///var/run/docker.sock"; "" takes DOCKER_HOST or the default socket.
// It does not dial: an engine that is down shows at the first call.
func Connect(host string) (*Engine, error) {
	options := []client.Opt{client.FromEnv, client.WithAPIVersionNegotiation()}
	if host != "" {
		options = append(options, client.WithHost(host))
	}
	api, err := client.NewClientWithOpts(options...)
	if err != nil {
		return nil, fmt.Errorf("docker client for %q: %w", host, err)
	}
	return &Engine{api: api}, nil
}

// Host is the name of the machine that it runs on; "" is this one.
func (e *Engine) Host() string { return e.host }

// place is where people look for it.
func (e *Engine) place() string {
	if e.host != "" {
		return e.host
	}
	return e.api.DaemonHost()
}

// ConnectThrough prepares a client of the engine of another machine, to which
// dial makes connections: host is what people call that machine. It does not
// dial yet.
func ConnectThrough(host string, dial func(ctx context.Context) (net.Conn, error)) (*Engine, error) {
	api, err := client.NewClientWithOpts(
		client.WithHost("http://docker."+host), // for the requests' headers only
		client.WithDialContext(func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }),
		client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, fmt.Errorf("docker client for host %q: %w", host, err)
	}
	return &Engine{api: api, host: host}, nil
}

// Close releases idle connections to the engine.
func (e *Engine) Close() error { return e.api.Close() }

// Version asks the engine for its version, e.g. "28.5.2"; an error says that
// it cannot be reached. It does not wait for longer than ctx: the client would,
// for an engine that hangs, because it finds out under a lock which version of
// the interface both speak.
func (e *Engine) Version(ctx context.Context) (string, error) {
	type answer struct {
		version string
		err     error
	}
	said := make(chan answer, 1)
	go func() {
		version, err := e.api.ServerVersion(ctx)
		said <- answer{version.Version, err}
	}()
	select {
	case a := <-said:
		if a.err != nil {
			return "", fmt.Errorf("ask the engine for its version: %w", a.err)
		}
		return a.version, nil
	case <-ctx.Done():
		return "", fmt.Errorf("ask the engine for its version: %w", ctx.Err())
	}
}
