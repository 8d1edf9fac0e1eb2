package command

import (
	"slices"
	"strings"
	"time"

	"github.com/githabideri/fraktalia/docker"
	"github.com/githabideri/fraktalia/sandbox"
	"github.com/githabideri/fraktalia/store"
)

// Names of the parts of an image that install nothing.
const (
	fragmentLayer = "your own"
	userLayer     = "user"
)

// guessedLayer is what a layer is taken to last of which nothing is known.
const guessedLayer = 20 * time.Second

// plan is what a build will do, as far as that is known before.
type plan struct {
	layers   []plannedLayer
	expected time.Duration // of all that is not cached; 0 where nothing is known
	memory   int64         // that the last of the like took at most; 0 where nothing is known
}

// plannedLayer is a part of the image.
type plannedLayer struct {
	docker.Layer
	step     string // what it is known again by
	cached   bool   // its result should be there
	expected time.Duration
	size     int64 // of an earlier build; 0 is not known
}

func newPlan(layers, heavy []docker.Layer, fragment string, user User) plan {
	var p plan
	add := func(layer docker.Layer, step string) {
		p.layers = append(p.layers, plannedLayer{Layer: layer, step: step})
	}
	for _, layer := range layers {
		add(layer, layer.Step())
	}
	if fragment != "" {
		add(docker.Layer{Name: fragmentLayer, About: "your own instructions"}, fragment)
	}
	add(docker.Layer{Name: userLayer, About: "the agent's user, and the forwarder's relay"}, "user "+user.ids())
	for _, layer := range heavy {
		add(layer, layer.Step())
	}
	return p
}

// foresee compares with earlier builds: the same steps on the same base, by the
// same builder, are cached, and what is not lasts as long as it did.
func (p *plan) foresee(builds []store.Build, baseID, builder string, noCache bool) {
	cached := 0
	for _, b := range builds {
		if b.Outcome == store.BuildDone && b.BaseID == baseID && b.Builder == builder && !noCache {
			cached = max(cached, p.commonWith(b))
		}
	}
	for i := range p.layers {
		layer := &p.layers[i]
		layer.cached = i < cached
		layer.recall(builds)
		if !layer.cached {
			p.expected += layer.expected
		}
	}
	p.memory = p.peak(builds)
	if len(p.layers) == 0 && len(builds) > 0 { // an owner's own Dockerfile
		p.expected = lastWhole(builds)
	}
}

// peak is the most memory that the newest build took which made one of the
// layers that are to be made; of an owner's own Dockerfile, any build.
func (p *plan) peak(builds []store.Build) int64 {
	for _, b := range builds {
		like := slices.ContainsFunc(b.Layers, func(made store.BuildLayer) bool {
			return !made.Cached && slices.ContainsFunc(p.layers, func(l plannedLayer) bool { return !l.cached && l.Name == made.Name })
		})
		if b.Memory > 0 && (like || len(p.layers) == 0) {
			return b.Memory
		}
	}
	return 0
}

// commonWith counts the layers that begin this plan and began that build.
func (p *plan) commonWith(b store.Build) int {
	n := 0
	for n < len(p.layers) && n < len(b.Layers) && p.layers[n].step == b.Layers[n].Step {
		n++
	}
	return n
}

// recall finds how long the layer took and how large it was: itself before
// another one of its name.
func (l *plannedLayer) recall(builds []store.Build) {
	l.expected = guessedLayer
	if l.Name == userLayer {
		l.expected = time.Second
	}
	for _, same := range []func(store.BuildLayer) bool{
		func(b store.BuildLayer) bool { return b.Name == l.Name },
		func(b store.BuildLayer) bool { return b.Step == l.step },
	} {
		for _, b := range slices.Backward(builds) { // the newest has the last word
			for _, layer := range b.Layers {
				if !same(layer) {
					continue
				}
				l.size = layer.Size
				if !layer.Cached {
					l.expected = layer.Duration
				}
			}
		}
	}
}

// lastWhole is the time of the newest build that was not all cached.
func lastWhole(builds []store.Build) time.Duration {
	for _, b := range builds {
		if b.Outcome == store.BuildDone && slices.ContainsFunc(b.Layers, func(l store.BuildLayer) bool { return !l.Cached }) {
			return b.Duration
		}
	}
	return 0
}

// unproven are the packages beside the catalogue's that no build has installed
// yet: their names may be wrong.
func (p *plan) unproven(builds []store.Build) []string {
	var names []string
	for _, layer := range p.layers {
		known := layer.cached || layer.Programs != nil || len(layer.Packages) == 0
		for _, b := range builds {
			known = known || slices.ContainsFunc(b.Layers, func(l store.BuildLayer) bool { return l.Step == layer.step })
		}
		if !known {
			names = append(names, layer.Packages...)
		}
	}
	return names
}

// of finds the layer that an instruction belongs to, beginning at the last one
// found; -1 for one of no layer.
func (p *plan) of(instruction string, from int) int {
	for i := range p.layers {
		if len(p.layers[i].Packages) > 0 && p.layers[i].Installs(instruction) {
			return i
		}
	}
	at := func(name string) int {
		return slices.IndexFunc(p.layers, func(l plannedLayer) bool { return l.Name == name && len(l.Packages) == 0 })
	}
	for _, sign := range []string{"useradd --uid", "/usr/local/lib/fraktalia/", "fraktalia-relay"} {
		if strings.Contains(instruction, sign) {
			return at(userLayer)
		}
	}
	own := at(fragmentLayer)
	if own >= 0 && (from == own || from == own-1) {
		return own
	}
	return -1
}

// measured puts what was built in the order of the plan.
func (p *plan) measured(steps []sandbox.BuildStep, history []sandbox.HistoryStep) []store.BuildLayer {
	layers := make([]store.BuildLayer, len(p.layers))
	for i, layer := range p.layers {
		layers[i] = store.BuildLayer{Name: layer.Name, Step: layer.step, Cached: true}
	}
	last := -1
	for _, step := range steps {
		if i := p.of(step.Command, last); i >= 0 {
			layers[i].Duration += step.Elapsed
			layers[i].Cached = layers[i].Cached && step.Cached
			last = i
		}
	}
	last = -1
	for _, step := range history {
		if i := p.of(step.Command, last); i >= 0 {
			layers[i].Size += step.Size
			last = i
		}
	}
	return layers
}

// ownLayers are the steps of a Dockerfile that was not made here.
func ownLayers(steps []sandbox.BuildStep) []store.BuildLayer {
	var layers []store.BuildLayer
	for _, step := range steps {
		layers = append(layers, store.BuildLayer{Name: shorten(step.Command, 60), Step: step.Command, Cached: step.Cached, Duration: step.Elapsed})
	}
	return layers
}
