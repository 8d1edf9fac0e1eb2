package command

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/docker"
	"github.com/githabideri/fraktalia/sandbox"
	"github.com/githabideri/fraktalia/store"
)

func somePlan(t *testing.T, s docker.Selection) plan {
	t.Helper()
	catalog, err := docker.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	layers, err := catalog.Layers(s)
	if err != nil {
		t.Fatal(err)
	}
	heavy, _ := docker.HeavyLayers(s)
	return newPlan(layers, heavy, s.Fragment, User{UID: 1000, GID: 1000})
}

// doneBuild is an earlier build that did all of a plan.
func doneBuild(p plan, each time.Duration) store.Build {
	b := store.Build{Outcome: store.BuildDone, BaseID: "base", Builder: "buildkit"}
	for _, layer := range p.layers {
		b.Layers = append(b.Layers, store.BuildLayer{Name: layer.Name, Step: layer.step, Duration: each, Size: 100 << 20})
	}
	return b
}

func TestPlanForeseesWhatIsCachedAndHowLongItTakes(t *testing.T) {
	chat := docker.Selection{Profile: "chat"}
	earlier := doneBuild(somePlan(t, chat), 40*time.Second)
	for name, test := range map[string]struct {
		selection docker.Selection
		base      string
		builder   string
		noCache   bool
		anew      string
		expected  time.Duration
	}{
		"nothing new":       {chat, "base", "buildkit", false, "", 0},
		"one late package":  {docker.Selection{Profile: "chat", Late: []string{"htop"}}, "base", "buildkit", false, "htop user", guessedLayer + 40*time.Second},
		"a group more":      {docker.Selection{Profile: "web"}, "base", "buildkit", false, "build node user", 2*guessedLayer + 40*time.Second},
		"first layer other": {docker.Selection{Profile: "chat", Without: []string{"jq"}}, "base", "buildkit", false, "core python user", 120 * time.Second},
		"another base":      {chat, "base2", "buildkit", false, "core python user", 120 * time.Second},
		"another builder":   {chat, "base", "classic", false, "core python user", 120 * time.Second},
		"no cache":          {chat, "base", "buildkit", true, "core python user", 120 * time.Second},
	} {
		p := somePlan(t, test.selection)
		p.foresee([]store.Build{earlier}, test.base, test.builder, test.noCache)
		var anew []string
		for _, layer := range p.layers {
			if !layer.cached {
				anew = append(anew, layer.Name)
			}
		}
		if strings.Join(anew, " ") != test.anew || p.expected != test.expected {
			t.Errorf("%s: anew %q, %s; want %q, %s", name, anew, p.expected, test.anew, test.expected)
		}
	}
}

// The newest build has the last word on how long a layer takes, and a cached
// one none.
func TestExpectedTimeIsTheNewest(t *testing.T) {
	p := somePlan(t, docker.Selection{Profile: "chat"})
	cached := doneBuild(p, 0)
	for i := range cached.Layers {
		cached.Layers[i].Cached = true
	}
	p.foresee([]store.Build{cached, doneBuild(p, 10*time.Second), doneBuild(p, 99*time.Second)}, "base", "buildkit", true)
	if p.expected != 30*time.Second {
		t.Errorf("expected %s", p.expected)
	}
}

func TestUnprovenNames(t *testing.T) {
	s := docker.Selection{Profile: "chat", Own: []string{"tmux"}, Late: []string{"htop", "jqq"}}
	p := somePlan(t, s)
	earlier := doneBuild(somePlan(t, docker.Selection{Profile: "chat", Late: []string{"htop"}}), 0)
	p.foresee([]store.Build{earlier}, "other", "buildkit", false)
	if got := p.unproven([]store.Build{earlier}); !slices.Equal(got, []string{"tmux", "jqq"}) {
		t.Errorf("unproven %q", got)
	}
}

