package app

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/config"
	"github.com/githabideri/fraktalia/firewall"
	"github.com/githabideri/fraktalia/sandbox"
)

// firewallCommand keeps sandboxes off everything but the internet. It is root's,
// and no command of the running program, which never is root.
func (p *program) firewallCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "firewall",
		Short: "keeps sandboxes off everything but the internet (root)",
		Args:  unknownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&file, "config", rootsConfig(), "the configuration's `file`")
	at := func(do func(context.Context, *wall) error) func(*cobra.Command, []string) error {
		return func(cmd *cobra.Command, _ []string) error { return p.atWall(cmd, file, do) }
	}
	var o applyOptions
	apply := &cobra.Command{Use: "apply", Short: "makes the network and puts the rules in; again is harmless", Args: noWords,
		RunE: at(func(ctx context.Context, w *wall) error { return w.apply(ctx, o) })}
	apply.Flags().BoolVar(&o.rulesOnly, "rules-only", false, "leave the network alone, as before Docker has started")
	apply.Flags().BoolVar(&o.dryRun, "dry-run", false, "print the rules and do nothing")
	var force bool
	remove := &cobra.Command{Use: "remove", Short: "takes the network and the rules away", Args: noWords,
		RunE: at(func(ctx context.Context, w *wall) error { return w.remove(ctx, force) })}
	remove.Flags().BoolVar(&force, "force", false, "take the rules away although sandboxes run behind them")
	var asJSON bool
	show := &cobra.Command{Use: "show", Short: "shows the network and the rules with their counters", Args: noWords,
		RunE: at(func(ctx context.Context, w *wall) error { return w.show(ctx, asJSON) })}
	show.Flags().BoolVar(&asJSON, "json", false, "answer with JSON")
	check := &cobra.Command{Use: "check", Short: "tries from inside what can be reached; status 1 on any surprise", Args: noWords,
		RunE: at(func(ctx context.Context, w *wall) error { return w.check(ctx, asJSON) })}
	check.Flags().BoolVar(&asJSON, "json", false, "answer with JSON")
	cmd.AddCommand(apply, remove, show, check)
	return cmd
}

// rootsConfig is the configuration of who called sudo: root has none of its own.
func rootsConfig() string {
	if os.Geteuid() == 0 {
		if caller, err := user.Lookup(os.Getenv("SUDO_USER")); err == nil {
			return filepath.Join(caller.HomeDir, ".local", "share", "fraktalia", "fraktalia.yaml")
		}
	}
	return filepath.Join(defaultData(), "fraktalia.yaml")
}

// wall is the network of isolated sandboxes with the rules around it.
type wall struct {
	*program
	config config.Firewall
	engine *sandbox.Engine
	rules  *firewall.Firewall
	// docker is the engine's firewall in words.
	docker string
	// silent is why the engine could not be asked; nil where it answers.
	silent error
}

// atWall does something with the wall; the error is made for people.
func (p *program) atWall(cmd *cobra.Command, file string, do func(context.Context, *wall) error) error {
	if os.Geteuid() != 0 {
		program, err := os.Executable()
		if err != nil {
			program = "fraktalia"
		}
		return failed("This takes root's rights. Run: sudo %s firewall %s --config %s", program, cmd.Name(), file)
	}
	c, err := config.Load(file)
	if errors.Is(err, os.ErrNotExist) {
		p.tell("There is no %s, so nothing is allowed beside the internet. --config names another file.", file)
		c, err = config.Default(), nil
	}
	if err != nil {
		return failed("%v", err)
	}
	// Before Docker has started, its socket may be there already: whoever asks
	// waits for Docker, which waits for the rules.
	rulesOnly, _ := cmd.Flags().GetBool("rules-only") // others have no such flag
	w, err := p.openWall(cmd.Context(), c, !rulesOnly)
	if err != nil {
		return wallProblem(err)
	}
	defer w.engine.Close()
	return wallProblem(do(cmd.Context(), w))
}

func (p *program) openWall(ctx context.Context, c config.Config, ask bool) (*wall, error) {
	w := &wall{program: p, config: c.Firewall}
	var err error
	if w.engine, err = sandbox.Connect(besideProxy(c.Sandbox.Docker)); err != nil {
		return nil, err
	}
	var engine sandbox.Wall
	if ask {
		engine, w.silent = w.engine.Wall(ctx)
	}
	if engine.Rootless {
		return nil, failed("Docker runs without root here: its networks are in a namespace of their own, which these rules do not reach.")
	}
	choice, err := firewall.Choose(ctx, c.Firewall.Backend, engine.Backend)
	if err != nil {
		return nil, err
	}
	w.docker = choice.Docker
	w.rules = firewall.New(choice.Backend, firewall.DefaultState)
	return w, nil
}

