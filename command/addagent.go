package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/workspace"
)

// NewWorkspace is a workspace that is to be made for an agent.
type NewWorkspace struct {
	workspace.New
	// User is the container's, by number, as OpenClaw writes it: 1000:1000.
	User string
}

// Newcomer is an agent that is to be added, as its own files speak of it.
type Newcomer struct{ ID, Name, Room string }

// WorkspaceTaken says that something is where a workspace is to be made.
type WorkspaceTaken struct{ Path string }

func (e *WorkspaceTaken) Error() string { return e.Path + " is there already" }

// BadTemplate says that a template of the owner's for an agent's files cannot
// be used.
type BadTemplate struct {
	Path string
	Err  error
}

func (e *BadTemplate) Error() string { return e.Path + ": " + e.Err.Error() }
func (e *BadTemplate) Unwrap() error { return e.Err }

// agentWish is what was typed.
type agentWish struct {
	openclaw.NewAgent
	room, model, account string
	invite               []string
}

func (r *run) addAgentCommand() *cobra.Command {
	var wish agentWish
	cmd := &cobra.Command{
		Use:   "addagent NAME [--name TEXT] [--room TEXT] [--model MODEL] [--invite USER,...] [--copy AGENT] [--account NAME]",
		Short: "adds an agent: its room, workspace, sandbox and entry, and sees it work",
		Long: "With --room everything is made that an agent needs, one step after another: its workspace with its files, an encrypted room with the owners in it, its entry in openclaw.json with a sandbox, " +
			"the binding, and its account's role. Then it is asked in its room to write a file in its sandbox and to answer; when that is seen, friends are invited. If any step fails, those before it are taken back. " +
			"Without --room only its entry is made; bind gives it a room. With --copy it gets what the other agent has, but for what belongs to that one alone: name, workspace, identity. " +
			"It speaks with OpenClaw's Matrix account, as other agents may; --account names one where OpenClaw has several.",
		Example:     `addagent mix --name "Mix" --room "Mix's room" --invite alice`,
		Aliases:     []string{"add-agent"},
		Args:        exactly(1, "the agent's id, for example mix"),
		Annotations: map[string]string{laneKey: agentsLane, interruptedKey: "Where the agent was not whole yet, I take back by myself what was made, and say so; !agents tells whether it is there."},
	}
	cmd.RunE = r.does(func(ctx context.Context, r *run, args []string) (reply.Answer, error) {
		wish.ID = args[0]
		if cmd.Flags().Changed("room") {
			return addAgent(ctx, r, wish)
		}
		if wish.model != "" || wish.account != "" || len(wish.invite) > 0 {
			return reply.Answer{}, usageError(r.request, cmd, Sorry("--model, --account and --invite go with --room"))
		}
		next := reply.P("It answers nowhere yet: ", reply.Mono("%sbind %s ROOM", prompt(r.request), wish.ID), " gives it a room.")
		return r.change(ctx, change{what: "addagent " + wish.ID, edit: openclaw.AddAgent(wish.NewAgent), next: reply.Doc{next}})
	})
	flags := cmd.Flags()
	flags.StringVar(&wish.Name, "name", "", "the `text` that people see as its name")
	flags.StringVar(&wish.room, "room", "", "what its own room shall be called: a `text`")
	flags.StringVar(&wish.model, "model", "", "its `model`, as OpenClaw writes it: provider/name")
	flags.StringSliceVar(&wish.invite, "invite", nil, "the `accounts` to be invited to its room, with commas between")
	flags.StringVar(&wish.CopyOf, "copy", "", "the `agent` whose settings it gets")
	flags.StringVar(&wish.account, "account", "", "OpenClaw's Matrix account, where it has several: its `name` in channels.matrix.accounts")
	return cmd
}

// mostName is the longest name of an agent.
const mostName = 60

// addAgent makes all that an agent needs, or nothing.
func addAgent(ctx context.Context, r *run, wish agentWish) (reply.Answer, error) {
	a, err := r.plannedAddition(ctx, wish)
	if err != nil {
		return reply.Answer{}, err
	}
	return a.carryOut(ctx)
}

