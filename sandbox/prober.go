package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
)

const (
	// proberLabel names what an image of a prober was made from.
	proberLabel = "io.fraktalia.prober"
	// proberUser is nobody.
	proberUser = "65534:65534"
	// proberMemory and proberProcesses are more than one needs.
	proberMemory    = 256 << 20
	proberProcesses = 64
	// addressPatience bounds the wait for a container's addresses.
	addressPatience = 5 * time.Second
)

// ImportProber makes an image out of the tar that write gives, unless the one
// by that name was made from the same: digest tells.
func (e *Engine) ImportProber(ctx context.Context, tag, digest string, write func(io.Writer) error) error {
	if found, err := e.ImageInfo(ctx, tag); err != nil || found.Labels[proberLabel] == digest {
		return err
	}
	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(write(writer)) }()
	defer reader.Close()
	body, err := e.api.ImageImport(ctx, image.ImportSource{Source: reader, SourceName: "-"}, tag, image.ImportOptions{
		Message: "made by Fraktalia of its own program",
		Changes: []string{"LABEL " + proberLabel + "=" + digest, "LABEL " + ImageLabel + "=probe"},
	})
	if err != nil {
		return e.engineError(err, "import %s", tag)
	}
	defer body.Close()
	return eachMessage(body, buildMessage.failure)
}

// Prober is a container that tries what can be reached from a network. It has
// no rights, no files and no capabilities, and goes by itself when its program
// ends.
type Prober struct {
	ID    string
	Addrs []netip.Addr
}

// noNetwork is the engine's name of none.
const noNetwork = "none"

// StartProber starts one on a network; on "none" it has no address.
func (e *Engine) StartProber(ctx context.Context, tag, network string, command []string) (Prober, error) {
	limit := int64(proberProcesses)
	created, err := e.api.ContainerCreate(ctx, &container.Config{
		Image:  tag,
		Cmd:    command,
		User:   proberUser,
		Labels: map[string]string{ImageLabel: "probe"},
	}, &container.HostConfig{
		NetworkMode:    container.NetworkMode(network),
		AutoRemove:     true,
		CapDrop:        []string{"ALL"},
		SecurityOpt:    []string{"no-new-privileges"},
		ReadonlyRootfs: true,
		Resources:      container.Resources{Memory: proberMemory, PidsLimit: &limit},
	}, nil, nil, "")
	if err != nil {
		return Prober{}, e.engineError(err, "make a probe on %s", network)
	}
	p := Prober{ID: created.ID}
	if err := e.api.ContainerStart(ctx, p.ID, container.StartOptions{}); err != nil {
		e.StopProber(ctx, p)
		return Prober{}, e.engineError(err, "start a probe on %s", network)
	}
	if network == noNetwork {
		return p, nil
	}
	if p.Addrs, err = e.awaitAddrs(ctx, p.ID); err != nil {
		e.StopProber(ctx, p)
		return Prober{}, err
	}
	return p, nil
}

// awaitAddrs waits until a container has its addresses.
func (e *Engine) awaitAddrs(ctx context.Context, id string) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, addressPatience)
	defer cancel()
	for {
		var c Container
		if err := e.inspect(ctx, id, &c); err != nil {
			return nil, err
		}
		if c.Running() && len(c.Addrs) > 0 {
			return c.Addrs, nil
		}
		if ctx.Err() != nil || c.ID == "" {
			return nil, fmt.Errorf("the probe %.12s has ended or has no address", id)
		}
		sleep(ctx, 20*time.Millisecond)
	}
}

// AskProber runs a program in a prober with input and returns what it prints.
func (e *Engine) AskProber(ctx context.Context, p Prober, command []string, input []byte) ([]byte, error) {
	var out, said bytes.Buffer
	status, err := e.Exec(ctx, p.ID, Command{Args: command, Stdin: bytes.NewReader(input), Stdout: &out, Stderr: &said})
	if err != nil {
		return nil, err
	}
	if status != 0 {
		return nil, fmt.Errorf("the probe ended with status %d: %s", status, lastLine(out.String()+said.String()))
	}
	return out.Bytes(), nil
}

// StopProber removes it, also after the context's end. One that cannot be
// removed goes when its program ends.
func (e *Engine) StopProber(ctx context.Context, p Prober) { e.stopProbe(ctx, p.ID) }

// Neighbours lists the addresses of the running containers, by the network
// that they are on.
func (e *Engine) Neighbours(ctx context.Context) (map[string][]netip.Addr, error) {
	listed, err := e.api.ContainerList(ctx, container.ListOptions{Filters: filters.NewArgs(filters.Arg("status", "running"))})
	if err != nil {
		return nil, e.engineError(err, "list the containers")
	}
	found := map[string][]netip.Addr{}
	for _, c := range listed {
		if c.NetworkSettings == nil {
			continue
		}
		for name, endpoint := range c.NetworkSettings.Networks {
			found[name] = appendAddr(appendAddr(found[name], endpoint.IPAddress), endpoint.GlobalIPv6Address)
		}
	}
	for _, addrs := range found {
		slices.SortFunc(addrs, netip.Addr.Compare)
	}
	return found, nil
}