// besideProxy is the engine's own address: the socket proxy makes no networks,
// and root needs none.
func besideProxy(host string) string {
	if host == "unix://"+proxySocket {
		return "unix://" + engineSocket
	}
	return host
}

// wallProblem words what can go wrong with the machine.
func wallProblem(err error) error {
	var unknown *firewall.UnknownBackendError
	var missing *firewall.MissingProgramError
	var down *sandbox.EngineDownError
	var command *firewall.CommandError
	switch {
	case errors.As(err, &unknown):
		return failed("Docker's firewall is %q here, which I do not know. Nothing was changed. I know nftables and iptables.", unknown.Name)
	case errors.As(err, &missing):
		return failed("The program %s is needed and not installed. Install it: apt-get install %s", missing.Program, missing.Package)
	case errors.As(err, &down):
		return failed("The Docker engine does not answer. Start it (systemctl start docker), and say this again.")
	case errors.As(err, &command):
		return failed("The kernel did not take the rules: %v", command)
	}
	return err
}

// policy is what sandboxes may reach, on this machine as it is now.
func (w *wall) policy() (firewall.Policy, firewall.Machine, error) {
	around, err := firewall.Surroundings(firewall.Bridge)
	return policyOf(w.config, around), around, err
}

// policyOf makes the policy of a configuration.
func policyOf(c config.Firewall, around firewall.Machine) firewall.Policy {
	policy := firewall.Policy{Bridge: firewall.Bridge, Local: around.Networks, Resolvers: c.DNS.List}
	if c.DNS.Host {
		policy.Resolvers = firewall.Resolvers()
	}
	for _, o := range c.Allow {
		policy.Openings = append(policy.Openings, firewall.Opening(o))
	}
	return policy
}

// applyOptions are the flags of `fraktalia firewall apply`.
type applyOptions struct{ rulesOnly, dryRun bool }

// apply puts the rules in before it makes the network: no sandbox is ever on
// it without them.
func (w *wall) apply(ctx context.Context, o applyOptions) error {
	policy, around, err := w.policy()
	if err != nil {
		return err
	}
	if o.dryRun {
		fmt.Fprint(w.stdout, policy.Script())
		return nil
	}
	if !o.rulesOnly {
		if err := w.checkNetwork(ctx, around); err != nil {
			return err
		}
	}
	before, err := w.rules.Apply(ctx, policy)
	if err != nil {
		return err
	}
	if err := w.removeOthers(ctx); err != nil {
		return err
	}
	w.say("%s (%s; Docker uses %s)", appliedText[before], w.rules.Backend().Name(), w.docker)
	if o.rulesOnly {
		return nil
	}
	if err := w.makeNetwork(ctx, around); err != nil {
		return err
	}
	// Docker puts rules of its own in front of ours when it makes a network, where
	// both are iptables'.
	_, err = w.rules.Apply(ctx, policy)
	return err
}

var appliedText = map[firewall.Standing]string{
	firewall.Missing: "The rules are in.",
	firewall.Older:   "The rules are in, in place of older ones.",
	firewall.Foreign: "Somebody else had changed the rules. They are put back.",
	firewall.Right:   "The rules stand; nothing was changed.",
}

// removeOthers takes away what an earlier backend has left.
func (w *wall) removeOthers(ctx context.Context) error {
	for _, other := range firewall.All() {
		if other.Name() == w.rules.Backend().Name() {
			continue
		}
		var missing *firewall.MissingProgramError
		if err := other.Remove(ctx); err != nil && !errors.As(err, &missing) {
			return err
		}
	}
	return nil
}

func (w *wall) say(format string, args ...any) { fmt.Fprintf(w.stdout, format+"\n", args...) }

