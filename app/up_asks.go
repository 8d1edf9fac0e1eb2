package app

import (
	"context"
	"fmt"
	"strings"

	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/tailnet"
)

// mayAsk says whether there is somebody to ask.
func (o *upOptions) mayAsk(p *program) bool { return !o.yes && p.interactive() }

// askOwner settles the owner's name: asked for where an agent is to be brought,
// which asks anyhow, else the login name.
func (o *upOptions) askOwner(ctx context.Context, p *program) error {
	o.owner = loginName()
	if !o.withOpenClaw || !o.mayAsk(p) {
		return nil
	}
	typed, err := p.ask(ctx, fmt.Sprintf("Your name, for your account [%s]: ", o.owner))
	if err != nil {
		return err
	}
	if typed != "" {
		o.owner = strings.ToLower(typed)
	}
	return nil
}

func (o *upOptions) checkTailscale() error {
	if o.tailscale == "" || o.tailscale == "yes" || o.tailscale == "no" {
		return nil
	}
	return usage("--tailscale %s: say yes or no", o.tailscale)
}

// settleTailscale finds out whether Tailscale shall serve the homeserver. Where
// this machine is in no tailnet nobody is asked.
func (o *upOptions) settleTailscale(ctx context.Context, p *program) error {
	if o.tailscale != "" || !o.mayAsk(p) {
		return nil
	}
	node, err := tailnet.New("").Node(ctx)
	if err != nil {
		p.tell("This machine is in no tailnet: friends reach it in your LAN only. !address says more.")
		return nil
	}
	o.tailscale = "no"
	typed, err := p.ask(ctx, fmt.Sprintf("Shall Tailscale serve the homeserver as https://%s, for phones? The name becomes public. [y/N] ", node.Name))
	if err == nil && strings.HasPrefix(strings.ToLower(typed), "y") {
		o.tailscale = "yes"
	}
	return err
}

// followTailscale does what was said about Tailscale, once: the room is not
// asked again.
func (o *upOptions) followTailscale(ctx context.Context, d *deployment) error {
	if o.tailscale == "" {
		return nil
	}
	if err := d.store.SetSetting(ctx, offeredHTTPS, o.tailscale); err != nil {
		return fmt.Errorf("write down what was said about Tailscale: %w", err)
	}
	return nil
}

// serveAsSaid has Tailscale serve the homeserver where that was said. What hinders
// it hinders nothing else: the terminal has it now, the room when an owner is in.
func (h *homestead) serveAsSaid(ctx context.Context, d *deployment, screen *screen) {
	if h.options.tailscale != "yes" {
		return
	}
	doc, served := d.serveHTTPS(ctx)
	if !served {
		doc = append(doc, reply.P("The homeserver runs without that; ", reply.Mono("!address serve"), " sets it up later."))
		screen.say("--tailscale yes: %s", strings.Join(strings.Fields(strings.TrimPrefix(doc.Text(), "❌ ")), " "))
	}
	h.news <- doc
}
