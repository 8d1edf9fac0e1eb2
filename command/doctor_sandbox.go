package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker/go-units"

	"github.com/githabideri/fraktalia/docker"
	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/sandbox"
	"github.com/githabideri/fraktalia/store"
)

const (
	dockerPart   = "docker"
	imagePart    = "sandbox image"
	forwardsPart = "forwards"
	gatewayPart  = "openclaw gateway"
	// startLimit bounds what starts containers.
	startLimit = 30 * time.Second
	// oldContainer is the age at which a container is told: what was installed
	// or left behind in it by hand is in no image.
	oldContainer = 30 * 24 * time.Hour
	// mostFaults is how many faults of one part are told.
	mostFaults = 3
)

// notKnown is what depends on another part that is not well: that one's line
// says what to do.
func notKnown(other string) Finding {
	return Finding{Mark: Unsure, Fact: "not known", Todo: "see " + other}
}

// hostPart is another machine's line.
func hostPart(host string) string { return "host " + host }

// enginePart is the line that tells of this run's engine.
func (r *run) enginePart() string {
	if r.host != "" {
		return hostPart(r.host)
	}
	return dockerPart
}

// proveImages looks at the image on every machine where sandboxes live.
func (r *run) proveImages() (checks []Check) {
	for _, host := range r.living() {
		there := r.at(host)
		checks = append(checks, Check{Part: imagePart + there.onHost(), Look: there.proveImage, Limit: startLimit, Needs: there.enginePart()})
	}
	return checks
}

// imageThere looks whether the live image is there.
func (r *run) imageThere(ctx context.Context) Finding {
	image, err := r.Builder.ImageInfo(ctx, r.Settings.Image)
	if err != nil {
		return notKnown(r.enginePart())
	}
	config, _ := r.Agents.Load() // one that cannot be read is another line's business
	return ImageFinding(r.Settings.Image, r.host, image, config, r.say("rebuild-sandbox"+r.onFlag()))
}

// ImageFinding words how the live image stands on a host, "" for this machine,
// as status and doctor say it. The configuration, which may be nil, tells whose
// sandboxes are made of it; rebuild is the line that builds it.
func ImageFinding(name, host string, image sandbox.Image, config *openclaw.Config, rebuild string) Finding {
	if image.Exists {
		return Finding{Mark: Well, Fact: fmt.Sprintf("%s, %s, %s old", name, units.HumanSize(float64(image.Size)), strings.ToLower(units.HumanDuration(time.Since(image.Created))))}
	}
	if needed := agentsOn(config, name); host == "" && len(needed) > 0 {
		return Finding{NotWell, fmt.Sprintf("%s is not built, and %s cannot work without it", name, strings.Join(needed, ", ")), rebuild + " builds it"}
	}
	return Finding{Unsure, name + " is not built yet", rebuild + " builds it"}
}

// agentsOn are those whose sandbox is made of an image, as their entries say.
func agentsOn(config *openclaw.Config, image string) (list []string) {
	if config == nil {
		return nil
	}
	agents, _ := config.Agents()
	for _, agent := range agents {
		if agent.Text("sandbox", "docker", "image") == image {
			list = append(list, agent.ID)
		}
	}
	return list
}

// proveImage starts the live image as OpenClaw would, asks it what OpenClaw
// needs, and looks whether it is what was chosen.
func (r *run) proveImage(ctx context.Context) Finding {
	found := r.imageThere(ctx)
	if found.Mark != Well {
		return found
	}
	user, err := r.Recipe.User(ctx)
	if err != nil {
		return Finding{NotWell, found.Fact + "; whose the agents' files are is not known", "set sandbox.user in fraktalia.yaml"}
	}
	answers, err := r.Builder.Smoke(ctx, r.Settings.Image, slices.Concat(sandbox.OpenClawProbes(), userProbes(user), sandbox.NetworkProbes()))
	var failed *sandbox.SmokeError
	switch {
	case errors.As(err, &failed):
		return Finding{NotWell, fmt.Sprintf("%s; started as OpenClaw does, it failed: %s", found.Fact, faults(failed)), r.say("rebuild-sandbox"+r.onFlag()) + " builds and tests it anew; " + r.say("rollback-sandbox"+r.onFlag()) + " goes back to the one before"}
	case err != nil:
		return Finding{NotWell, found.Fact + "; it does not start", "see " + r.enginePart() + "; " + r.say("rebuild-sandbox"+r.onFlag()) + " builds it anew"}
	}
	found.Fact += fmt.Sprintf("; started, %d tests passed", len(answers))
	if left := slices.IndexFunc(answers, func(a sandbox.Answer) bool { return a.ExitCode != 0 }); left >= 0 {
		return Finding{Unsure, found.Fact + ", but for " + answers[left].Name, "see whether " + placeName(r.host) + " itself reaches the internet"}
	}
	return r.imageCurrent(ctx, found)
}

