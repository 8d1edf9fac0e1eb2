package app

import (
	"context"
	"time"

	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

// sweepLimit bounds what is done about old builds before the program serves.
const sweepLimit = 10 * time.Second

// sweepBuilds ends the records of builds in whose middle the program was
// killed, and removes what they left. It runs before anybody can start
// another: that one's candidate must not be taken for the old one's.
func (d *deployment) sweepBuilds(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, sweepLimit)
	defer cancel()
	open, err := d.store.OpenBuilds(ctx)
	if err != nil {
		d.log.WithError(err).Error("cannot look for interrupted builds")
		return
	}
	for _, b := range open {
		log := d.log.WithField("image", b.Tag).WithField("host", b.Engine)
		engine, err := d.engines.on(b.Engine)
		if err != nil { // that host is not in the configuration any more
			engine = d.engine
		} else if err := engine.Sweep(ctx, b.Tag); err != nil {
			log.WithError(err).Warn("what an interrupted build has left is still there; the next build takes its place")
		}
		b.Outcome = store.BuildInterrupted
		if live, err := engine.ImageInfo(ctx, b.Tag); err == nil && live.Exists && live.ID == b.ImageID {
			b.Outcome, b.Size = store.BuildDone, live.Size // it was tested and live already, only not told
		}
		if err := d.store.EndBuild(ctx, b); err != nil {
			log.WithError(err).Error("cannot record that a build was interrupted")
			continue
		}
		log.WithField("outcome", b.Outcome).Info("ended the record of an interrupted build")
		d.interrupted = append(d.interrupted, b)
	}
}

// tellInterrupted tells the admin room of the builds that sweepBuilds found.
func (d *deployment) tellInterrupted(ctx context.Context) {
	for _, b := range d.interrupted {
		began := onHost(b.Engine) + " was being built when I was killed."
		if b.Outcome == store.BuildDone {
			d.bot.Alert(ctx, reply.Say(reply.Mono("%s", b.Tag), began, " The new image had passed its tests and is live."))
			continue
		}
		d.bot.Alert(ctx, reply.Say(reply.Mono("%s", b.Tag), began, " The image in use is as it was, and what the build had left is cleaned up. ",
			reply.Mono("!rebuild-sandbox"), " builds it; what was finished is still cached."))
	}
	d.interrupted = nil
}

// onHost is " on attic", or nothing for this machine.
func onHost(host string) string {
	if host == "" {
		return ""
	}
	return " on " + host
}
