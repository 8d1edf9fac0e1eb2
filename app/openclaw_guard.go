package app

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/reply"
)

// watchOpenClaw guards the roster, and learns OpenClaw's schema where it is new.
func (d *deployment) watchOpenClaw(ctx context.Context) error {
	var parts sync.WaitGroup
	defer parts.Wait()
	parts.Go(func() { d.learnSchema(ctx) })
	parts.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case event := <-d.offers:
				parts.Go(func() { d.offerRestore(ctx, event) })
			}
		}
	})
	return d.agents.guard.Run(ctx)
}

// learnEvery is the time between two looks whether OpenClaw is another version.
const learnEvery = 10 * time.Minute

// learnSchema keeps the schema of the OpenClaw that is installed at hand.
func (d *deployment) learnSchema(ctx context.Context) {
	told := ""
	for {
		err := d.agents.checker.Learn(ctx)
		if err != nil && ctx.Err() == nil && err.Error() != told {
			told = err.Error()
			d.log.WithError(err).Info("OpenClaw's schema is not known: changes are checked by other means")
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(learnEvery):
		}
	}
}

// rosterEvent is called by the guard.
func (d *deployment) rosterEvent(ctx context.Context, event openclaw.Event) {
	d.log.WithField("kind", event.Kind).WithField("agents", event.LostAgents).Warn("somebody else changed OpenClaw's configuration")
	select {
	case d.offers <- event:
	case <-ctx.Done():
	}
}

// offerRestore tells the admin room, and restores when an owner clicks.
func (d *deployment) offerRestore(ctx context.Context, event openclaw.Event) {
	alert := rosterAlert(event, d.config.OpenClaw.Config)
	if !event.Restorable() {
		d.bot.Alert(ctx, alert)
		return
	}
	yes, err := d.bot.Offer(ctx, append(alert, reply.P("Click ✅ and I put it back as it was.")))
	if err != nil && ctx.Err() == nil {
		d.log.WithError(err).Error("could not tell the admin room of a change in OpenClaw's configuration")
	}
	if !yes {
		return
	}
	if err := event.Restore(ctx); err != nil {
		d.log.WithError(err).Warn("could not restore OpenClaw's configuration")
		d.bot.Alert(ctx, reply.Say("I could not put OpenClaw's configuration back: it has been changed again since, or cannot be written. Nothing was changed."))
		return
	}
	d.bot.Alert(ctx, reply.Say("OpenClaw's configuration is back as it was."))
}

// maxDiff bounds the difference in an alert, in bytes.
const maxDiff = 12 << 10

// rosterAlert words what somebody else did to the configuration.
func rosterAlert(event openclaw.Event, path string) reply.Doc {
	var what string
	switch event.Kind {
	case openclaw.Gone:
		what = fmt.Sprintf("⚠️ %s is gone.", path)
	case openclaw.Broken:
		what = fmt.Sprintf("⚠️ %s cannot be read any more, and the gateway would not start with it: %v.", path, event.Err)
	case openclaw.Reverted:
		what = "⚠️ OpenClaw has put an older configuration back. The newer one is in " + strings.Join(event.Aside, ", ") + "."
	default:
		what = "⚠️ Somebody else has changed OpenClaw's configuration."
	}
	doc := reply.Doc{reply.P(what + lost(event))}
	if event.Diff == "" {
		return doc
	}
	diff := event.Diff
	if len(diff) > maxDiff {
		diff = diff[:strings.LastIndexByte(diff[:maxDiff], '\n')+1] + "…\n"
	}
	return append(doc, reply.Code{Language: "diff", Text: diff})
}

func lost(event openclaw.Event) string {
	var text string
	if n := len(event.LostAgents); n > 0 {
		text += fmt.Sprintf(" These agents are gone: %s.", strings.Join(event.LostAgents, ", "))
	}
	if n := len(event.LostBindings); n > 0 {
		names := make([]string, n)
		for i, b := range event.LostBindings {
			names[i] = b.AgentID + " in " + b.Channel + " " + b.Room
		}
		text += fmt.Sprintf(" These bindings are gone: %s.", strings.Join(names, ", "))
	}
	return text
}