func TestStepsAreMeasuredByLayer(t *testing.T) {
	s := docker.Selection{Profile: "chat", Fragment: "ENV A=b\nRUN make-mine", Heavy: []string{"texlive-base"}}
	p := somePlan(t, s)
	install := func(i int) string {
		return "apt-get update && apt-get install -y --no-install-recommends " + strings.Join(p.layers[i].Packages, " ")
	}
	var steps []sandbox.BuildStep
	for i, command := range []string{"FROM x", "RUN " + install(0) + " && rm -rf", "RUN " + install(1), "RUN make-mine", "RUN make-more",
		"RUN { getent; } && useradd --uid x", "FROM y", "RUN " + install(4)} {
		steps = append(steps, sandbox.BuildStep{Command: command, Cached: i < 2, Elapsed: time.Duration(i) * time.Second})
	}
	var history []sandbox.HistoryStep
	for i, step := range steps {
		history = append(history, sandbox.HistoryStep{Command: strings.Replace(step.Command, "RUN ", "RUN /bin/sh -c ", 1) + " # buildkit", Size: int64(i)})
	}
	for i, want := range []store.BuildLayer{
		{Name: "core", Cached: true, Duration: time.Second, Size: 1}, {Name: "python", Duration: 2 * time.Second, Size: 2},
		{Name: fragmentLayer, Duration: 7 * time.Second, Size: 7}, {Name: userLayer, Duration: 5 * time.Second, Size: 5},
		{Name: "texlive-base", Duration: 7 * time.Second, Size: 7},
	} {
		want.Step = p.layers[i].step
		if got := p.measured(steps, history)[i]; got != want {
			t.Errorf("layer %d: %+v, want %+v", i, got, want)
		}
	}
}

func TestProgressTellsElapsedAndExpected(t *testing.T) {
	p := somePlan(t, docker.Selection{Profile: "chat"})
	p.expected = 3 * time.Minute
	now := sandbox.Progress{Step: 2, Steps: 4, Percent: 40, Elapsed: 72 * time.Second, Line: "Unpacking",
		Name: "RUN --mount=x apt-get install -y --no-install-recommends python3 python3-pip python3-venv"}
	text := p.progress("Building x:y", now).Text()
	for _, want := range []string{"40 %", "step 2 of 4", "1m12s of about 3m0s", "python: OpenClaw's own file tools need python3", "Unpacking",
		"Core, python and user anew, about 3m0s."} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	now.Elapsed = 5 * time.Minute
	if text := p.progress("x", now).Text(); !strings.Contains(text, "5m0s (about 3m0s were expected)") {
		t.Error(text)
	}
	p.expected = 0
	if text := p.progress("x", now).Text(); strings.Contains(text, "about") {
		t.Error(text)
	}
}

func TestFailuresGetTheirCure(t *testing.T) {
	b := &building{run: &run{}}
	b.selection.Fragment = "ENV A=b\nRUNN x\n"
	b.options.Dockerfile = "FROM x\n\n# The owner's own instructions.\nENV A=b\nRUNN x\nUSER root\n"
	for want, failed := range map[string]*sandbox.BuildError{
		"is full; make room": {Command: "RUN x", ExitCode: 100, Tail: []string{"E: Write error - write (28: No space left on device)"}},
		"no memory left":     {Command: "RUN x", ExitCode: 137},
		"no package jqq; !packages remove jqq takes it out":                             {Command: "RUN x", ExitCode: 100, Tail: []string{"E: Unable to locate package jqq"}},
		"mirror cannot be reached":                                                      {Command: "RUN x", ExitCode: 100, Tail: []string{"Err:1 Temporary failure resolving 'mirror.example'"}},
		"Step 2 of 5 failed (RUN x): exit code 7":                                       {Command: "RUN x", ExitCode: 7, Step: 2, Steps: 5},
		"line 2 of your own instructions (sandbox.fragment): unknown instruction: RUNN": {Line: 5, Message: "dockerfile parse error line 5: unknown instruction: RUNN"},
		"line 1 of the Dockerfile":                                                      {Line: 1, Message: "dockerfile parse error on line 1: boo"},
	} {
		err := b.failure(t.Context(), failed)
		if !strings.Contains(err.Error(), want) || !strings.HasSuffix(err.Error(), ImageUntouched) {
			t.Errorf("%+v\n gave %v\nwant %s", failed, err, want)
		}
	}
	b.limit = 64 << 20
	if err := b.failure(t.Context(), &sandbox.BuildError{ExitCode: 137}); !strings.Contains(err.Error(), "limit of memory, 67.11MB; --memory sets another") {
		t.Error(err)
	}
}

