package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/githabideri/fraktalia/crashpoint"
)

// settleNetwork chooses the network of the agent's sandbox: the isolated one,
// from which the internet can be reached and nothing else, where this program
// may make it; else none at all, and how to get the other is told.
func (c *localClaw) settleNetwork(ctx context.Context, d *deployment) string {
	why := "this program does not run as root"
	if os.Geteuid() == 0 && c.firewall {
		err := isolate(ctx, d)
		if err == nil {
			crashpoint.At("up.network")
			d.isolation.anew() // there was no network to try from when the program started
			return d.config.Firewall.Network
		}
		c.log.WithError(err).Warn("the isolated network was not made")
		why = "the isolated network could not be made"
		var exit *exitError
		if errors.As(err, &exit) {
			why = exit.text
		}
	} else if !c.firewall {
		why = "--no-firewall was said"
	}
	sentence := fmt.Sprintf("The agent's sandbox has no network, because %s; forwarded ports work all the same. "+
		"To let it reach the internet, and nothing else: sudo fraktalia firewall apply --config %s, then !isolation on %s.", why, c.file, c.wish.Agent)
	c.say("⚠️ ", sentence)
	return noNetwork
}

// isolate does what `fraktalia firewall apply` does; what that prints goes into
// the log.
func isolate(ctx context.Context, d *deployment) error {
	var said bytes.Buffer
	p := &program{version: d.version, stdout: &said, stderr: &said}
	w, err := p.openWall(ctx, d.config, true)
	if err != nil {
		return wallProblem(err)
	}
	defer w.engine.Close()
	err = wallProblem(w.apply(ctx, applyOptions{}))
	d.log.WithField("part", "isolation").Info(said.String())
	return err
}
