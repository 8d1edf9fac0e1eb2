package app

import (
	"context"

	"github.com/githabideri/fraktalia/command"
)

// services gives the commands what they act on.
func (d *deployment) services() command.Services {
	return command.Services{
		Proposals: d.bot,
		Forwards:  d.forwards(),
		Builder:   d.engine,
		Recipe:    newRecipe(d.config),
		Agents:    d.agents,
		Isolation: d.isolation,
		People:    d.bot,
		Server:    d.server.driver,
		Rooms:     newRooms(d.bot, d.config.OpenClaw.Config),
		Records:   d.store,
		Speaking:  d.bot,
		Health:    d.health(),
		Proofs:    d.proofs(),
		Trust:     d.bot,
		Backups:   d.backups,

		Addresses: d.addresses,

		Containers: containers{d.engine, d.watcher, d.engines},
		Engines:    d.engines,

		Permissions: d.permissions(),
		Workspaces:  newWorkspaces(d.agents, d.config),

		Settings: command.Settings{
			Version:         d.version,
			FirstPort:       d.config.Forwards.Range.First,
			LastPort:        d.config.Forwards.Range.Last,
			Image:           d.config.Sandbox.Image,
			Base:            d.config.Sandbox.Base,
			ServerName:      d.config.Homeserver.ServerName,
			Owners:          d.config.Owners,
			Bot:             d.config.Bot.UserID,
			Address:         func(ctx context.Context) string { return d.addresses.Address(ctx).URL },
			Hosts:           d.addresses.Hosts,
			CardLifetime:    cardLifetime,
			AnswerWithin:    d.config.OpenClaw.AnswerWithin.Duration(),
			Policies:        policies(d.config.Roles),
			ProposalsAnHour: d.config.Roles.ProposalsAnHour,
		},
	}
}
