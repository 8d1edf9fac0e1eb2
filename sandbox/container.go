package sandbox

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"golang.org/x/sync/errgroup"
)

// OpenClaw's labels (seen on openclaw@2026.9.6). Containers are found by them
// and never by name: the name's prefix is a setting.
const (
	labelSandbox = "openclaw.sandbox"
	labelSession = "openclaw.sessionKey"
)

// workspaceInside is where OpenClaw mounts the folder that an agent works in.
const workspaceInside = "/workspace"

// inspectsAtOnce bounds the requests that one listing keeps in flight.
const inspectsAtOnce = 8

// Container is one of OpenClaw's sandbox containers, as the engine saw it at
// one moment.
type Container struct {
	ID         string
	Name       string       // without the engine's leading slash
	Host       string       // of the engine, as ConnectThrough was told; "" is this one
	Agent      string       // "" for the sandbox that all agents share
	SessionKey string       // OpenClaw's key, e.g. "agent:mox:workspace:1a2b"
	Image      string       // the name it was created from
	ImageID    string       // the image it really runs
	User       string       // "" is the image's own user
	Networks   []string     // sorted; "none" stands here for network: none
	Addrs      []netip.Addr // IPv4 before IPv6; empty unless it runs on a network
	Started    time.Time    // of the present run, in the engine's clock; zero if never
	State      string       // the engine's word: running, paused, exited, ...
	Created    time.Time    // in the engine's clock
	Workspace  string       // the folder on the engine's machine that is /workspace inside; "" where none is

	sandbox bool     // it carries OpenClaw's label
	command []string // what its own process runs
	pid     int      // of that, on the engine's machine; 0 unless it runs
	tty     bool     // its output is a terminal's
	// memoryLimit is in bytes; 0 is none.
	memoryLimit int64
}

// PID is its first process, as the engine's machine counts; 0 unless it runs.
func (c Container) PID() int { return c.pid }

// Running says whether the container takes connections now; a paused one does
// not (its kernel would accept them and nobody would answer).
func (c Container) Running() bool { return c.State == container.StateRunning }

// Containers lists OpenClaw's sandbox containers in every state, sorted by
// name. It costs one list request and one inspection a container (about 1 ms
// and 0.6 ms on a local engine).
func (e *Engine) Containers(ctx context.Context) ([]Container, error) {
	listed, err := e.api.ContainerList(ctx, container.ListOptions{
		All:     true,
		Filters: filters.NewArgs(filters.Arg("label", labelSandbox)),
	})
	if err != nil {
		return nil, e.engineError(err, "list sandbox containers")
	}
	found := make([]Container, len(listed))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(inspectsAtOnce)
	for i, summary := range listed {
		group.Go(func() error { return e.inspect(ctx, summary.ID, &found[i]) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(c Container) bool { return c.ID == "" })
	slices.SortFunc(found, func(a, b Container) int { return strings.Compare(a.Name, b.Name) })
	return found, nil
}

// inspect fills in one container; one that has gone since the listing stays
// zero. The listing itself is not enough: it lacks the start time, and its
// addresses and state need not be of the same moment.
func (e *Engine) inspect(ctx context.Context, id string, into *Container) error {
	details, err := e.api.ContainerInspect(ctx, id)
	if errdefs.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return e.engineError(err, "inspect container %.12s", id)
	}
	*into = fromInspection(details)
	into.Host = e.host
	return nil
}

func fromInspection(details container.InspectResponse) Container {
	c := Container{
		ID:         details.ID,
		Name:       strings.TrimPrefix(details.Name, "/"),
		Agent:      agentOf(details.Config.Labels[labelSession]),
		SessionKey: details.Config.Labels[labelSession],
		Image:      details.Config.Image,
		ImageID:    details.Image,
		User:       details.Config.User,
		State:      details.State.Status,
		sandbox:    details.Config.Labels[labelSandbox] != "",
		command:    append([]string{details.Path}, details.Args...),
		pid:        details.State.Pid,
		tty:        details.Config.Tty,
	}
	if details.HostConfig != nil {
		c.memoryLimit = details.HostConfig.Memory
	}
	if made, err := time.Parse(time.RFC3339Nano, details.Created); err == nil {
		c.Created = made
	}
	for _, mount := range details.Mounts {
		if mount.Type == "bind" && mount.Destination == workspaceInside {
			c.Workspace = mount.Source
		}
	}
	if started, err := time.Parse(time.RFC3339Nano, details.State.StartedAt); err == nil && started.Year() > 1 {
		c.Started = started
	}
	for name, endpoint := range details.NetworkSettings.Networks {
		c.Networks = append(c.Networks, name)
		c.Addrs = appendAddr(c.Addrs, endpoint.IPAddress)
		c.Addrs = appendAddr(c.Addrs, endpoint.GlobalIPv6Address)
	}
	slices.Sort(c.Networks)
	slices.SortFunc(c.Addrs, netip.Addr.Compare)
	return c
}

func appendAddr(addrs []netip.Addr, text string) []netip.Addr {
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return addrs // the engine writes "" where there is none
	}
	return append(addrs, addr)
}

// agentOf takes the agent's id out of OpenClaw's session key; the sandbox that
// all agents share has none.
func agentOf(sessionKey string) string {
	rest, ok := strings.CutPrefix(sessionKey, "agent:")
	if !ok {
		return ""
	}
	agent, _, _ := strings.Cut(rest, ":")
	return agent
}
