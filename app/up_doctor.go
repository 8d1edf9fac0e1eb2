package app

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/crashpoint"
	"github.com/githabideri/fraktalia/reply"
)

// keepsFor is how long what a doctor found is shown as how it is. Who logs in
// later is shown how it is then.
const keepsFor = 10 * time.Minute

// examined is what a doctor has found, and when; the zero value is of none.
type examined struct {
	doc  reply.Doc
	line string
	at   time.Time
}

// examine shows in the admin room, once after the first set-up, what !doctor
// --deep finds: the house is not said to be well, it is seen to be. It waits for
// an owner there, because nobody else can read it, and holds nobody up; the
// terminal has the outcome at once.
func (c *localClaw) examine(ctx context.Context, d *deployment, brought bool) error {
	if !c.wish.DoctorDue {
		return nil
	}
	if brought { // asked earlier it would seem slow
		<-c.warmed
	}
	var found examined
	if c.fresh && ctx.Err() == nil {
		c.screen.say("Trying every part now, as !doctor --deep does …")
		if found = c.tryAll(ctx, d); ctx.Err() == nil {
			c.screen.say("!doctor --deep: %s The admin room shows it in full.", found.line)
		}
		// A set-up leaves memory behind, 3 MB of 23 as measured, that the runtime
		// would give back over many minutes.
		debug.FreeOSMemory()
	}
	if !d.ownerIn.wait(ctx) {
		return nil
	}
	if time.Since(found.at) > keepsFor {
		found = c.tryAll(ctx, d)
	}
	return c.show(ctx, d, found, brought)
}

// tryAll is !doctor --deep. What goes wrong with it is what it has to tell.
func (c *localClaw) tryAll(ctx context.Context, d *deployment) examined {
	request := command.Request{Args: []string{"doctor", "--deep"}, Sender: d.config.Owners[0], Role: command.Owner, Ref: "up"}
	answer, err := d.commands.Do(ctx, request, silence{})
	found, ok := answer.Data.(command.Diagnosis)
	if err != nil || !ok {
		if ctx.Err() == nil {
			c.log.WithError(err).Error("the doctor did not come to an end")
		}
		text := "It did not come to an end; the log says why."
		return examined{reply.Say("❌ ", text), text, time.Now()}
	}
	return examined{answer.Doc, found.Line(), time.Now()}
}

// show says it, once for a set-up that came to its end. One that did not is gone
// on with by the next start, which tells how it is then.
func (c *localClaw) show(ctx context.Context, d *deployment, found examined, brought bool) error {
	name := "first-doctor"
	if !brought {
		name = fmt.Sprintf("first-doctor-%d", d.started.Unix())
	}
	doc := append(reply.Say("I have tried every part after the first set-up, as ", reply.Mono("!doctor --deep"), " does:"), found.doc...)
	if err := d.bot.Note(ctx, name, doc); err != nil {
		if ctx.Err() == nil {
			c.log.WithError(err).Error("what the doctor found could not be told")
		}
		return nil
	}
	crashpoint.At("up.doctor.told")
	if !brought {
		return nil
	}
	c.wish.DoctorDue = false
	return c.keepWish()
}
