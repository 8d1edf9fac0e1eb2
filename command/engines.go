package command

import (
	"strings"

	"github.com/githabideri/fraktalia/sandbox"
)

// Engines finds the Docker engines that sandboxes live on.
type Engines interface {
	// Home is where an agent's sandbox lives: the host's name, "" for this
	// machine, and its engine. It dials nothing.
	Home(agent string) (host string, engine *sandbox.Engine)
	// Engine is the one of a host, "" of this machine.
	Engine(host string) (engine *sandbox.Engine, ok bool)
	// Hosts are the names of the other machines.
	Hosts() []string
}

// buildOn has this command build on a host: by its own name, or by an agent
// that lives there. It returns the host's name, "" for this machine.
func (r *run) buildOn(whose string) (host string, err error) {
	if whose == "" || r.Engines == nil {
		return "", nil
	}
	engine, named := r.Engines.Engine(whose)
	host = whose
	if !named {
		if host, engine = r.Engines.Home(whose); host == "" {
			return "", Sorry("%.40q is neither a host of fraktalia.yaml%s nor an agent that lives on one.", whose, inBrackets(r.Engines.Hosts()))
		}
	}
	r.Builder = engine
	return host, nil
}

func inBrackets(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return " (" + strings.Join(names, ", ") + ")"
}
