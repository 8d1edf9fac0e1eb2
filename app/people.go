package app

import "github.com/githabideri/fraktalia/arrival"

// arrivals follows those who were given access until they are in.
func (d *deployment) arrivals() *arrival.Watch {
	return arrival.New(arrival.Options{Room: d.bot, Records: d.store, Server: d.server.driver, Lifetime: cardLifetime, Log: d.log.WithField("part", "arrivals")})
}
