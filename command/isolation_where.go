package command

import (
	"fmt"
	"strings"

	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/reply"
)

// placement is where an agent's commands run, as OpenClaw's configuration says.
type placement struct {
	Agent string
	// Mode is the sandbox's: "off" is none.
	Mode string
	// Network is that of its sandbox; own is what its entry says, inherited
	// what it would have without that.
	Network, own, inherited string
	shared                  bool
}

func (p placement) sandboxed() bool { return p.Mode != "off" }

// where tells it in words.
func (p placement) where() string {
	switch {
	case !p.sandboxed():
		return "on this machine itself, without a sandbox"
	case p.Network == "none":
		return "in a sandbox without any network"
	}
	return "in a sandbox on the network " + p.Network
}

// Outside says whether an agent reaches more than the internet.
func (p placement) outside(network string) bool {
	return !p.sandboxed() || p.Network != "none" && p.Network != network
}

// has says whether a container is the agent's, and runs.
func (p placement) has(s AgentSandbox) bool {
	return p.sandboxed() && s.Running && len(s.Networks) > 0 && (s.Agent == p.Agent || p.shared && s.Agent == "")
}

// elsewhere is a running container of the agent's that reaches more than the
// internet, whatever its entry says now.
func (p placement) elsewhere(sandboxes []AgentSandbox, network string) (AgentSandbox, bool) {
	for _, s := range sandboxes {
		for _, on := range s.Networks {
			if p.has(s) && on != "none" && on != network {
				return s, true
			}
		}
	}
	return AgentSandbox{}, false
}

// placements are those of all agents.
func (r *run) placements() ([]placement, error) {
	config, err := r.Agents.Load()
	if err != nil {
		return nil, r.configProblem(err)
	}
	agents, err := config.Agents()
	if err != nil {
		return nil, r.configProblem(err)
	}
	list := make([]placement, len(agents))
	for i, agent := range agents {
		list[i] = newPlacement(config, agent)
	}
	return list, nil
}

func (r *run) placement(id string) (placement, error) {
	config, err := r.Agents.Load()
	if err != nil {
		return placement{}, r.configProblem(err)
	}
	agent, err := config.Agent(id)
	if err != nil {
		return placement{}, r.configProblem(err)
	}
	return newPlacement(config, agent), nil
}

func newPlacement(config *openclaw.Config, agent openclaw.Agent) placement {
	defaults := openclaw.Agent{}
	if agents, ok := config.Value().Member("agents"); ok {
		defaults.Value, _ = agents.Member("defaults")
	}
	get := func(otherwise string, names ...string) string {
		return orElse(orElse(agent.Text(names...), defaults.Text(names...)), otherwise)
	}
	p := placement{Agent: agent.ID, Mode: get("off", "sandbox", "mode"), own: agent.Text("sandbox", "docker", "network"),
		shared: get("agent", "sandbox", "scope") == "shared"}
	p.inherited = orElse(defaults.Text("sandbox", "docker", "network"), "none")
	p.Network = orElse(p.own, p.inherited)
	if p.shared {
		p.Network = p.inherited
	}
	return p
}

// Outside lists the agents that reach more than the internet, by what the
// configuration says or by where their containers still are; each with where
// it runs.
func Outside(config *openclaw.Config, sandboxes []AgentSandbox, network string) (list []string, err error) {
	agents, err := config.Agents()
	if err != nil {
		return nil, err
	}
	for _, agent := range agents {
		p := newPlacement(config, agent)
		if s, stray := p.elsewhere(sandboxes, network); p.outside(network) {
			list = append(list, p.Agent+" ("+p.where()+")")
		} else if stray {
			list = append(list, fmt.Sprintf("%s (%s is still on %s)", p.Agent, s.Name, strings.Join(s.Networks, ", ")))
		}
	}
	return list, nil
}

// placementDoc lists the agents that are left outside.
func placementDoc(placed []placement, sandboxes []AgentSandbox, network, prompt string) reply.Doc {
	var outside reply.List
	var inside []string
	for _, p := range placed {
		s, stray := p.elsewhere(sandboxes, network)
		switch {
		case p.outside(network):
			outside.Items = append(outside.Items, reply.Line{reply.Bold("%s", p.Agent), ": ", p.where()})
		case stray:
			outside.Items = append(outside.Items, reply.Line{reply.Bold("%s", p.Agent), ": its container ", s.Name, " is still on ", strings.Join(s.Networks, ", "), "; ",
				reply.Mono("%srecreate-sandbox %s", prompt, p.Agent), " makes it anew"})
		default:
			inside = append(inside, p.Agent)
		}
	}
	var doc reply.Doc
	if len(inside) > 0 {
		doc = append(doc, reply.P("Isolated, or without any network: ", strings.Join(inside, ", "), "."))
	}
	if len(outside.Items) > 0 {
		doc = append(doc, reply.P("⚠️ Not isolated (", reply.Mono("%sisolation on AGENT", prompt), "):"), outside)
	}
	return doc
}
