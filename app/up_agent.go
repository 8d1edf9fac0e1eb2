package app

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"text/template"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/openclaw/programs"
	"github.com/githabideri/fraktalia/reply"
)

// clawConfig is OpenClaw's first configuration.
//
//go:embed openclaw.json.tmpl
var clawConfig string

// firstConfig is OpenClaw's configuration with one agent in the chat room. It
// names files of secrets and holds none.
func (c *localClaw) firstConfig(d *deployment, workspace string) (string, error) {
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
		"Agent": c.wish.Agent, "Name": displayName(c.wish.Agent), "Workspace": workspace, "Image": d.config.Sandbox.Image, "Network": c.wish.Network,
		"Homeserver": d.config.Homeserver.Address, "UserID": c.agentID(d.config.Homeserver.ServerName), "Room": d.bot.ChatRoomID(),
	})
	if err != nil {
		return "", fmt.Errorf("write openclaw.json: %w", err)
	}
	return text.String(), nil
}

// displayName is how an agent is shown: its name with a capital.
func displayName(agent string) string { return strings.ToUpper(agent[:1]) + agent[1:] }

// buildImage builds the sandbox image where there is none yet, by the command
// that people type. An image that cannot be built is told, and no error: the
// command can be typed again.
func (c *localClaw) buildImage(ctx context.Context, d *deployment) error {
	image, err := d.engine.ImageInfo(ctx, d.config.Sandbox.Image)
	if err != nil {
		c.log.WithError(err).Warn("the sandbox image")
		c.tellImage("The sandbox image was not built: the Docker engine does not answer. Start it (systemctl start docker), then type !rebuild-sandbox.")
		return nil
	}
	if image.Exists {
		return nil
	}
	_, err = d.commands.Do(ctx, command.Request{Args: []string{"rebuild-sandbox"}, Sender: d.config.Owners[0], Role: command.Owner, Shell: true, Ref: "up"}, &buildTalk{screen: c.screen})
	if err == nil || ctx.Err() != nil {
		return nil
	}
	c.log.WithError(err).Warn("the sandbox image was not built")
	sentence := "the log tells why."
	var problem *command.Problem
	if errors.As(err, &problem) {
		sentence = problem.Sentence
	}
	c.tellImage("The sandbox image was not built, and without it the agent does not answer: " + sentence + " !rebuild-sandbox builds it.")
	return nil
}

func (c *localClaw) tellImage(sentence string) {
	c.screen.say("%s", sentence)
	c.tell(reply.Say("❌ ", sentence))
}

// buildTalk shows the build at the terminal, where nobody is asked.
type buildTalk struct {
	screen *screen
	once   sync.Once
}

func (t *buildTalk) Update(reply.Doc) {
	t.once.Do(func() { t.screen.part("Building the sandbox image") })
}
func (t *buildTalk) Ask(context.Context, reply.Doc) (bool, error) { return false, nil }
func (t *buildTalk) Choose(context.Context, reply.Doc, []reply.Line) (int, error) {
	return -1, nil
}
func (t *buildTalk) Cancelable(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}
func (t *buildTalk) Attach(context.Context, reply.File) error          { return nil }
func (t *buildTalk) Confide(context.Context, command.Confidence) error { return nil }

// clawSteps are the steps of bringing OpenClaw, for people.
var clawSteps = map[programs.Step]string{
	programs.StepPackages: "Fetching OpenClaw and Node from npm (about 250 MB)",
	programs.StepPlugin:   "Installing OpenClaw's Matrix plugin",
	programs.StepCrypto:   "Fetching its encryption",
}
