package app

import (
	"context"

	"github.com/githabideri/fraktalia/arrival"
	"github.com/githabideri/fraktalia/reply"
)

// arrivals follows those who were given access until they are in.
func (d *deployment) arrivals() *arrival.Watch {
	return arrival.New(arrival.Options{Room: d.bot, Records: d.store, Server: d.server.driver, Lifetime: cardLifetime, Log: d.log.WithField("part", "arrivals")})
}

// offeredHTTPS names the setting that says that https was offered: once is
// enough, !address serve stays.
const offeredHTTPS = "offered:https"

// offerHTTPS offers to have Tailscale serve the homeserver over https, where
// it could and does not: phones refuse plain http.
func (d *deployment) offerHTTPS(ctx context.Context) error {
	if said, err := d.store.Setting(ctx, offeredHTTPS); err != nil || said != "" {
		return nil // the next start may ask
	}
	if !d.ownerIn.wait(ctx) {
		return nil
	}
	found := d.addresses.Address(ctx)
	if found.HTTPS() || !found.CanServe {
		return nil
	}
	yes, err := d.bot.Offer(ctx, reply.Say("Friends reach the homeserver at ", reply.Mono("%s", found.URL), ", and phones refuse plain http. "+
		"Tailscale can serve it over https, with a certificate for this machine's name, which makes the name public. ✅ sets that up; ", reply.Mono("!address serve"), " does it any time."))
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		d.log.WithError(err).Warn("could not offer https")
		return nil
	}
	if err := d.store.SetSetting(ctx, offeredHTTPS, "yes"); err != nil {
		d.log.WithError(err).Error("cannot write the record")
	}
	if yes {
		doc, _ := d.serveHTTPS(ctx)
		d.bot.Alert(ctx, doc)
	}
	return nil
}

// serveHTTPS has Tailscale serve the homeserver, and words what came of it.
func (d *deployment) serveHTTPS(ctx context.Context) (reply.Doc, bool) {
	url, err := d.addresses.Serve(ctx)
	if err != nil {
		d.log.WithError(err).Warn("could not set https up")
		return reply.Say("❌ ", err.Error()), false
	}
	return reply.Say("✅ Friends reach the homeserver at ", reply.Mono("%s", url), " now; ", reply.Mono("!address unserve"), " takes that back."), true
}
