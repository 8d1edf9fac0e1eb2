package app

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/config"
	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/stack"
)

// knownListen is where the homeserver of a data folder listened last. The
// configuration has an address of it only, and counts where somebody has changed
// that.
func knownListen(known config.Config) string {
	if listen, ok := stack.KnownListen(known.Data); ok && stack.AddressOf(listen) == strings.TrimSuffix(known.Homeserver.Address, "/") {
		return listen
	}
	address, err := url.Parse(known.Homeserver.Address)
	if err != nil {
		return ""
	}
	return address.Host
}

// keepAddress writes down where the homeserver listens from now on.
func (h *homestead) keepAddress(known string) error {
	if known == h.stack.Address() {
		return nil
	}
	if err := config.Change(h.file, func(c *config.Config) { c.Homeserver.Address = h.stack.Address() }); err != nil {
		return fmt.Errorf("write down the homeserver's address: %w", err)
	}
	return nil
}

// wantPort takes the gateway's port of this start: the one that was said, else
// the one in OpenClaw's configuration, which is the owner's to change.
func (c *localClaw) wantPort(o *agentOptions) error {
	port, err := o.portSaid()
	if err != nil {
		return err
	}
	if settings, err := openclaw.LoadConfig(c.configFile()); err == nil && port == 0 {
		port = settings.GatewayPort()
	}
	if port == 0 || port == c.wish.Port {
		return nil
	}
	if err := stack.CheckPort("127.0.0.1", port); err != nil {
		return portTaken(err)
	}
	c.wish.Port, c.moved = port, true
	return nil
}

// keepPort writes down where the gateway listens from now on.
func (c *localClaw) keepPort() error {
	if !c.moved {
		return nil
	}
	if err := c.keepWish(); err != nil {
		return err
	}
	return config.Change(c.file, func(f *config.Config) { f.OpenClaw.Gateway = "http://" + c.address() })
}

// follow has OpenClaw's configuration name the homeserver and the gateway's port
// as they are at this start. The gateway does not run yet.
func (c *localClaw) follow(ctx context.Context, d *deployment) error {
	if _, err := os.Stat(c.configFile()); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	answer, err := d.moveAddresses(ctx, openclaw.MoveGateway(c.wish.Port))
	if err != nil {
		return err
	}
	if answer.Undo == "" {
		return nil
	}
	doc := append(reply.Say("OpenClaw's configuration follows the homeserver (", d.config.Homeserver.Address, ") and the gateway's port (", strconv.Itoa(c.wish.Port), "). At another address it logs in anew: what is said until then the agent cannot read."), answer.Doc...)
	c.screen.say("%s", doc.Text())
	c.tell(doc)
	return nil
}

// follow has the adopted configuration name the homeserver where it is at this
// start: the agent's account is on it, and would not find it else.
func (a *adoption) follow(ctx context.Context, d *deployment) (reply.Doc, error) {
	answer, err := d.moveAddresses(ctx)
	if err != nil || answer.Undo == "" {
		return nil, err
	}
	return append(reply.Say("OpenClaw's configuration follows the homeserver (", d.config.Homeserver.Address, "). It logs in anew there: what is said until then the agent cannot read."), answer.Doc...), nil
}

// moveAddresses has OpenClaw's configuration name the homeserver where it is at
// this start; more moves other things with it. Undo in the answer is empty where
// all stands as it should.
func (d *deployment) moveAddresses(ctx context.Context, more ...openclaw.EditFunc) (reply.Answer, error) {
	edits := append([]openclaw.EditFunc{openclaw.MoveHomeserver(d.config.Homeserver.ServerName, d.config.Homeserver.Address)}, more...)
	return d.commands.EditConfig(ctx, command.ConfigEdit{What: "up: the addresses of this start", Owner: d.config.Owners[0], Edit: openclaw.InTurn(edits...)}, silence{})
}
