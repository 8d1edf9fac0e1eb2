package app

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/openclaw"
)

// proveGateway asks the gateway whether it runs with the configuration.
func (d *deployment) proveGateway(ctx context.Context) command.Finding {
	found := d.gatewayHealth(ctx)
	if _, err := os.Stat(d.config.OpenClaw.Config); found.Mark == command.Unsure && err == nil {
		found.Mark = command.NotWell // it is installed, and agents do not answer without it
	}
	if found.Mark != command.Well {
		return found
	}
	if d.agents.noGateway != nil {
		return unsure("name an address of this machine in openclaw.gateway", "%s; whether it has applied the configuration is not known: %s", found.Fact, d.agents.noGateway)
	}
	state, err := d.gatewayState(ctx)
	if err != nil {
		return d.silentGateway(found, err)
	}
	switch {
	case !d.agents.runsWith(state.Path):
		return notWell("name that one in openclaw.config, or start the gateway with ours", "%s, but runs with %s", found.Fact, state.Path)
	case !state.Valid:
		return unsure("see openclaw config", "%s, but with an older configuration: it refuses that of now", found.Fact)
	case !state.InForce():
		return unsure("start the gateway again; some settings take that", "%s, but has not applied all of its configuration", found.Fact)
	}
	found.Fact += ", and has applied the configuration"
	return found
}

// gatewayState asks until it is answered: while an agent works the gateway may
// be slow.
func (d *deployment) gatewayState(ctx context.Context) (state openclaw.State, err error) {
	ctx, cancel := context.WithTimeout(ctx, busyLimit)
	defer cancel()
	for {
		var down *openclaw.GatewayDownError
		if state, err = d.agents.gateway.State(ctx); !errors.As(err, &down) || ctx.Err() != nil {
			return state, err
		}
		select {
		case <-ctx.Done():
			return state, err
		case <-time.After(askAgain):
		}
	}
}

const (
	// busyLimit is how long a busy gateway may take to answer, askAgain the pause
	// before it is asked again.
	busyLimit = 15 * time.Second
	askAgain  = 200 * time.Millisecond
)

// silentGateway tells why a gateway that is ready does not say what it runs with.
func (d *deployment) silentGateway(found command.Finding, err error) command.Finding {
	d.log.WithError(err).Info("doctor: the gateway's configuration")
	var refused *openclaw.GatewayStatusError
	switch {
	case errors.As(err, &refused) && refused.Status == http.StatusNotFound:
		return unsure("set plugins.entries.admin-http-rpc.enabled to true in openclaw.json", "%s; whether it has applied the configuration it does not say", found.Fact)
	case errors.As(err, &refused) && (refused.Status == http.StatusUnauthorized || refused.Status == http.StatusForbidden):
		return notWell("put gateway.auth.token into the file of openclaw.gateway_token_file", "%s, but refuses our token", found.Fact)
	}
	if _, err := openclaw.LoadConfig(d.config.OpenClaw.Config); err != nil { // our token is in it
		return unsure("see openclaw config", "%s; whether it has applied the configuration is not known", found.Fact)
	}
	return unsure("the log says why", "%s; whether it has applied the configuration is not known", found.Fact)
}

// proveIsolation tries from inside now.
func (d *deployment) proveIsolation(ctx context.Context) command.Finding {
	if exists, err := d.isolation.Exists(ctx); err == nil && exists {
		if _, err := d.isolation.Prove(ctx); err != nil {
			d.log.WithError(err).Warn("doctor: isolation could not be tried")
			return notWell("the log says why; !isolation tries again", "could not be tried from inside")
		}
	}
	return d.isolationHealth(ctx) // tells of what was just tried
}

// preloadsHealth tells what the gateway that runs here was started with, and
// why: files that change what OpenClaw sees of this machine.
func (d *deployment) preloadsHealth(context.Context) command.Finding {
	list, err := Preloads(d.config.Data)
	if err != nil {
		return unsure("start fraktalia again, which finds it out anew", "what the gateway was started with is not known")
	}
	var in, out []string
	for _, p := range list {
		if p.Applied {
			in = append(in, p.Name+" ("+p.Reason+")")
		} else {
			out = append(out, p.Reason)
		}
	}
	if len(in) == 0 {
		return well("none in force: %s", strings.Join(out, "; "))
	}
	return well("in force, because they were seen to be needed and right here: %s", strings.Join(in, "; "))
}
