package app

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/template"
	"time"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/crashpoint"
	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/openclaw/programs"
	"github.com/githabideri/fraktalia/store"
)

// clawConfig is OpenClaw's first configuration.
//
//go:embed openclaw.json.tmpl
var clawConfig string

// settle is all that is made once: the agent's role, its invitation to the chat
// room, OpenClaw's configuration, the agent's workspace and its entry, as
// !addagent makes them. Done, it is not done again: what the owner has changed
// since then stays.
func (c *localClaw) settle(ctx context.Context, d *deployment) error {
	if c.wish.Done {
		return nil
	}
	agent := c.agentID(d.config.Homeserver.ServerName)
	if err := d.store.SaveRole(ctx, store.Role{UserID: agent, Role: "agent", Agent: c.wish.Agent, GivenBy: d.config.Owners[0], GivenAt: time.Now()}); err != nil {
		return err
	}
	if err := d.bot.Invite(ctx, d.bot.ChatRoomID(), agent); err != nil {
		return fmt.Errorf("invite the agent: %w", err)
	}
	if _, err := os.Stat(c.configFile()); errors.Is(err, os.ErrNotExist) {
		text, err := c.firstConfig(d)
		if err != nil {
			return err
		}
		if err := replaceFile(c.configFile(), []byte(text)); err != nil {
			return fmt.Errorf("write OpenClaw's configuration: %w", err)
		}
		crashpoint.At("up.openclaw.configured")
	}
	if err := c.addAgent(ctx, d); err != nil {
		return err
	}
	crashpoint.At("up.agent.added")
	c.wish.Done = true
	if err := c.keepWish(); err != nil {
		return err
	}
	crashpoint.At("up.settled")
	return nil
}

// addAgent makes the agent's workspace and its entry. The gateway does not run
// yet, so nobody has to apply them.
func (c *localClaw) addAgent(ctx context.Context, d *deployment) error {
	settings, err := d.agents.Load()
	if err != nil {
		return fmt.Errorf("read OpenClaw's configuration: %w", err)
	}
	if _, err := settings.Agent(c.wish.Agent); err == nil {
		return nil
	}
	space, err := c.makeWorkspace(ctx, d)
	if err != nil {
		return err
	}
	crashpoint.At("up.workspace")
	name := displayName(c.wish.Agent)
	sandboxed := openclaw.Sandboxed{Name: name, Workspace: space.Path, Image: d.config.Sandbox.Image, User: space.User, Network: c.settleNetwork(ctx, d)}
	plan, err := settings.Plan(openclaw.InTurn(
		openclaw.AddAgent(openclaw.NewAgent{ID: c.wish.Agent, Name: name, Settings: sandboxed.Settings()}),
		openclaw.Bind(openclaw.BindRoom{AgentID: c.wish.Agent, Room: d.bot.ChatRoomID(), Join: true, Settings: openclaw.AnswersAll()})))
	if err != nil {
		return fmt.Errorf("add the agent: %w", err)
	}
	d.agents.guard.Own(plan.Changes())
	if _, err := plan.Commit(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("add the agent: %w", err)
	}
	return nil
}

// makeWorkspace makes the agent's folder with its files; one that an interrupted
// start has made is taken as it is.
func (c *localClaw) makeWorkspace(ctx context.Context, d *deployment) (command.NewWorkspace, error) {
	places := newWorkspaces(d.agents, d.config)
	space, err := places.PlanWorkspace(ctx, command.Newcomer{ID: c.wish.Agent, Name: displayName(c.wish.Agent), Room: d.bot.RoomName(ctx, d.bot.ChatRoomID())})
	var taken *command.WorkspaceTaken
	if errors.As(err, &taken) {
		user, err := places.recipe.User(ctx)
		space.User = fmt.Sprintf("%d:%d", user.UID, user.GID)
		return space, err
	}
	if err == nil {
		err = space.Make()
	}
	if err != nil {
		return space, fmt.Errorf("make the agent's workspace: %w", err)
	}
	c.removeStrays(ctx, d, space.Path)
	return space, nil
}

// removeStrays takes away containers that have a folder of this path which is
// gone: somebody has removed the data folder and begins again. OpenClaw would take
// one of them for the new agent's, and nothing would run in it.
func (c *localClaw) removeStrays(ctx context.Context, d *deployment, path string) {
	containers, err := d.engine.Containers(ctx)
	for _, stray := range containers {
		if stray.Workspace == path {
			c.log.WithField("container", stray.Name).Info("removing a container whose workspace is gone")
			err = errors.Join(err, d.engine.RemoveContainer(ctx, stray.ID))
		}
	}
	if err != nil {
		c.log.WithError(err).Warn("containers of an earlier agent may still be there")
	}
}

// firstConfig is OpenClaw's configuration without an agent. It names files of
// secrets and holds none.
func (c *localClaw) firstConfig(d *deployment) (string, error) {
	quote := func(value any) (string, error) {
		text, err := json.Marshal(value)
		return string(text), err
	}
	page, err := template.New("").Funcs(template.FuncMap{"quote": quote}).Parse(clawConfig)
	if err != nil {
		return "", fmt.Errorf("template of openclaw.json: %w", err)
	}
	key, err := c.modelKey()
	if err != nil {
		return "", err
	}
	var text strings.Builder
	err = page.Execute(&text, map[string]any{
		"Version": programs.OpenClawVersion, "Port": c.wish.Port, "HasKey": key != "", "ModelURL": c.wish.ModelURL, "Model": c.wish.Model, "Primary": "own/" + c.wish.Model,
		"TokenFile": c.secret("openclaw-token"), "KeyFile": c.secret("model-key"), "PasswordFile": c.secret("agent-" + c.wish.Agent),
		"Image": d.config.Sandbox.Image, "Homeserver": d.config.Homeserver.Address, "UserID": c.agentID(d.config.Homeserver.ServerName),
	})
	if err != nil {
		return "", fmt.Errorf("write openclaw.json: %w", err)
	}
	return text.String(), nil
}

// displayName is how an agent is shown: its name with a capital.
func displayName(agent string) string { return strings.ToUpper(agent[:1]) + agent[1:] }

// clawSteps are the steps of bringing OpenClaw, for people.
var clawSteps = map[programs.Step]string{
	programs.StepPackages: "Fetching OpenClaw and Node from npm (about 250 MB)",
	programs.StepPlugin:   "Installing OpenClaw's Matrix plugin",
	programs.StepCrypto:   "Fetching its encryption",
}
