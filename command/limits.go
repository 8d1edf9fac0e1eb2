package command

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/reply"
)

// limit bounds a capability in the hands of somebody who is no owner.
type limit struct {
	// grave ones take an owner's word from a signed device: a reaction is not
	// encrypted, so a homeserver could make one up.
	grave bool
	// flags are those that may be used.
	flags []string
	// check looks at the arguments; nil leaves them to the command.
	check func(ctx context.Context, r *run, cmd *cobra.Command, args []string) error
	// preview says what it would do.
	preview func(r *run, cmd *cobra.Command, args []string) reply.Line
}

// limits are all capabilities that can be proposed. What is not here (roles,
// permissions, isolation, secrets, trust, undo) nobody can be allowed to ask for.
func limits() map[string]limit {
	return map[string]limit{
		"forward":         {flags: []string{"to", "for", "agent", "udp"}, check: leasedForward, preview: previewForward},
		"unforward":       {check: ownForwards, preview: sentence("Closes what was opened for it: port %s.")},
		"createroom":      {flags: []string{"agent", "invite"}, check: forItself, preview: sentence("Makes an encrypted, private room called %s.")},
		"invite":          {preview: sentence("Invites %s.")},
		"adduser":         {grave: true, flags: []string{"name", "room"}, preview: sentence("Makes an account for %s and invites it. The joining card comes to this room.")},
		"packages add":    {grave: true, check: severalWords, preview: sentence("Adds to the list of the sandbox image: %s. The next rebuild installs it.")},
		"rebuild-sandbox": {grave: true, preview: sentence("Builds the sandbox image anew. The one in use changes when the build has ended well.")},
		"agent set":       {grave: true, check: ownHarmlessPath, preview: previewAgentSet},
	}
}

// proposable lists their names.
func proposable() []string { return slices.Sorted(maps.Keys(limits())) }

// holds checks flags and arguments.
func (l limit) holds(ctx context.Context, r *run, cmd *cobra.Command, args []string) error {
	var refused []string
	for _, flag := range changedFlags(cmd) {
		if !slices.Contains(l.flags, flag) {
			refused = append(refused, "--"+flag)
		}
	}
	if len(refused) > 0 {
		return Sorry("Only the owners may use %s here.", strings.Join(refused, ", "))
	}
	if l.check == nil {
		return nil
	}
	return l.check(ctx, r, cmd, args)
}

// sentence makes a preview of the words behind the command.
func sentence(format string) func(*run, *cobra.Command, []string) reply.Line {
	return func(_ *run, _ *cobra.Command, args []string) reply.Line {
		if !strings.Contains(format, "%s") {
			return reply.Line{format}
		}
		return reply.Line{fmt.Sprintf(format, Visible(strings.Join(args, " ")))}
	}
}

// leasedForward wants an end, and the sandbox of the agent that asks.
func leasedForward(ctx context.Context, r *run, cmd *cobra.Command, args []string) error {
	if !cmd.Flags().Changed("for") {
		return Sorry("Say for how long, for example --for 1h: without an end only the owners open ports.")
	}
	lease, err := readTime(cmd.Flags().Lookup("for").Value.String())
	switch {
	case err != nil:
		return err
	case lease > longestAsked:
		return Sorry("A week is the longest that you may ask for.")
	}
	if err := notOthersPorts(ctx, r, args); err != nil {
		return err
	}
	return forItself(ctx, r, cmd, args)
}

// notOthersPorts wants ports that are free, or were opened for the same account:
// said again, a forward is changed.
func notOthersPorts(ctx context.Context, r *run, args []string) error {
	list, err := r.ports(args, r.forwardable)
	if err != nil {
		return err
	}
	saved, err := r.Records.Forwards(ctx)
	if err != nil {
		return err
	}
	for _, f := range saved {
		if slices.Contains(list, f.Port) && f.CreatedBy != r.request.Sender {
			return Sorry("Port %d is forwarded already, for somebody else. Choose another one.", f.Port)
		}
	}
	return nil
}

// longestAsked is how long a port may be open that somebody else than an owner asked for.
const longestAsked = 7 * day

// forItself wants no other agent's name, and fills in the own one.
func forItself(_ context.Context, r *run, cmd *cobra.Command, _ []string) error {
	flag := cmd.Flags().Lookup("agent")
	if flag == nil || r.request.Agent == "" {
		return nil
	}
	if flag.Changed && flag.Value.String() != r.request.Agent {
		return Sorry("You may ask for your own sandbox only: leave --agent out.")
	}
	return cmd.Flags().Set(flag.Name, r.request.Agent) // not the value alone: what was not said is asked about
}

// ownForwards wants ports that were opened for the one who asks.
func ownForwards(ctx context.Context, r *run, _ *cobra.Command, args []string) error {
	list, err := r.ports(args, anyPort)
	if err != nil {
		return err
	}
	saved, err := r.Records.Forwards(ctx)
	if err != nil {
		return err
	}
	for _, port := range list {
		own := false
		for _, f := range saved {
			own = own || f.Port == port && f.CreatedBy == r.request.Sender
		}
		if !own {
			return Sorry("Port %d was not opened for you, so only the owners may close it.", port)
		}
	}
	return nil
}

// severalWords wants names behind the verb.
func severalWords(_ context.Context, r *run, _ *cobra.Command, args []string) error {
	if len(args) < 2 {
		return Sorry("Say which packages, for example %spackages add ripgrep.", prompt(r.request))
	}
	return nil
}

// harmlessPaths are what an agent may ask to have changed in its own entry:
// how it appears and speaks, nothing of what it may reach.
func harmlessPaths() []string {
	return []string{"name", "description", "identity", "thinkingDefault", "groupChat", "heartbeat"}
}

// ownHarmlessPath wants the own entry and a path that widens nothing.
func ownHarmlessPath(_ context.Context, r *run, _ *cobra.Command, args []string) error {
	if r.request.Agent == "" || args[0] != r.request.Agent {
		return Sorry("You may ask for changes of your own entry only.")
	}
	if len(args) < 4 {
		return Sorry("Say what to set, and to what.")
	}
	first, _, _ := strings.Cut(args[2], ".")
	if !slices.Contains(harmlessPaths(), first) {
		return Sorry("You may ask for changes of %s only, not of %.60s.", strings.Join(harmlessPaths(), ", "), Visible(args[2]))
	}
	return nil
}

func previewForward(r *run, cmd *cobra.Command, args []string) reply.Line {
	list, err := r.ports(args, r.forwardable)
	if err != nil {
		return reply.Line{err.Error()}
	}
	text := fmt.Sprintf("Opens %s %s of this machine to the sandbox", plural(len(list), "port", "ports"), join(list))
	if r.request.Agent != "" {
		text += " of " + r.request.Agent
	}
	if to := cmd.Flags().Lookup("to"); to != nil && to.Changed {
		text += ", port " + to.Value.String() + " inside"
	}
	return reply.Line{text + ", for " + Visible(cmd.Flags().Lookup("for").Value.String()) + "."}
}

func previewAgentSet(_ *run, _ *cobra.Command, args []string) reply.Line {
	return reply.Line{"Sets ", reply.Mono("%s", Visible(args[2])), " of the agent ", reply.Bold("%s", args[0]), " in openclaw.json to ",
		reply.Mono("%s", Visible(shorten(strings.Join(args[3:], " "), 300))), "."}
}
