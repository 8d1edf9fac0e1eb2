package command

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/sandbox"
	"github.com/githabideri/fraktalia/store"
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
	// Living are the hosts where agents' sandboxes live, this machine ("")
	// first: by the configuration, and by the containers that there are.
	Living() []string
}

// thisMachine is what people call the host "" behind --on.
const thisMachine = "here"

// at is a run of the same command whose image is that of a host.
func (r *run) at(host string) *run {
	there := *r
	there.host = host
	if r.Engines != nil {
		if engine, ok := r.Engines.Engine(host); ok {
			there.Builder = engine
		}
	}
	return &there
}

// placeOf is the host that --on names: by its own name, or by an agent that
// lives there.
func (r *run) placeOf(whose string) (host string, err error) {
	if r.Engines == nil || slices.Contains(r.Engines.Hosts(), whose) {
		return whose, nil
	}
	if whose == thisMachine {
		return "", nil
	}
	if host, _ = r.Engines.Home(whose); host == "" {
		return "", Sorry("%.40q is neither a host of fraktalia.yaml%s nor an agent that lives on one; %s is this machine.",
			whose, inBrackets(r.Engines.Hosts()), thisMachine)
	}
	return host, nil
}

// living are the hosts where sandboxes are; where there are none, this one.
func (r *run) living() []string {
	if r.Engines == nil || len(r.Engines.Hosts()) == 0 {
		return []string{""}
	}
	if found := r.Engines.Living(); len(found) > 0 {
		return found
	}
	return []string{""}
}

// home is where the image is looked at when nobody says on which host: where
// all sandboxes are, else here.
func (r *run) home(on string) (*run, error) {
	if on != "" {
		host, err := r.placeOf(on)
		return r.at(host), err
	}
	if found := r.living(); len(found) == 1 {
		return r.at(found[0]), nil
	}
	return r.at(""), nil
}

// places are the hosts whose image a command is about: where --on says, else
// where the sandboxes are. Where they are on several, the room is asked.
func (r *run) places(ctx context.Context, on, what string) ([]string, error) {
	if on != "" {
		host, err := r.placeOf(on)
		return []string{host}, err
	}
	found := r.living()
	if len(found) == 1 || len(found) >= mostChoices {
		return found, nil
	}
	var options []reply.Line
	for _, host := range found {
		options = append(options, reply.Line{placeName(host)})
	}
	options = append(options, reply.Line{"all of them"})
	chosen, err := r.talk.Choose(ctx, reply.Say("Sandboxes live on ", listed(placeNames(found)), ". ", what), options)
	switch {
	case err != nil:
		return nil, err
	case chosen == len(found):
		return found, nil
	case chosen < 0 || chosen > len(found):
		return nil, Sorry("Nobody said on which machine, so I did nothing. --on %s says it at once.", orElse(found[0], thisMachine))
	}
	return found[chosen : chosen+1], nil
}

// placeName is a host for people.
func placeName(host string) string { return orElse(host, "this machine") }

func placeNames(hosts []string) []string {
	names := make([]string, len(hosts))
	for i, host := range hosts {
		names[i] = placeName(host)
	}
	return names
}

// onHost is " on attic", or nothing for this machine.
func (r *run) onHost() string { return onHost(r.host) }

func onHost(host string) string {
	if host == "" {
		return ""
	}
	return " on " + host
}

// onFlag is what names this run's host on a line, where that is needed.
func (r *run) onFlag() string {
	if len(r.living()) == 1 && r.living()[0] == r.host {
		return ""
	}
	return " --on " + orElse(r.host, thisMachine)
}

// whoseImage says of which host's image a list tells, where that is a question.
func (r *run) whoseImage() string {
	if r.Engines == nil || len(r.Engines.Hosts()) == 0 {
		return ""
	}
	return " This is the image on " + placeName(r.host) + "."
}

// everywhere does the same for each host in turn, and joins the answers. What
// one has not done is told after what those before it have.
func (r *run) everywhere(hosts []string, do func(*run) (reply.Answer, error)) (answer reply.Answer, err error) {
	var all []any
	for _, host := range hosts {
		one, err := do(r.at(host))
		if err != nil {
			return reply.Answer{}, doneBefore(answer.Doc, err)
		}
		if host != "" || len(hosts) > 1 {
			one.Doc = append(reply.Doc{reply.P("On ", reply.Bold("%s", placeName(host)), ":")}, one.Doc...)
		}
		answer.Doc = append(answer.Doc, one.Doc...)
		answer.Data, answer.Undo = one.Data, one.Undo
		all = append(all, one.Data)
	}
	if len(hosts) > 1 {
		answer.Data, answer.Undo = all, "" // each has an undo of its own
	}
	return answer, nil
}

// doneBefore puts what was done before a problem behind its sentence.
func doneBefore(done reply.Doc, err error) error {
	var problem *Problem
	if len(done) == 0 || !errors.As(err, &problem) {
		return err
	}
	told := *problem
	told.Detail = append(append(reply.Doc{}, problem.Detail...), done...)
	return &told
}

// buildsHere keeps the builds of this run's host.
func (r *run) buildsHere(builds []store.Build) []store.Build {
	return slices.DeleteFunc(slices.Clone(builds), func(b store.Build) bool { return b.Engine != r.host })
}

func inBrackets(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return " (" + strings.Join(names, ", ") + ")"
}

// isHost says whether a name is another machine's.
func (r *run) isHost(name string) bool {
	return r.Engines != nil && slices.Contains(r.Engines.Hosts(), name)
}