// plannedAddition finds everything that can be wrong before anything is made.
func (r *run) plannedAddition(ctx context.Context, wish agentWish) (*addition, error) {
	if wish.Name == "" {
		wish.Name = strings.ToUpper(wish.ID[:min(1, len(wish.ID))]) + wish.ID[min(1, len(wish.ID)):]
	}
	if len([]rune(wish.Name)) > mostName || strings.ContainsFunc(wish.Name, unicode.IsControl) {
		return nil, Sorry("An agent's name is one line of up to %d characters.", mostName)
	}
	config, err := r.Agents.Load()
	if err != nil {
		return nil, r.configProblem(err)
	}
	a := &addition{run: r, wish: wish}
	if _, err := config.Plan(openclaw.AddAgent(wish.NewAgent)); err != nil {
		return nil, r.configProblem(err)
	}
	if a.guest, err = r.accountFor(config, &a.wish); err != nil {
		return nil, err
	}
	for _, plan := range []func(context.Context, *openclaw.Config) error{a.planID, a.planRoom, a.planSandbox, a.planWorkspace} {
		if err := plan(ctx, config); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// accountFor is the account with which a new agent will speak.
func (r *run) accountFor(config *openclaw.Config, wish *agentWish) (agentAccount, error) {
	if wish.account == "" {
		wish.account = config.AccountOn(r.Settings.ServerName, wish.ID)
	}
	if !config.HasMatrixAccount(wish.account) {
		return agentAccount{}, Sorry("OpenClaw has no Matrix account %.60q in channels.matrix.accounts. I do not make one: make it there, or leave --account away, and the agent speaks with OpenClaw's own account, as others may.", wish.account)
	}
	guest := agentAccount{agent: wish.ID, account: wish.account}
	err := r.identify(config, &guest)
	return guest, err
}

// planID refuses an id that OpenClaw would not run.
func (a *addition) planID(ctx context.Context, _ *openclaw.Config) error {
	buried, err := a.Agents.Tombstoned(ctx, a.wish.ID)
	if err != nil {
		return err
	}
	if buried {
		return Sorry("OpenClaw remembers that an agent %s was deleted with its own program, and runs no new one of that id. Choose another id; or let its program make it (openclaw agents add %[1]s) and use %[2]sbind.", a.wish.ID, prompt(a.request))
	}
	return nil
}

// planRoom refuses a room whose name another one has: people could not tell
// them apart.
func (a *addition) planRoom(ctx context.Context, _ *openclaw.Config) (err error) {
	name := strings.TrimSpace(a.wish.room)
	if a.room, err = a.plannedRoom(ctx, roomWish{name: name, invite: a.wish.invite}); err != nil {
		return err
	}
	a.invite, a.room.Invite = a.room.Invite, nil // they come when it works
	if slices.Contains(a.invite, a.guest.user) {
		return Sorry("%s is the agent's own account: it comes by itself.", a.guest.user)
	}
	rooms, _, err := a.knownRooms(ctx)
	if err != nil {
		return err
	}
	for _, room := range rooms {
		if strings.EqualFold(room.Name, name) && room.Members > 0 {
			return Sorry("There is a room called %s already. Choose another name for it; or add the agent without --room and use %sbind %s %s.", room.Name, prompt(a.request), a.wish.ID, room.ID)
		}
	}
	return nil
}

// planSandbox chooses image and network. Without an isolated network an agent
// gets what OpenClaw gives all, which is none unless the owner said otherwise.
func (a *addition) planSandbox(ctx context.Context, _ *openclaw.Config) error {
	image, err := a.Containers.ImageInfo(ctx, a.Settings.Image)
	if err != nil {
		return a.containerProblem(err)
	}
	if !image.Exists {
		return Sorry("There is no sandbox image %s yet: %srebuild-sandbox makes it.", a.Settings.Image, prompt(a.request))
	}
	isolated, err := a.Isolation.Exists(ctx)
	if err == nil && isolated {
		a.network = a.Isolation.Network()
	}
	return err
}

func (a *addition) planWorkspace(ctx context.Context, _ *openclaw.Config) (err error) {
	a.space, err = a.Workspaces.PlanWorkspace(ctx, Newcomer{ID: a.wish.ID, Name: a.wish.Name, Room: a.room.Name})
	var taken *WorkspaceTaken
	var template *BadTemplate
	switch {
	case errors.As(err, &taken):
		return Because(err, "There is a folder %s already, where its workspace would be. Move it away (%sagents --orphans tells of what removed agents have left), or choose another id.", taken.Path, prompt(a.request))
	case errors.As(err, &template):
		return Because(err, "The template %s cannot be used: %s. Mend it, or take it away, and the shipped one counts.", template.Path, template.Err)
	case err != nil:
		return fmt.Errorf("plan the workspace of %s: %w", a.wish.ID, err)
	}
	remains, err := a.Workspaces.Remains(nil)
	a.made.Recorded = slices.ContainsFunc(remains, func(r Remains) bool { return r.Records && r.Agent == a.wish.ID })
	return err
}
