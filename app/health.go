package app

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/docker/go-units"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/forwarder"
	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/sandbox"
	"github.com/githabideri/fraktalia/store"
)

// health looks at every part of the deployment for !status.
func (d *deployment) health() []command.Check {
	checks := []command.Check{
		{Part: "homeserver", Look: d.homeserverHealth},
		{Part: "docker", Look: d.dockerHealth},
		{Part: "sandbox image", Look: d.imageHealth, Needs: "docker"},
		{Part: "relay", Look: d.relayHealth},
		{Part: "openclaw config", Look: d.openclawHealth},
		{Part: "openclaw gateway", Look: d.gatewayHealth},
		{Part: "isolation", Look: d.isolationHealth, Needs: "docker"},
		{Part: "forwards", Look: d.forwardsHealth},
		{Part: "database", Look: d.databaseHealth},
		{Part: "fraktalia", Look: d.ownHealth},
	}
	for _, h := range d.engines.hosts {
		checks = append(checks, command.Check{Part: "host " + h.Name, OwnersOnly: true, Look: d.hostHealth(h)})
	}
	if d.metrics != nil {
		checks = append(checks, command.Check{Part: "metrics", Look: d.metricsHealth})
	}
	return checks
}

func well(format string, args ...any) command.Finding {
	return command.Finding{Mark: command.Well, Fact: fmt.Sprintf(format, args...)}
}

func unsure(todo, format string, args ...any) command.Finding {
	return command.Finding{Mark: command.Unsure, Fact: fmt.Sprintf(format, args...), Todo: todo}
}

func notWell(todo, format string, args ...any) command.Finding {
	return command.Finding{Mark: command.NotWell, Fact: fmt.Sprintf(format, args...), Todo: todo}
}

func (d *deployment) dockerHealth(ctx context.Context) command.Finding {
	version, err := d.engineVersion(ctx)
	if err != nil {
		d.log.WithError(err).Info("status: the Docker engine")
		if os.Getenv("DOCKER_HOST") == "unix://"+proxySocket {
			return notWell("systemctl status docker fraktalia-socket-proxy tells which of the two", "the engine does not answer")
		}
		return notWell("start it (systemctl start docker), or give this user access to its socket", "the engine does not answer")
	}
	return well("engine %s", version)
}

// engineVersion asks an engine that may hang.
func (d *deployment) engineVersion(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, answerSoon)
	defer cancel()
	return d.engine.Version(ctx)
}

// imageHealth looks at the image on every machine where sandboxes live.
func (d *deployment) imageHealth(ctx context.Context) command.Finding {
	hosts := d.engines.Living()
	if len(hosts) == 0 {
		hosts = []string{""}
	}
	var all command.Finding
	for i, host := range hosts {
		found := d.imageOn(ctx, host)
		if host != "" {
			found.Fact = "on " + host + ": " + found.Fact
		}
		if i == 0 {
			all = found
			continue
		}
		all.Fact += "; " + found.Fact
		if all.Mark == command.Well {
			all.Mark, all.Todo = found.Mark, found.Todo
		}
	}
	return all
}

// imageOn looks at the image on one host, which may be away.
func (d *deployment) imageOn(ctx context.Context, host string) command.Finding {
	ctx, cancel := context.WithTimeout(ctx, answerSoon)
	defer cancel()
	name := d.config.Sandbox.Image
	engine, err := d.engines.on(host)
	var image sandbox.Image
	if err == nil {
		image, err = engine.ImageInfo(ctx, name)
	}
	switch {
	case err != nil && host != "":
		return unsure("see host "+host, "not known: the engine does not answer")
	case err != nil:
		return unsure("see docker", "not known: the engine does not answer")
	}
	rebuild := "!rebuild-sandbox"
	if host != "" {
		rebuild += " --on " + host
	}
	settings, _ := openclaw.LoadConfig(d.config.OpenClaw.Config) // one that cannot be read is another line's business
	return command.ImageFinding(name, host, image, settings, rebuild)
}

func (d *deployment) gatewayHealth(ctx context.Context) command.Finding {
	address := strings.TrimSuffix(d.config.OpenClaw.Gateway, "/")
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/ready", nil)
	if err != nil {
		return notWell("mend openclaw.gateway", "%q is no address", address)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return unsure("start it (openclaw gateway run), or name its address in openclaw.gateway", "%s does not answer", address)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return unsure("its log says what it waits for", "%s is not ready (HTTP %d)", address, response.StatusCode)
	}
	return well("%s is ready", address)
}

func (d *deployment) forwardsHealth(ctx context.Context) command.Finding {
	saved, err := d.store.Forwards(ctx)
	if err != nil {
		d.log.WithError(err).Error("status: the forwards")
		return notWell("see database", "what is to be open cannot be read")
	}
	list := d.ports.List()
	left := slices.IndexFunc(saved, func(f store.Forward) bool { return d.beyondRange(f.Port) })
	counts := map[forwarder.State]int{}
	for _, status := range list {
		counts[status.State]++
	}
	notServing := len(list) - counts[forwarder.Serving]
	switch {
	case left >= 0:
		return unsure(fmt.Sprintf("!unforward %d forgets it; a wider forwards.range opens it at the next start", saved[left].Port),
			"%d open; %d is remembered, but outside forwards.range", len(list), saved[left].Port)
	case len(list) == 0:
		return well("none")
	case counts[forwarder.Held] > 0:
		return notWell("!forwards names the program", "%d open, %d of them taken by another program", len(list), counts[forwarder.Held])
	case notServing > 0:
		return unsure("!forwards tells more", "%d open, %d of them wait for a sandbox", len(list), notServing)
	}
	return well("%d open", len(list))
}

func (d *deployment) databaseHealth(ctx context.Context) command.Finding {
	version, err := d.store.Version(ctx)
	if err != nil {
		d.log.WithError(err).Error("status: the database")
		return notWell("look at the log, and at the disk's space", "cannot be read")
	}
	var size int64
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(filepath.Join(d.config.Data, "fraktalia.db"+suffix)); err == nil {
			size += info.Size()
		}
	}
	return well("version %d, %s", version, units.HumanSize(float64(size)))
}

func (d *deployment) ownHealth(context.Context) command.Finding {
	return well("version %s, up for %s", d.version, strings.ToLower(units.HumanDuration(time.Since(d.started))))
}
