package command

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/firewall/probe"
	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/openclaw/json5"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/sandbox"
)

// Isolation is the network from which sandboxes reach the internet and nothing
// else.
type Isolation interface {
	// Network is its name.
	Network() string
	// Prove tries from inside what can be reached, which takes half a minute.
	// Errors: *NoIsolation, *sandbox.EngineDownError.
	Prove(ctx context.Context) (probe.Report, error)
	// Exists says whether there is such a network. Errors: *sandbox.EngineDownError.
	Exists(ctx context.Context) (bool, error)
}

// NoIsolation says that there is no isolated network.
type NoIsolation struct{ Network string }

func (e *NoIsolation) Error() string { return "there is no network " + e.Network }

// isolationUsage is how !isolation is written.
const isolationUsage = "isolation [on AGENT | off AGENT]"

// isolationMemory is how many changes back it is looked for what an agent's
// network was.
const isolationMemory = 1000

func (r *run) isolationFamily() []*cobra.Command {
	return []*cobra.Command{{
		Use:   isolationUsage,
		Short: "tries from inside what sandboxes can reach; puts an agent behind the firewall, or takes it out",
		Long: "Without words it connects, from a container on the sandboxes' network, to this machine, the LAN, the tailnet, other containers and the internet, and tells what was expected and what was seen. " +
			"on gives an agent's sandbox that network and makes its container anew; off gives it back the network that it had before.",
		Example:     "isolation on mox",
		Args:        cobra.MaximumNArgs(2),
		Annotations: map[string]string{laneKey: agentsLane, jsonKey: "yes", interruptedKey: "!isolation tells where each agent and its container is now; the same line again does the rest."},
		RunE:        r.does(isolation),
	}}
}

func isolation(ctx context.Context, r *run, args []string) (reply.Answer, error) {
	switch {
	case len(args) == 0:
		return proveIsolation(ctx, r)
	case args[0] != "on" && args[0] != "off":
		return reply.Answer{}, &Problem{Sentence: fmt.Sprintf("%.40q is neither on nor off.\nUsage: %s%s", args[0], prompt(r.request), isolationUsage), Usage: true}
	case len(args) == 1:
		return reply.Answer{}, &Problem{Sentence: fmt.Sprintf("Say which agent, for example %sisolation %s mox.", prompt(r.request), args[0]), Usage: true}
	case args[0] == "on":
		return isolate(ctx, r, args[1])
	}
	return release(ctx, r, args[1])
}

func proveIsolation(ctx context.Context, r *run) (reply.Answer, error) {
	r.talk.Update(reply.Say("Trying from inside what can be reached; this takes up to half a minute …"))
	report, err := r.Isolation.Prove(ctx)
	if err != nil {
		return reply.Answer{}, r.isolationProblem(err)
	}
	doc := IsolationDoc(report)
	if placed, err := r.placements(); err == nil {
		sandboxes, _ := r.Agents.Sandboxes(ctx) // the probes have found the engine well
		doc = append(doc, placementDoc(placed, sandboxes, r.Isolation.Network(), prompt(r.request))...)
	}
	if n := len(report.Surprises()); n > 0 {
		return reply.Answer{}, &Problem{Sentence: surpriseText(report, n), Detail: doc[1:]} // doc begins with the same
	}
	return reply.Answer{Doc: doc, Data: report}, nil
}

// isolationProblem words what can go wrong.
func (r *run) isolationProblem(err error) error {
	var none *NoIsolation
	if errors.As(err, &none) {
		return Because(err, "There is no isolated network %s yet. Make it in the machine's shell: sudo fraktalia firewall apply", none.Network)
	}
	var down *sandbox.EngineDownError
	if errors.As(err, &down) {
		return Because(err, "The Docker engine does not answer, so nothing can be tried. Start it (systemctl start docker), and say this again.")
	}
	return err
}

// networkPath is where an entry names its sandbox's network.
func networkPath() json5.Path {
	return json5.Path{json5.Key("sandbox"), json5.Key("docker"), json5.Key("network")}
}

// isolate gives an agent's sandbox the isolated network.
func isolate(ctx context.Context, r *run, id string) (reply.Answer, error) {
	exists, err := r.Isolation.Exists(ctx)
	if err == nil && !exists {
		err = &NoIsolation{r.Isolation.Network()}
	}
	if err != nil {
		return reply.Answer{}, r.isolationProblem(err)
	}
	placed, err := r.placement(id)
	if err != nil {
		return reply.Answer{}, err
	}
	if !placed.sandboxed() {
		return reply.Answer{}, Sorry("%s has no sandbox (sandbox.mode is off): its commands run on this machine itself. %sagent %s set sandbox.mode all gives it one.", id, prompt(r.request), id)
	}
	network := r.Isolation.Network()
	if placed.Network == network {
		return reply.Answer{Doc: append(reply.Sayf("%s is isolated already.", id), r.catchUp(ctx, placed)...)}, nil
	}
	what := "isolation on " + id
	if placed.own != "" {
		what += " (was " + placed.own + ")"
	}
	return r.move(ctx, what, placed, openclaw.SetInAgent(id, networkPath(), json5.StringValue(network)))
}