func TestVersions(t *testing.T) {
	for text, want := range map[string]string{
		"git version 2.39.5": "2.39.5", "v18.19.0": "v18.19.0", "OpenSSH_9.2p1 Debian-2+deb12u3, OpenSSL 3.0.15": "OpenSSH_9.2p1",
		"pip 23.0.1 from /usr/lib/python3/dist-packages/pip (python 3.11)": "23.0.1", "cc (Debian 12.2.0-14) 12.2.0": "12.2.0-14", "agent": "",
	} {
		if got := versionIn(text); got != want {
			t.Errorf("%q has %q, want %q", text, got, want)
		}
	}
}

// cramped is an engine on a machine with so much left.
type cramped struct {
	Builder
	left sandbox.Machine
}

func (c cramped) Machine(context.Context, string) (sandbox.Machine, error) { return c.left, nil }

func TestPreflightRefusesWhatWouldEndBadly(t *testing.T) {
	const gigabyte = 1 << 30
	p := somePlan(t, docker.Selection{Profile: "chat"})
	earlier := doneBuild(p, time.Second) // of 300 MiB
	earlier.Memory = 700 << 20
	for name, test := range map[string]struct {
		left    sandbox.Machine
		anyway  bool
		anew    bool
		refusal string
	}{
		"enough":             {sandbox.Machine{Memory: gigabyte, Disk: gigabyte}, false, true, ""},
		"little memory":      {sandbox.Machine{Memory: 300 << 20, Disk: gigabyte}, false, true, "Only 314.6MB of memory are free on the engine's machine, and a build of the like"},
		"less than before":   {sandbox.Machine{Memory: 600 << 20, Disk: gigabyte}, false, true, "Only 629.1MB of memory are free on the engine's machine, and a build of the like has taken 734MB."},
		"little disk":        {sandbox.Machine{Memory: gigabyte, Disk: 600 << 20}, false, true, "Only 629.1MB are free where the engine keeps its images, and this build should have 851.4MB."},
		"containerd's store": {sandbox.Machine{Memory: gigabyte, Disk: gigabyte, Containerd: true}, false, true, "should have 1.481GB"},
		"anyway":             {sandbox.Machine{}, true, true, ""},
		"all cached":         {sandbox.Machine{}, false, false, ""},
	} {
		b := &building{run: &run{Services: Services{Builder: cramped{left: test.left}}, talk: &desk{}}, plan: somePlan(t, docker.Selection{Profile: "chat"})}
		b.flags.anyway = test.anyway
		b.plan.foresee([]store.Build{earlier}, "base", "buildkit", test.anew)
		err := b.preflight(t.Context())
		if test.refusal == "" && err != nil || test.refusal != "" && (err == nil || !strings.Contains(err.Error(), test.refusal) || !strings.HasSuffix(err.Error(), ImageUntouched)) {
			t.Errorf("%s: %v, want %q", name, err, test.refusal)
		}
	}
}

// slow is an engine on which something else happens while it builds.
type slow struct {
	Builder
	meanwhile func()
}

func (s slow) WatchMemory(context.Context) func() int64 { return func() int64 { return 7 } }

func (s slow) Build(context.Context, sandbox.BuildOptions, func(sandbox.Progress)) (sandbox.BuildResult, error) {
	s.meanwhile()
	return sandbox.BuildResult{}, nil
}

