package app

import (
	"context"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/forwarder"
	"github.com/githabideri/fraktalia/homeserver"
	"github.com/githabideri/fraktalia/stack"
)

// services gives the commands what they act on.
func (d *deployment) services() command.Services {
	return command.Services{
		Forwards: ports{d.ports, d.config.Forwards.Listen},
		Builder:  d.engine,
		Agents:   d.agents,
		People:   people{d},
		Server:   d.server.driver,
		Records:  d.store,
		Health:   d.health(),
		Trust:    d.bot,
		Settings: command.Settings{
			Version:      d.version,
			FirstPort:    d.config.Forwards.Range.First,
			LastPort:     d.config.Forwards.Range.Last,
			Image:        d.config.Sandbox.Image,
			Base:         d.config.Sandbox.Base,
			ServerName:   d.config.Homeserver.ServerName,
			Address:      d.publicAddress,
			Hosts:        hosts,
			CardLifetime: cardLifetime,
		},
	}
}

// ports opens every forward on the addresses that the configuration names.
type ports struct {
	*forwarder.Forwarder
	listen string
}

func (p ports) Open(spec forwarder.Spec) (err error) {
	if spec.Bind, err = forwarder.ParseBind(p.listen); err != nil {
		return err
	}
	return p.Forwarder.Open(spec)
}

// people joins the two halves of giving somebody access: the account, made on
// the homeserver, and the invitation, sent by the bot.
type people struct{ d *deployment }

func (p people) Register(ctx context.Context, account homeserver.Account) (string, error) {
	driver, err := p.d.server.driver(ctx)
	if err != nil {
		return "", err
	}
	return driver.Register(ctx, account)
}

func (p people) InviteToChat(ctx context.Context, userID string) error {
	return p.d.bot.InviteToChat(ctx, userID)
}

// publicAddress is where friends reach the homeserver.
func (d *deployment) publicAddress(context.Context) string {
	if d.config.Homeserver.PublicAddress != "" {
		return d.config.Homeserver.PublicAddress
	}
	return d.config.Homeserver.Address
}

// hosts are this machine's names in the tailnet.
func hosts(ctx context.Context) []string {
	if name := stack.DefaultServerName(ctx); name.From == stack.FromTailscale {
		return []string{name.Name}
	}
	return nil
}
