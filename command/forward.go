package command

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/crashpoint"
	"github.com/githabideri/fraktalia/forwarder"
	"github.com/githabideri/fraktalia/procnet"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

// Forwards is what the commands for ports act on.
type Forwards interface {
	// Open takes a Bind of 0 for what the configuration says.
	Open(spec forwarder.Spec) error
	Close(key forwarder.Key) error
	List() []forwarder.Status
	Probe(ctx context.Context, key forwarder.Key) (way string, err error)
	// Sandboxes lists those that run; known is false while the engine does not
	// answer.
	Sandboxes() (list []forwarder.Sandbox, known bool)
	// Listeners lists what listens for connections inside a sandbox.
	Listeners(ctx context.Context, sandbox forwarder.Sandbox) ([]procnet.Listener, error)
	// Listening is where something listens in a sandbox, as far as that can be
	// seen from outside without disturbing it; seen is false where it cannot.
	Listening(sandbox forwarder.Sandbox, udp bool) (addrs []netip.AddrPort, seen bool)
	// Addresses lists where a forward listens by a policy, and which of these
	// are beyond this machine's own, its LAN and its tailnet.
	Addresses(bind forwarder.Bind) (all, beyond []netip.Addr, err error)
	// Told notes what people were told of a port: whether something answers
	// there. Changes from that are told by themselves.
	Told(key forwarder.Key, answers bool)
}

// forwardsLane keeps the commands for ports in the order in which they came.
const forwardsLane = "forwards"

func (r *run) forwardFamily() []*cobra.Command {
	var only protocols
	unforward := &cobra.Command{
		Use:         "unforward PORT...|all [--udp|--tcp]",
		Short:       "closes ports that were opened by forward",
		Long:        "Connections that are open may end by themselves for a few seconds. undo opens the ports again as they were.",
		Example:     "unforward 9005",
		Aliases:     []string{"unfwd"},
		Args:        some("a port, for example 9005, or all"),
		Annotations: map[string]string{laneKey: forwardsLane},
		RunE: r.does(func(ctx context.Context, r *run, args []string) (reply.Answer, error) {
			return unforward(ctx, r, args, only)
		}),
	}
	unforward.Flags().BoolVar(&only.udp, "udp", false, "only those for UDP")
	unforward.Flags().BoolVar(&only.tcp, "tcp", false, "only those for TCP")
	forwards := &cobra.Command{
		Use:         "forwards",
		Short:       "lists the open ports and what is behind them",
		Aliases:     []string{"ports"},
		Args:        none,
		Annotations: map[string]string{quickKey: "yes", jsonKey: "yes"},
		RunE:        r.does(listForwards),
	}
	return []*cobra.Command{r.forwardCommand(), unforward, forwards}
}

func (r *run) forwardCommand() *cobra.Command {
	var w wish
	cmd := &cobra.Command{
		Use:   "forward PORT... [--to PORT] [--agent NAME] [--for TIME] [--on WHERE] [--udp]",
		Short: "opens ports of this machine to the agent's sandbox",
		Long: "A forward stays until it is taken back or its time is over, also across restarts, and follows the sandbox when its container is made anew. " +
			"Said again with other flags, it changes what they name and keeps the rest.",
		Example:     "forward 9005 --for 2h",
		Aliases:     []string{"fwd"},
		Args:        some("a port, for example 9005"),
		Annotations: map[string]string{laneKey: forwardsLane, jsonKey: "yes"},
	}
	flags := cmd.Flags()
	flags.IntVar(&w.to, "to", 0, "the `port` inside the sandbox; by default the same")
	flags.StringVar(&w.agent, "agent", "", "the agent's `name`, where several have sandboxes")
	flags.StringVar(&w.lease, "for", "", "how long it stays open: a `time` such as 90m, 2h or 3d; or ever, which is the default")
	flags.StringVar(&w.on, "on", "", "`where` it can be reached: loopback, lan, tailnet with commas between, or any, which asks first; by default as forwards.listen says")
	flags.BoolVar(&w.proxy, "proxy-protocol", false, "tell the service the client's address by the PROXY protocol, which it has to understand")
	flags.BoolVar(&w.udp, "udp", false, "datagrams instead of connections; a port may be open for both")
	skipsQuestion(cmd, &w.yes)
	flags.StringVar(&w.until, "until", "", "when a lease ends that is taken back")
	_ = flags.MarkHidden("until") // fails for a flag that is not there
	w.said = flags.Changed
	cmd.RunE = r.does(func(ctx context.Context, r *run, args []string) (reply.Answer, error) {
		return forward(ctx, r, args, w)
	})
	return cmd
}

// wish is what a line asks of its ports: what its flags say and no more.
type wish struct {
	to                      int
	agent, lease, until, on string
	proxy, yes, udp         bool
	said                    func(flag string) bool
}

// forwardPlan is a line that was understood: its ports, all of them closed now or all
// of them open, and what they become.
type forwardPlan struct {
	ports  []int
	udp    bool
	before map[forwarder.Key]store.Forward // empty where they are to be opened
	change func(*store.Forward)
}