// What is chosen while an image is built with another profile is not lost.
func TestProfileOfABuildIsKeptBesideNewerChoices(t *testing.T) {
	k := &kitchen{selection: docker.Selection{Profile: "chat"}}
	meanwhile := func() { k.selection.Late = []string{"htop"} }
	b := &building{run: &run{talk: &desk{}, Services: Services{Recipe: k, Records: newBench(t).records, Builder: slow{meanwhile: meanwhile}}}}
	b.flags.profile = "web"
	err := b.build(t.Context())
	if b.record.Memory != 7 {
		t.Errorf("the build's memory is %d", b.record.Memory)
	}
	if got := usedLine(k.selection); err != nil || got != "packages use web late=htop" {
		t.Errorf("%s, %v", got, err)
	}
}

func TestNoBaseSaysWhatToDo(t *testing.T) {
	b := &building{run: &run{}}
	for want, reason := range map[string]error{
		"install mmdebstrap":          sandbox.ErrNoMmdebstrap,
		"set sandbox.base":            sandbox.ErrNotDebian,
		"see that the machine is onl": errors.New("no mirror"),
	} {
		err := b.failure(t.Context(), &sandbox.BaseError{Ref: "x:y", Pull: errors.New("no route"), Make: reason})
		if !strings.Contains(err.Error(), want) || !strings.HasSuffix(err.Error(), ImageUntouched) {
			t.Errorf("%v: %v", reason, err)
		}
	}
	down := b.failure(t.Context(), &sandbox.EngineDownError{Host: "unix:///x", Err: errors.New("EOF")})
	if !strings.Contains(down.Error(), "engine at unix:///x does not answer") || !strings.HasSuffix(down.Error(), ImageUntouched) {
		t.Error(down)
	}
}

// Only what is heavy is limited, and the whole build where nobody can tell what
// in it is.
func TestLimitIsForWhatIsHeavy(t *testing.T) {
	for name, test := range map[string]struct {
		fragment, own string
		heavy         []string
		whole, part   int64
		builder       sandbox.Builder
	}{
		"nothing heavy":        {builder: sandbox.BuilderBuildKit},
		"a package":            {heavy: []string{"texlive-base"}, part: 512 << 20, builder: sandbox.BuilderBuildKit},
		"in a fragment":        {fragment: "RUN apt-get install texlive-base", whole: 512 << 20, part: 512 << 20, builder: sandbox.BuilderClassic},
		"in an own Dockerfile": {own: "FROM x\nRUN apt-get install texlive-base", whole: 512 << 20, builder: sandbox.BuilderClassic},
		"an own light one":     {own: "FROM x", builder: sandbox.BuilderBuildKit},
	} {
		k := &kitchen{selection: docker.Selection{Profile: "chat", Heavy: test.heavy, Fragment: test.fragment}, own: test.own}
		b := &building{run: &run{talk: &desk{}, Services: Services{Recipe: k, Builder: cramped{left: sandbox.Machine{Memory: 1 << 30, Disk: 9 << 30}}}}}
		b.flags.anyway = true
		err := b.read(t.Context())
		if err == nil {
			err = b.write(sandbox.BuilderBuildKit)
		}
		if err == nil {
			err = b.preflight(t.Context())
		}
		got := b.options
		if err != nil || got.Memory != test.whole || got.HeavyMemory != test.part || got.Builder != test.builder || (got.Heavy != "") != (test.heavy != nil) {
			t.Errorf("%s: %v, memory %d, heavy %q with %d, %s", name, err, got.Memory, got.Heavy, got.HeavyMemory, got.Builder)
		}
		if classic := got.Builder == sandbox.BuilderClassic; classic && strings.Contains(got.Dockerfile, "--mount") {
			t.Errorf("%s: the classic builder gets mounts", name)
		}
	}
}