// release takes the agent out again: its entry says what it said before it was
// isolated. Where it would inherit the isolated network, it gets Docker's
// default one.
func release(ctx context.Context, r *run, id string) (reply.Answer, error) {
	placed, err := r.placement(id)
	if err != nil {
		return reply.Answer{}, err
	}
	network := r.Isolation.Network()
	if placed.Network != network {
		doc := reply.Sayf("%s is not on the isolated network: %s.", id, placed.where())
		return reply.Answer{Doc: append(doc, r.catchUp(ctx, placed)...)}, nil
	}
	was, err := r.networkBefore(ctx, id)
	if err != nil {
		return reply.Answer{}, err
	}
	if was == "" && (placed.own == "" || placed.inherited == network) {
		was = "bridge"
	}
	edit := openclaw.UnsetInAgent(id, networkPath())
	if was != "" {
		edit = openclaw.SetInAgent(id, networkPath(), json5.StringValue(was))
	}
	return r.move(ctx, "isolation off "+id, placed, edit)
}

// networkBefore is what an agent's entry named when it was isolated last; ""
// where it named nothing, or where nobody remembers.
func (r *run) networkBefore(ctx context.Context, id string) (string, error) {
	edits, err := r.Records.ConfigEdits(ctx, isolationMemory)
	if err != nil {
		return "", err
	}
	for _, e := range edits {
		rest, found := strings.CutPrefix(e.What, "isolation on "+id)
		if !found || e.Undone || rest != "" && !strings.HasPrefix(rest, " (was ") {
			continue
		}
		return strings.TrimSuffix(strings.TrimPrefix(rest, " (was "), ")"), nil
	}
	return "", nil
}

// move changes the entry and has the container made anew.
func (r *run) move(ctx context.Context, what string, placed placement, edit openclaw.EditFunc) (reply.Answer, error) {
	if placed.shared {
		return reply.Answer{}, Sorry("%s shares its sandbox with all agents (sandbox.scope is shared), and OpenClaw takes that one's network from agents.defaults. Set agents.defaults.sandbox.docker.network there: fraktalia config set", placed.Agent)
	}
	return r.change(ctx, change{what: what, edit: edit, after: func(ctx context.Context, _ *openclaw.Config) reply.Doc {
		return r.remake(ctx, placed.Agent)
	}})
}

// movedBack has an agent's container made anew when its isolation, on or off,
// was taken back; what names the edit in the history. Other edits leave
// containers alone, and so do their undos.
func (r *run) movedBack(ctx context.Context, what string) reply.Doc {
	found := regexp.MustCompile(`^(?:undo of \d+: )*isolation (?:on|off) (\S+)(?: \(was .*\))?$`).FindStringSubmatch(what)
	if found == nil {
		return nil
	}
	return r.remake(ctx, found[1])
}

// remake takes an agent's container away: OpenClaw makes the next one where
// the configuration says now.
func (r *run) remake(ctx context.Context, agent string) reply.Doc {
	removed, err := r.Agents.RemoveSandboxes(ctx, agent)
	if err != nil {
		return reply.Say("⚠️ The container could not be made anew, so it stays on the network that it has: ", reply.Mono("%srecreate-sandbox %s", prompt(r.request), agent), " tries it again.")
	}
	now, err := r.placement(agent)
	switch {
	case err != nil:
		return nil // it is gone, or the file was broken since: nothing to be told of it here
	case !now.sandboxed():
		return reply.Sayf("It runs %s.", now.where())
	case removed == 0:
		return reply.Sayf("It has no container now; OpenClaw makes one when it needs one: %s.", now.where())
	}
	return reply.Sayf("Its container was taken away; OpenClaw makes a new one when it needs one: %s.", now.where())
}

// catchUp has a container made anew that is still where its entry does not say:
// as after a kill between the file and the container.
func (r *run) catchUp(ctx context.Context, placed placement) reply.Doc {
	sandboxes, err := r.Agents.Sandboxes(ctx)
	if err != nil || placed.shared {
		return nil
	}
	for _, s := range sandboxes {
		if placed.has(s) && strings.Join(s.Networks, "") != placed.Network {
			return append(reply.Sayf("Its container %s was still on %s.", s.Name, strings.Join(s.Networks, ", ")), r.remake(ctx, placed.Agent)...)
		}
	}
	return nil
}
