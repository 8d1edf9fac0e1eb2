package sandbox_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/sandbox"
	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
)

// Seen from here and from inside of a container, it is the same machine.
func TestMachine(t *testing.T) {
	e := engine(t)
	here, err := e.Machine(t.Context(), "no-such-image:x")
	if err != nil {
		t.Fatal(err)
	}
	inside, err := e.MachineFromInside(t.Context(), base(t, e))
	if err != nil {
		t.Fatal(err)
	}
	near := func(a, b int64) bool { return a > b/2 && b > a/2 && a > 1<<20 }
	if !near(here.Memory, inside.Memory) || !near(here.Disk, inside.Disk) {
		t.Errorf("from here %+v, from inside %+v", here, inside)
	}
}

func TestHistoryHasTheSizes(t *testing.T) {
	forBothBuilders(t, func(t *testing.T, e *sandbox.Engine, o sandbox.BuildOptions) {
		o.Context = dockerfile(o.Tag, "RUN head -c 3000000 /dev/zero >/three", "RUN true")
		result, err := e.Build(t.Context(), o, nil)
		if err != nil {
			t.Fatal(err)
		}
		steps, err := e.History(t.Context(), result.Image.ID)
		if err != nil || len(steps) < 3 {
			t.Fatalf("%+v %v", steps, err)
		}
		three := slices.IndexFunc(steps, func(s sandbox.HistoryStep) bool { return s.Size == 3000000 })
		if three < len(steps)-3 {
			t.Errorf("steps %+v", steps)
		}
	})
}

// A program that was killed leaves a candidate and what tested it.
func TestSweep(t *testing.T) {
	e, tag := engine(t), uniqueTag(t)
	o := sandbox.BuildOptions{Base: base(t, e), Tag: tag, Context: dockerfile(tag, "RUN echo good")}
	good, err := e.Build(t.Context(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	o.Tag = tag + "-candidate" // as the killed one left it
	o.Context = dockerfile(tag, "RUN echo other")
	if _, err := e.Build(t.Context(), o, nil); err != nil {
		t.Fatal(err)
	}
	probe := sandboxtest.Docker(t, "run", "-d", "--label", "io.fraktalia.image=probe", o.Tag, "sleep", "600")
	other := sandboxtest.Docker(t, "run", "-d", "--label", "io.fraktalia.image=probe", tag, "sleep", "600")
	t.Cleanup(func() { sandboxtest.Docker(t, "rm", "-f", other) })
	if err := e.Sweep(t.Context(), tag); err != nil {
		t.Fatal(err)
	}
	if imageID(t, e, tag+"-candidate") != "" || imageID(t, e, tag) != good.Image.ID {
		t.Errorf("candidate %q, live %q", imageID(t, e, tag+"-candidate"), imageID(t, e, tag))
	}
	gone := func() bool { return sandboxtest.Docker(t, "ps", "-aq", "--no-trunc", "--filter", "id="+probe) == "" }
	within(t, 10*time.Second, "what tested the candidate still runs", gone)
	if sandboxtest.Docker(t, "ps", "-q", "--no-trunc", "--filter", "id="+other) == "" {
		t.Error("another image's probe was removed")
	}
	if err := errors.Join(e.Sweep(t.Context(), tag), e.Sweep(t.Context(), "fraktalia-none:such")); err != nil {
		t.Error(err)
	}
}
