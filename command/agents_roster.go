package command

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/openclaw/json5"
	"github.com/githabideri/fraktalia/reply"
)

func (r *run) rosterCommands() []*cobra.Command {
	return []*cobra.Command{r.addAgentCommand(), r.removeAgentCommand(), r.bindCommand(), r.unbindCommand()}
}

// WorkspaceKept says why a workspace is not deleted.
type WorkspaceKept struct{ Reason string }

func (e *WorkspaceKept) Error() string { return "the workspace is kept: " + e.Reason }

func (r *run) bindCommand() *cobra.Command {
	var account string
	cmd := &cobra.Command{
		Use:         "bind AGENT ROOM [--account NAME]",
		Short:       "lets an agent answer in a room",
		Long:        "The room may be given by its id, its alias or its name. All three places are set: the binding, the channel's entry for the room, and the list of rooms that OpenClaw joins, where that is in use.",
		Example:     "bind mox #family:family.example",
		Args:        atLeastTwo("the agent and the room, for example mox #family:family.example"),
		Annotations: map[string]string{laneKey: agentsLane},
		RunE: r.does(func(ctx context.Context, r *run, args []string) (reply.Answer, error) {
			id, err := r.Agents.FindRoom(ctx, strings.Join(args[1:], " "))
			if err != nil {
				return reply.Answer{}, r.configProblem(err)
			}
			edit := func(c *openclaw.Config) ([]json5.Operation, error) {
				bind := openclaw.BindRoom{AgentID: args[0], Room: id, Account: account}
				if account == "" {
					bind.Account = c.AccountOn(r.Settings.ServerName, args[0])
				}
				return openclaw.Bind(bind)(c)
			}
			return r.change(ctx, change{what: "bind " + args[0] + " " + id, edit: edit})
		}),
	}
	cmd.Flags().StringVar(&account, "account", "", "OpenClaw's Matrix account, where it has several: its `name` in channels.matrix.accounts")
	return cmd
}

// atLeastTwo wants two words or more.
func atLeastTwo(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < 2 {
			return Sorry("Say %s", what)
		}
		return nil
	}
}

func (r *run) unbindCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:         "unbind ROOM [--yes]",
		Short:       "takes a room away from the agents that answer in it",
		Example:     "unbind #family:family.example",
		Args:        some("a room: its id, alias or name"),
		Annotations: map[string]string{laneKey: agentsLane},
		RunE: r.does(func(ctx context.Context, r *run, args []string) (reply.Answer, error) {
			id, err := r.boundRoom(ctx, strings.Join(args, " "))
			if err != nil {
				return reply.Answer{}, r.configProblem(err)
			}
			return r.change(ctx, change{what: "unbind " + id, edit: openclaw.Unbind(id), yes: yes,
				ask: reply.Line{"Take the room ", reply.Bold("%s", orElse(r.Agents.RoomName(ctx, id), id)), " away from its agents?"}})
		}),
	}
	skipsQuestion(cmd, &yes)
	return cmd
}

// boundRoom finds a room by its id also where the bot is not in it, as long as
// the configuration has it.
func (r *run) boundRoom(ctx context.Context, text string) (string, error) {
	config, err := r.Agents.Load()
	if err != nil {
		return "", err
	}
	for _, b := range config.Bindings() {
		if b.Room == text {
			return text, nil
		}
	}
	return r.Agents.FindRoom(ctx, text)
}