func faults(failed *sandbox.SmokeError) string {
	var list []string
	for _, a := range failed.Failed[:min(len(failed.Failed), mostFaults)] {
		list = append(list, a.Name)
	}
	return strings.Join(list, ", ")
}

// imageCurrent says whether the image is what was chosen, on the base of now.
func (r *run) imageCurrent(ctx context.Context, found Finding) Finding {
	live, err := r.liveBuild(ctx)
	if err != nil || live.ID == 0 {
		found.Fact += "; I have not built it"
		return found
	}
	base, err := r.Builder.ImageInfo(ctx, r.Settings.Base)
	if err == nil && base.Exists && live.BaseID != "" && base.ID != live.BaseID {
		return Finding{Unsure, found.Fact + "; its base is newer by now", r.say("rebuild-sandbox"+r.onFlag()) + " takes it over"}
	}
	if r.chosenOtherwise(live) {
		return Finding{Unsure, found.Fact + "; packages were chosen otherwise since", r.say("rebuild-sandbox"+r.onFlag()) + " puts them in"}
	}
	found.Fact += "; as it was chosen"
	return found
}

// chosenOtherwise says whether the packages that were chosen are others than
// those in the image. What an owner's own Dockerfile makes, nobody can tell.
func (r *run) chosenOtherwise(live store.Build) bool {
	if _, own, _ := r.Recipe.Own(); own || live.Profile == "" {
		return false
	}
	catalog, err := docker.Shipped()
	if err != nil {
		return false
	}
	selection, err := r.Recipe.Selection()
	return err != nil || slices.ContainsFunc(packageRows(catalog, selection, live), func(p packageRow) bool { return p.Chosen && !p.Built || p.Leaves })
}

// proveContainers looks at every agent's container, on every machine.
func (r *run) proveContainers(ctx context.Context) Finding {
	containers, err := r.Containers.Containers(ctx)
	if err != nil {
		return notKnown(dockerPart)
	}
	live, err := r.liveImages(ctx, containers)
	if err != nil {
		return notKnown(dockerPart)
	}
	var oldest time.Duration
	var behind, old, gone []string
	for _, c := range containers {
		image, age := live[whichImage(c)], time.Since(c.Created)
		oldest = max(oldest, age)
		switch {
		case !image.Exists:
			gone = append(gone, owner(c))
		case stale(c, image):
			behind = append(behind, owner(c))
		case age > oldContainer:
			old = append(old, owner(c))
		}
	}
	fact := fmt.Sprintf("%d, the oldest %s old", len(containers), strings.ToLower(units.HumanDuration(oldest)))
	away := r.away(ctx)
	switch {
	case len(containers) == 0 && len(away) == 0:
		return Finding{Mark: Well, Fact: "none; OpenClaw makes one when an agent needs it"}
	case len(gone) > 0:
		return Finding{NotWell, fact + "; the image of " + listed(gone) + " is gone, so it cannot be made anew", r.say("rebuild-sandbox") + " builds the image"}
	case len(behind) > 0:
		return Finding{Unsure, fact + "; older than their image: " + listed(behind), r.say("recreate-sandbox") + " has them made anew"}
	case len(old) > 0:
		return Finding{Unsure, fact + "; what was installed in it by hand is in no image", r.say("recreate-sandbox "+old[0]) + " has it made anew"}
	case len(away) > 0:
		return Finding{Unsure, fmt.Sprintf("%d; those on %s are not known", len(containers), listed(away)), "see " + hostPart(away[0])}
	}
	return Finding{Mark: Well, Fact: fact + ", of the image of now"}
}

// away are the other machines where sandboxes live that cannot be looked at.
func (r *run) away(ctx context.Context) (hosts []string) {
	for _, host := range r.living() {
		if host != "" && r.healthOf(ctx, hostPart(host)).Mark != Well {
			hosts = append(hosts, host)
		}
	}
	return hosts
}
