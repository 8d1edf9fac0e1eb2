package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/docker/go-units"

	"github.com/githabideri/fraktalia/docker"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/sandbox"
)

const (
	// leastMemory is what apt-get and dpkg want at their side.
	leastMemory = 512 << 20
	// spareDisk is left free beside what is built.
	spareDisk = 512 << 20
	// guessedSize is what a layer is taken to add of which nothing is known.
	guessedSize = 300 << 20
	// leastLimit is the lowest limit of memory that the engine takes.
	leastLimit = 6 << 20
)

// readHeavy refuses what is known to break machines, unless the owner insists.
func (b *building) readHeavy() error {
	text := b.selection.Fragment
	where := "your own instructions (sandbox.fragment)"
	if b.isOwn {
		text, where = b.own.Text, b.own.Path
	}
	found, names := b.catalog.HeavyOnes(words(text)...), b.catalog.Unlimited(b.selection)
	if len(names) > 0 {
		found, where = b.catalog.HeavyOnes(names...), "the packages"
	}
	if !b.flags.anyway {
		for name, heavy := range found {
			return Sorry("In %s is %s: %s. Instead: %s. If you insist, %srebuild-sandbox --anyway builds it under a limit of memory.",
				where, name, heavy.Reason, orElse(heavy.Instead, "leave it out"), prompt(b.request))
		}
	}
	b.selection = b.catalog.Limited(b.selection)
	if b.flags.memory == "" {
		return nil
	}
	limit, err := units.RAMInBytes(b.flags.memory)
	if err != nil || limit < leastLimit {
		return Sorry("%.40q is no amount of memory: say at least 6m, for example 2g.", b.flags.memory)
	}
	b.limit = limit
	return nil
}

// words are what may be names of packages in a Dockerfile.
func words(text string) []string {
	return strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune(" \t\n\\;&|\"'", c) })
}

// preflight looks at the machine, and tells what will be done.
func (b *building) preflight(ctx context.Context) (err error) {
	if b.machine, err = b.Builder.Machine(ctx, b.base.Ref); err != nil {
		return err
	}
	if b.limit == 0 && b.needsLimit() {
		b.limit = max(b.machine.Memory/2, leastLimit)
		if err := b.write(b.options.Builder); err != nil {
			return err
		}
	}
	b.talk.Update(reply.Doc{reply.P("Building ", reply.Mono("%s", b.Settings.Image), b.onHost()+": ", b.plan.sentence())})
	if b.flags.anyway || b.plan.allCached() {
		return nil
	}
	if needed := b.plan.memory; needed > leastMemory && b.machine.Memory < needed {
		return Sorry("Only %s of memory are free on the engine's machine, and a build of the like has taken %s. Stop something that you can spare, or say %srebuild-sandbox --anyway. The image in use is as it was.",
			size(b.machine.Memory), size(needed), prompt(b.request))
	}
	if b.machine.Memory < leastMemory {
		return Sorry("Only %s of memory are free on the engine's machine, and a build should have %s. Stop something that you can spare, or say %srebuild-sandbox --anyway. The image in use is as it was.",
			size(b.machine.Memory), size(leastMemory), prompt(b.request))
	}
	if needed := b.plan.disk(b.machine.Containerd) + spareDisk; b.machine.Disk < needed {
		return Sorry("Only %s are free where the engine keeps its images, and this build should have %s. Make room, or say %srebuild-sandbox --anyway. The image in use is as it was.",
			size(b.machine.Disk), size(needed), prompt(b.request))
	}
	return nil
}

func (b *building) needsLimit() bool {
	return len(b.selection.Heavy) > 0 || len(b.catalog.HeavyOnes(words(b.selection.Fragment+" "+b.own.Text)...)) > 0
}

// sentence tells what will be built and what should be there.
func (p *plan) sentence() string {
	var anew, cached []string
	for _, layer := range p.layers {
		if layer.cached {
			cached = append(cached, layer.Name)
		} else {
			anew = append(anew, layer.Name)
		}
	}
	switch {
	case len(p.layers) == 0:
		return "by your own Dockerfile."
	case len(anew) == 0:
		return "everything should be there already."
	case len(cached) == 0:
		return listed(anew) + " anew" + p.about() + "."
	}
	return fmt.Sprintf("%s anew%s; %s should be there.", listed(anew), p.about(), listed(cached))
}

func (p *plan) about() string {
	if p.expected == 0 {
		return ""
	}
	return ", about " + roundly(p.expected)
}

func (p *plan) allCached() bool {
	for _, layer := range p.layers {
		if !layer.cached {
			return false
		}
	}
	return len(p.layers) > 0
}

// disk is what the build needs. containerd's store keeps all of an image three
// times while it is made, the others only what is new.
func (p *plan) disk(containerd bool) int64 {
	var anew, whole int64
	for _, layer := range p.layers {
		bytes := layer.size
		if bytes == 0 && layer.Name != userLayer {
			bytes = guessedSize
		}
		whole += bytes
		if !layer.cached {
			anew += bytes
		}
	}
	if containerd {
		return 3 * whole
	}
	return anew
}

// userProbe asks whether the image's user is the owner of the agents' files.
func userProbe(u User) sandbox.Probe {
	return sandbox.Probe{Name: fmt.Sprintf("user %d:%d", u.UID, u.GID), Command: fmt.Sprintf(`test "$(id -u):$(id -g)" = %d:%d && id -un`, u.UID, u.GID)}
}

// userProbes ask for the image's user, and whether each of the others has an
// entry, without which ssh refuses to work.
func userProbes(u User) []sandbox.Probe {
	probes := []sandbox.Probe{userProbe(u)}
	for _, ids := range u.Others {
		uid, _, _ := strings.Cut(ids, ":")
		probes = append(probes, sandbox.Probe{Name: "user " + ids, Command: "getent passwd " + uid})
	}
	return probes
}

// probes are the questions that the image has to answer.
func (b *building) probes() []sandbox.Probe {
	probes := append(sandbox.OpenClawProbes(), userProbes(b.user)...)
	if b.isOwn {
		return append(probes, sandbox.NetworkProbes()...)
	}
	layers, _ := b.catalog.Layers(b.selection)
	heavy, _ := docker.HeavyLayers(b.selection)
	for _, layer := range append(layers, heavy...) {
		for _, program := range layer.Programs {
			probes = append(probes, sandbox.Probe{Name: layer.Name + ": " + program, Command: program})
		}
		if len(layer.Programs) > 0 {
			continue
		}
		for _, name := range layer.Packages {
			probes = append(probes, sandbox.Probe{Name: name, Command: "dpkg-query -W -f '${Version}' " + name})
		}
	}
	return append(probes, sandbox.NetworkProbes()...)
}