func forward(ctx context.Context, r *run, args []string, w wish) (reply.Answer, error) {
	p, err := r.planForward(ctx, args, w)
	if err != nil {
		return reply.Answer{}, err
	}
	asked, err := r.askAboutForward(ctx, p, &w)
	if err != nil {
		return reply.Answer{}, err
	}
	if asked { // others had the lane meanwhile
		if p, err = r.planForward(ctx, args, w); err != nil {
			return reply.Answer{}, err
		}
	}
	if over := r.overAlready(p); over != nil {
		return reply.Answer{Doc: over}, nil
	}
	if err := r.carryOut(ctx, p); err != nil {
		return reply.Answer{}, err
	}
	r.shared.leases.look()
	return r.opened(ctx, p)
}

// planForward checks a line against what is forwarded. It asks nothing and changes
// nothing.
func (r *run) planForward(ctx context.Context, args []string, w wish) (forwardPlan, error) {
	list, err := r.ports(args, r.forwardable)
	if err != nil {
		return forwardPlan{}, err
	}
	change, err := r.understood(ctx, w, len(list))
	if err != nil {
		return forwardPlan{}, err
	}
	known, err := r.knownForwards(ctx)
	if err != nil {
		return forwardPlan{}, err
	}
	p := forwardPlan{ports: list, udp: w.udp, before: map[forwarder.Key]store.Forward{}, change: change}
	var open []int
	for _, port := range list {
		key := forwarder.Key{Port: port, UDP: w.udp}
		if f, ok := known[key]; ok {
			p.before[key] = f
			open = append(open, port)
		}
	}
	if len(open) > 0 && (len(open) < len(list) || !w.saysAnything()) {
		return forwardPlan{}, r.alreadyForwarded(open, len(list))
	}
	return p, nil
}

func (w wish) saysAnything() bool {
	return slices.ContainsFunc([]string{"to", "agent", "for", "until", "on", "proxy-protocol"}, w.said)
}

func (r *run) alreadyForwarded(open []int, of int) error {
	so := ""
	if len(open) < of {
		so = ", so I opened none"
	}
	return Sorry("%s%s%s forwarded already%s. %sforwards lists what is open.",
		plural(len(open), "Port ", "Ports "), shorten(join(open), 200), plural(len(open), " is", " are"), so, prompt(r.request))
}

// carryOut makes the forwards what the plan says, all of them or none.
func (r *run) carryOut(ctx context.Context, p forwardPlan) error {
	var done []forwarder.Key
	for _, port := range p.ports {
		key := forwarder.Key{Port: port, UDP: p.udp}
		record, open := p.before[key]
		if !open {
			record = store.Forward{Port: port, UDP: p.udp, CreatedBy: r.request.Sender, CreatedAt: r.now()}
		}
		p.change(&record)
		if err := r.openForward(ctx, record, p.before); err != nil {
			ctx := context.WithoutCancel(ctx)
			for _, key := range done {
				err = errors.Join(err, r.putBack(ctx, key, p.before))
			}
			return err
		}
		done = append(done, key)
	}
	return nil
}

// openForward remembers a forward before it opens it: killed in between, the
// port is opened at the next start, as was asked.
func (r *run) openForward(ctx context.Context, record store.Forward, before map[forwarder.Key]store.Forward) error {
	key := keyOf(record)
	if err := r.Records.SaveForward(ctx, record); err != nil {
		return fmt.Errorf("remember forward %d: %w", record.Port, err)
	}
	crashpoint.At("forward.saved")
	old, open := before[key]
	if open && SpecOf(old) == SpecOf(record) {
		return nil // only its lease is another
	}
	if open {
		if err := r.closePort(key); err != nil {
			return err
		}
	}
	err := r.Forwards.Open(SpecOf(record))
	if err == nil {
		return nil
	}
	return errors.Join(r.forwardProblem(err), r.putBack(context.WithoutCancel(ctx), key, before))
}

// putBack makes a port what it was before.
func (r *run) putBack(ctx context.Context, key forwarder.Key, before map[forwarder.Key]store.Forward) error {
	old, open := before[key]
	if !open {
		return r.closeForward(ctx, key)
	}
	err := errors.Join(r.Records.SaveForward(ctx, old), r.closePort(key))
	return errors.Join(err, r.Forwards.Open(SpecOf(old)))
}

func keyOf(f store.Forward) forwarder.Key { return forwarder.Key{Port: f.Port, UDP: f.UDP} }

// SpecOf is a remembered forward as the forwarder wants it; a Bind of 0 is
// what the configuration says.
func SpecOf(f store.Forward) forwarder.Spec {
	spec := forwarder.Spec{Port: f.Port, To: f.Target, Agent: f.Agent, ProxyProtocol: f.ProxyProtocol, UDP: f.UDP}
	if f.Reach != "" {
		// What was written has been checked; a later program's word is as none.
		spec.Bind, _ = forwarder.ParseBind(f.Reach)
	}
	return spec
}

func (r *run) forwardProblem(err error) error {
	var held *forwarder.InUseError
	var already *forwarder.AlreadyError
	switch {
	case errors.As(err, &already):
		return r.alreadyForwarded([]int{already.Spec.Port}, 1)
	case !errors.As(err, &held):
		return err
	}
	return Because(err, "Port %d is taken by %s. Choose another port, or stop that program.", held.Addr.Port(), orElse(held.Holder, "another program"))
}

// now is the time, which tests set.
func (r *run) now() time.Time {
	if r.Settings.Now == nil {
		return time.Now()
	}
	return r.Settings.Now()
}
