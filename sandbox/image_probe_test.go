package sandbox_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/docker"
	"github.com/githabideri/fraktalia/sandbox"
	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
)

// probes are the questions to an image of a selection.
func probes(t *testing.T, s docker.Selection) (dockerfile string, all []sandbox.Probe) {
	t.Helper()
	catalog, err := docker.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	layers, err := catalog.Layers(s)
	if err != nil {
		t.Fatal(err)
	}
	all = sandbox.OpenClawProbes()
	for _, layer := range layers {
		for _, program := range layer.Programs {
			all = append(all, sandbox.Probe{Name: layer.Name + ": " + program, Command: program})
		}
	}
	dockerfile, err = catalog.Dockerfile(s, docker.Style{})
	if err != nil {
		t.Fatal(err)
	}
	return dockerfile, all
}

func TestSmokeOfTheChatProfile(t *testing.T) {
	e := engine(t)
	dockerfile, questions := probes(t, docker.Selection{Profile: "chat", Late: []string{"bc"}})
	var answers []sandbox.Answer
	files, err := docker.Sandbox()
	if err != nil {
		t.Fatal(err)
	}
	o := sandbox.BuildOptions{Context: files, Dockerfile: dockerfile, Tag: uniqueTag(t), Base: base(t, e)}
	o.Check = func(ctx context.Context, candidate sandbox.Image) (err error) {
		answers, err = e.Smoke(ctx, candidate.ID, append(questions, sandbox.Probe{Name: "bc", Command: "echo 6*7 | bc"}))
		return err
	}
	if _, err := e.Build(t.Context(), o, nil); err != nil {
		t.Fatal(err)
	}
	if last := answers[len(answers)-1]; last.Output != "42" || len(answers) < 9 {
		t.Errorf("answers %+v", answers)
	}
}

func TestSmokeFindsWhatIsMissing(t *testing.T) {
	e := engine(t)
	tag := base(t, e)
	before := probeContainers(t, tag)
	answers, err := e.Smoke(t.Context(), tag, append(sandbox.OpenClawProbes(), sandbox.Probe{Name: "loud", Command: "echo a; echo b; exit 3"}))
	var failed *sandbox.SmokeError
	if !errors.As(err, &failed) || len(failed.Failed) != 2 || len(answers) != 4 {
		t.Fatalf("answers %+v, %v", answers, err)
	}
	if p := failed.Failed[0]; p.Name != "python3" || p.ExitCode != 127 || !strings.Contains(p.Output, "not found") {
		t.Errorf("%+v", p)
	}
	if l := failed.Failed[1]; l.ExitCode != 3 || l.Output != "b" {
		t.Errorf("%+v", l)
	}
	if _, err := e.Smoke(t.Context(), "fraktalia-test-none:such", sandbox.OpenClawProbes()); err == nil {
		t.Error("no error for an image that is not there")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := e.Smoke(ctx, tag, []sandbox.Probe{{Name: "slow", Command: "sleep 60"}}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	within(t, 15*time.Second, "a probe's container is left", func() bool { return len(probeContainers(t, tag)) <= len(before) })
}

// probeContainers are the containers that look into an image, of any test.
func probeContainers(t *testing.T, image string) []string {
	t.Helper()
	return strings.Fields(sandboxtest.Docker(t, "ps", "-aq", "--filter", "label="+sandbox.ImageLabel+"=probe", "--filter", "ancestor="+image))
}

func TestUnknownPackages(t *testing.T) {
	e := engine(t)
	unknown, err := e.UnknownPackages(t.Context(), base(t, e), []string{"ripgrep", "rigrep", "g++", "nosuchthingatall"})
	if err != nil {
		t.Fatal(err)
	}
	if len(unknown) != 2 || unknown[0].Name != "rigrep" || !slices.Contains(unknown[0].Near, "ripgrep") || unknown[1].Name != "nosuchthingatall" {
		t.Errorf("unknown %+v", unknown)
	}
}

// Every package of the catalogue must be in the release that it is built on.
func TestCatalogueExists(t *testing.T) {
	e := engine(t)
	catalog, err := docker.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, group := range catalog.Groups {
		names = append(names, group.Packages...)
	}
	if unknown, err := e.UnknownPackages(t.Context(), base(t, e), names); err != nil || len(unknown) > 0 {
		t.Errorf("not in the distribution: %+v, %v", unknown, err)
	}
}
