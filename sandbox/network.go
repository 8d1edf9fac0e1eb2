package sandbox

import (
	"context"
	"net/netip"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/system"
)

// NetworkLabel marks the network that this program has made for sandboxes.
const NetworkLabel = "io.fraktalia.network"

const (
	optionBridge = "com.docker.network.bridge.name"
	// optionTalk forbids containers of one network to talk to each other; it
	// also has the engine show their packets to the firewall.
	optionTalk = "com.docker.network.bridge.enable_icc"
)

// Network is one of the engine's networks.
type Network struct {
	ID      string
	Name    string
	Driver  string
	Bridge  string // the name of its interface on the engine's machine
	Ours    bool   // made by this program
	IPv6    bool
	Subnets []netip.Prefix
	// Gateways are its addresses of the engine's machine.
	Gateways []netip.Addr
	// Containers are the names of those that run on it.
	Containers []string
}

// NetworkSpec is a network to be made: a bridge of a given name, on which
// containers cannot talk to each other.
type NetworkSpec struct {
	Name, Bridge string
	Subnets      []netip.Prefix
}

// Networks lists the engine's networks.
func (e *Engine) Networks(ctx context.Context) ([]Network, error) {
	listed, err := e.api.NetworkList(ctx, network.ListOptions{})
	if err != nil {
		return nil, e.engineError(err, "list the networks")
	}
	networks := make([]Network, len(listed))
	for i, n := range listed {
		networks[i] = fromNetwork(n)
	}
	return networks, nil
}

// Network looks a network up by its name; ok is false where there is none.
func (e *Engine) Network(ctx context.Context, name string) (n Network, ok bool, err error) {
	details, err := e.api.NetworkInspect(ctx, name, network.InspectOptions{})
	if errdefs.IsNotFound(err) {
		return n, false, nil
	}
	if err != nil {
		return n, false, e.engineError(err, "look at network %s", name)
	}
	return fromNetwork(details), details.Name == name, nil // the engine takes the start of an id for a name
}

func fromNetwork(details network.Inspect) Network {
	n := Network{ID: details.ID, Name: details.Name, Driver: details.Driver, Bridge: details.Options[optionBridge], IPv6: details.EnableIPv6}
	_, n.Ours = details.Labels[NetworkLabel]
	for _, config := range details.IPAM.Config {
		if prefix, err := netip.ParsePrefix(config.Subnet); err == nil {
			n.Subnets = append(n.Subnets, prefix.Masked())
		}
		gateway, _, _ := strings.Cut(config.Gateway, "/")
		n.Gateways = appendAddr(n.Gateways, gateway)
	}
	for _, endpoint := range details.Containers {
		n.Containers = append(n.Containers, endpoint.Name)
	}
	return n
}

// CreateNetwork makes a network for sandboxes.
func (e *Engine) CreateNetwork(ctx context.Context, spec NetworkSpec) error {
	six := false
	pools := &network.IPAM{}
	for _, subnet := range spec.Subnets {
		six = six || subnet.Addr().Is6()
		pools.Config = append(pools.Config, network.IPAMConfig{Subnet: subnet.String(), Gateway: subnet.Addr().Next().String()})
	}
	_, err := e.api.NetworkCreate(ctx, spec.Name, network.CreateOptions{
		Driver:     "bridge",
		EnableIPv6: &six,
		IPAM:       pools,
		Options:    map[string]string{optionBridge: spec.Bridge, optionTalk: "false"},
		Labels:     map[string]string{NetworkLabel: "isolated"},
	})
	if err != nil {
		return e.engineError(err, "make network %s", spec.Name)
	}
	return nil
}

// RemoveNetwork removes a network on which nothing runs.
func (e *Engine) RemoveNetwork(ctx context.Context, name string) error {
	if err := e.api.NetworkRemove(ctx, name); err != nil && !errdefs.IsNotFound(err) {
		return e.engineError(err, "remove network %s", name)
	}
	return nil
}

// Wall is what the engine says of its own firewall.
type Wall struct {
	// Backend is "iptables" or "nftables", or what else the engine says.
	Backend string
	// Rootless says that its networks are in a namespace of their own.
	Rootless bool
	Version  string
}

// Wall asks the engine for its firewall.
func (e *Engine) Wall(ctx context.Context) (Wall, error) {
	info, err := e.api.Info(ctx)
	if err != nil {
		return Wall{}, e.engineError(err, "ask the engine about itself")
	}
	return Wall{Backend: wallBackend(info), Rootless: hasOption(info, "name=rootless"), Version: info.ServerVersion}, nil
}

// wallBackend reads "nftables+firewalld" as nftables; engines before 28 have
// nothing but iptables and do not speak of it.
func wallBackend(info system.Info) string {
	if info.FirewallBackend == nil || info.FirewallBackend.Driver == "" {
		return "iptables"
	}
	backend, _, _ := strings.Cut(info.FirewallBackend.Driver, "+")
	return backend
}

func hasOption(info system.Info, name string) bool {
	for _, option := range info.SecurityOptions {
		if strings.HasPrefix(option, name) {
			return true
		}
	}
	return false
}
