package app

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/reply"
)

// buildImage builds the sandbox image where there is none yet, by the command
// that people type. An image that cannot be built is told: the command can be
// typed again.
func (c *localClaw) buildImage(ctx context.Context, d *deployment) {
	image, err := d.engine.ImageInfo(ctx, d.config.Sandbox.Image)
	if err != nil {
		c.log.WithError(err).Warn("the sandbox image")
		c.say("❌ ", "The sandbox image was not built: the Docker engine does not answer. Start it (systemctl start docker), then type !rebuild-sandbox.")
		return
	}
	if image.Exists {
		return
	}
	_, err = d.commands.Do(ctx, command.Request{Args: []string{"rebuild-sandbox"}, Sender: d.config.Owners[0], Role: command.Owner, Shell: true, Ref: "up"}, &buildTalk{screen: c.screen})
	if err == nil || ctx.Err() != nil {
		return
	}
	c.log.WithError(err).Warn("the sandbox image was not built")
	sentence := "the log tells why."
	var problem *command.Problem
	if errors.As(err, &problem) {
		sentence = strings.TrimSuffix(problem.Sentence, " "+command.ImageUntouched) // there is none
	}
	c.say("❌ ", "The sandbox image was not built, and without it the agent does not answer: "+sentence+" !rebuild-sandbox builds it later.")
}

// buildTalk shows the build at the terminal, where nobody is asked.
type buildTalk struct {
	silence
	screen *screen
	once   sync.Once
}

func (t *buildTalk) Update(reply.Doc) {
	t.once.Do(func() { t.screen.part("Building the sandbox image") })
}

// silence is a conversation with nobody.
type silence struct{}

func (silence) Update(reply.Doc)                             {}
func (silence) Ask(context.Context, reply.Doc) (bool, error) { return false, nil }
func (silence) Choose(context.Context, reply.Doc, []reply.Line) (int, error) {
	return -1, nil
}
func (silence) Cancelable(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}
func (silence) Attach(context.Context, reply.File) error          { return nil }
func (silence) Confide(context.Context, command.Confidence) error { return nil }