// checkNetwork finds what is in the way of our network.
func (w *wall) checkNetwork(ctx context.Context, around firewall.Machine) error {
	n, ok, err := w.engine.Network(ctx, w.config.Network)
	if err != nil {
		return err
	}
	if !ok {
		_, err := w.subnets(ctx, around)
		return err
	}
	wanted := wantedSubnets(w.config)
	switch {
	case !n.Ours:
		return failed("There is a Docker network %s that I did not make. Remove it (docker network rm %[1]s), or name another in firewall.network. Nothing was changed.", n.Name)
	case n.Bridge != firewall.Bridge:
		return failed("The network %s has the bridge %q and not %s. Remove it (docker network rm %[1]s) and say this again. Nothing was changed.", n.Name, n.Bridge, firewall.Bridge)
	case !containsAll(n.Subnets, wanted):
		return failed("The network %s has the addresses %s, firewall.subnets says %s. fraktalia firewall remove takes it away, apply makes it anew. Nothing was changed.", n.Name, prefixes(n.Subnets), prefixes(wanted))
	}
	return nil
}

func (w *wall) makeNetwork(ctx context.Context, around firewall.Machine) error {
	n, ok, err := w.engine.Network(ctx, w.config.Network)
	if err != nil {
		return err
	}
	if ok {
		w.say("The network %s is there: %s", n.Name, prefixes(n.Subnets))
		return nil
	}
	subnets, err := w.subnets(ctx, around)
	if err != nil {
		return err
	}
	if err := w.engine.CreateNetwork(ctx, sandbox.NetworkSpec{Name: w.config.Network, Bridge: firewall.Bridge, Subnets: subnets}); err != nil {
		return err
	}
	w.say("The network %s is made: %s, on the bridge %s", w.config.Network, prefixes(subnets), firewall.Bridge)
	return nil
}

// subnets are the addresses for a network to be made.
func (w *wall) subnets(ctx context.Context, around firewall.Machine) ([]netip.Prefix, error) {
	networks, err := w.engine.Networks(ctx)
	if err != nil {
		return nil, err
	}
	taken := around.Networks
	for _, n := range networks {
		if n.Bridge == firewall.Bridge {
			return nil, failed("The bridge %s belongs to the Docker network %s. Remove that one (docker network rm %[2]s), or name it in firewall.network. Nothing was changed.", firewall.Bridge, n.Name)
		}
		taken = append(taken, n.Subnets...)
	}
	wanted := wantedSubnets(w.config)
	if overlaps := firewall.Overlaps(wanted, taken); len(overlaps) > 0 {
		texts := make([]string, len(overlaps))
		for i, one := range overlaps {
			texts[i] = one.Error()
		}
		return nil, failed("firewall.subnets: %s, which is in use. Choose others, or none: free ones are chosen then. Nothing was changed.", strings.Join(texts, "; "))
	}
	seed, err := os.ReadFile("/etc/machine-id")
	if err != nil {
		seed = nil // chosen all the same, only not this machine's own
	}
	return firewall.ChooseSubnets(wanted, taken, string(seed))
}

func wantedSubnets(c config.Firewall) (list []netip.Prefix) {
	for _, subnet := range c.Subnets {
		list = append(list, subnet.Prefix)
	}
	return list
}

func containsAll(have, wanted []netip.Prefix) bool {
	there := map[netip.Prefix]bool{}
	for _, prefix := range have {
		there[prefix] = true
	}
	for _, prefix := range wanted {
		if !there[prefix] {
			return false
		}
	}
	return true
}

func prefixes(list []netip.Prefix) string {
	texts := make([]string, len(list))
	for i, prefix := range list {
		texts[i] = prefix.String()
	}
	return strings.Join(texts, ", ")
}

// remove takes everything away, unless that would let a sandbox out.
func (w *wall) remove(ctx context.Context, force bool) error {
	if w.silent != nil && !force {
		return w.silent
	}
	n, ok, err := w.engine.Network(ctx, w.config.Network)
	if err != nil && !force {
		return err
	}
	if len(n.Containers) > 0 && n.Ours && !force {
		return failed("Behind these rules there is still %s. Take it off the network first (!isolation off AGENT), or say --force, which leaves it there without rules. Nothing was changed.", strings.Join(n.Containers, ", "))
	}
	if ok && n.Ours && len(n.Containers) == 0 {
		if err := w.engine.RemoveNetwork(ctx, n.Name); err != nil {
			return err
		}
		w.say("The network %s is removed.", n.Name)
	}
	if err := w.rules.Remove(ctx); err != nil {
		return err
	}
	w.say("The rules are removed.")
	return w.removeOthers(ctx)
}
