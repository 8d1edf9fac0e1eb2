package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/githabideri/fraktalia/docker"
	"github.com/githabideri/fraktalia/sandbox"
	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
)

// builders are the two ways to build; each test of a build takes both.
var builders = []sandbox.Builder{sandbox.BuilderBuildKit, sandbox.BuilderClassic}

// engine connects to the machine's engine.
func engine(t *testing.T) *sandbox.Engine {
	t.Helper()
	e, err := sandbox.Connect("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// base is a Debian image to build on; the first test on a machine makes it.
func base(t *testing.T, e *sandbox.Engine) string {
	t.Helper()
	found, err := e.EnsureBase(t.Context(), sandbox.BaseOptions{Ref: "debian:bookworm-slim"}, nil)
	if err != nil {
		t.Fatalf("these tests build real images and need a base for them: %v", err)
	}
	return found.Ref
}

// uniqueTag is a tag of this test alone; it and its siblings go with the test.
func uniqueTag(t *testing.T) string {
	t.Helper()
	tag := sandboxtest.UniqueName("fraktalia-test-build") + ":live"
	t.Cleanup(func() {
		defer sandboxtest.Docker(t, "image", "prune", "-f", "--filter", "label=io.fraktalia.test="+tag)
		for _, name := range []string{tag, tag + "-previous", tag + "-candidate"} {
			if strings.TrimSpace(sandboxtest.Docker(t, "image", "ls", "-q", name)) != "" {
				sandboxtest.Docker(t, "image", "rm", "-f", name)
			}
		}
	})
	return tag
}

// dockerfile is a build context of these instructions on the argument BASE.
// The label marks what the classic builder leaves of a failed build.
func dockerfile(tag string, instructions ...string) fstest.MapFS {
	text := "ARG BASE\nFROM ${BASE}\nLABEL io.fraktalia.test=" + tag + "\n" + strings.Join(instructions, "\n") + "\n"
	return fstest.MapFS{"Dockerfile": {Data: []byte(text)}}
}

func forBothBuilders(t *testing.T, test func(t *testing.T, e *sandbox.Engine, o sandbox.BuildOptions)) {
	for _, builder := range builders {
		t.Run(string(builder), func(t *testing.T) {
			e := engine(t)
			test(t, e, sandbox.BuildOptions{Builder: builder, Base: base(t, e), Tag: uniqueTag(t), NoCache: true})
		})
	}
}

func imageID(t *testing.T, e *sandbox.Engine, ref string) string {
	t.Helper()
	found, err := e.ImageInfo(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	return found.ID
}

func TestBuildMovesTheLiveTag(t *testing.T) {
	forBothBuilders(t, func(t *testing.T, e *sandbox.Engine, o sandbox.BuildOptions) {
		var log bytes.Buffer
		o.Context = dockerfile(o.Tag, "ARG WORD", "RUN echo said ${WORD}", "RUN sleep 1.5", "RUN echo last")
		o.Args = map[string]string{"WORD": "first"}
		o.Labels = map[string]string{"io.fraktalia.more": "yes"}
		o.Log = &log
		var seen []sandbox.Progress
		first, err := e.Build(t.Context(), o, func(p sandbox.Progress) { seen = append(seen, p) })
		if err != nil {
			t.Fatal(err)
		}
		checkResult(t, e, o, first)
		checkProgress(t, seen)
		if !strings.Contains(log.String(), "\nsaid first\n") {
			t.Errorf("the log lacks the step's output:\n%s", log.String())
		}

		o.Args["WORD"] = "second"
		second, err := e.Build(t.Context(), o, nil)
		if err != nil {
			t.Fatal(err)
		}
		if second.Replaced != first.Image.ID || imageID(t, e, o.Tag+"-previous") != first.Image.ID {
			t.Errorf("replaced %q, previous %q, want %q in both", second.Replaced, imageID(t, e, o.Tag+"-previous"), first.Image.ID)
		}
		if imageID(t, e, o.Tag) != second.Image.ID || second.Image.ID == first.Image.ID {
			t.Errorf("live is %q after %+v", imageID(t, e, o.Tag), second.Image)
		}
	})
}

func checkResult(t *testing.T, e *sandbox.Engine, o sandbox.BuildOptions, r sandbox.BuildResult) {
	t.Helper()
	if live := imageID(t, e, o.Tag); live == "" || live != r.Image.ID {
		t.Errorf("live tag names %q, the result %q", live, r.Image.ID)
	}
	if id := imageID(t, e, o.Tag+"-candidate"); id != "" {
		t.Errorf("the candidate's tag is still there: %s", id)
	}
	if r.Builder != o.Builder || r.Replaced != "" || r.LogError != nil || r.Image.Labels["io.fraktalia.more"] != "yes" {
		t.Errorf("result %+v", r)
	}
	ran := slices.ContainsFunc(r.Steps, func(s sandbox.BuildStep) bool {
		return s.Command == "RUN sleep 1.5" && !s.Cached && s.Elapsed > time.Second
	})
	if !ran {
		t.Errorf("steps %+v", r.Steps)
	}
}

func checkProgress(t *testing.T, seen []sandbox.Progress) {
	t.Helper()
	named := slices.ContainsFunc(seen, func(p sandbox.Progress) bool {
		return p.Name == "RUN sleep 1.5" && p.Step == p.Steps-1 || p.Name == "RUN sleep 1.5" && p.Step > 1
	})
	if !named {
		t.Errorf("no progress names the sleeping step: %+v", seen)
	}
	for i, p := range seen {
		if p.Percent < 0 || p.Percent > 99 || i > 0 && p.Percent < seen[i-1].Percent || p.Step > p.Steps {
			t.Errorf("progress %d: %+v after %+v", i, p, seen[max(0, i-1)])
		}
		if i > 0 && p.Elapsed-seen[i-1].Elapsed > 5*time.Second {
			t.Errorf("silent between %s and %s", seen[i-1].Elapsed, p.Elapsed)
		}
	}
}

func TestBuildUsesTheCache(t *testing.T) {
	forBothBuilders(t, func(t *testing.T, e *sandbox.Engine, o sandbox.BuildOptions) {
		o.NoCache = false
		o.Context = dockerfile(o.Tag, "RUN echo "+o.Tag)
		first, err := e.Build(t.Context(), o, nil)
		if err != nil {
			t.Fatal(err)
		}
		again, err := e.Build(t.Context(), o, nil)
		if err != nil {
			t.Fatal(err)
		}
		last := again.Steps[len(again.Steps)-1]
		if !last.Cached || again.Replaced != "" || again.Image.ID != first.Image.ID {
			t.Errorf("second build %+v of %s, first %s", again, again.Image.ID, first.Image.ID)
		}
	})
}

func TestFailedStepLeavesTheLiveImage(t *testing.T) {
	forBothBuilders(t, func(t *testing.T, e *sandbox.Engine, o sandbox.BuildOptions) {
		before := buildGood(t, e, o)
		o.Context = dockerfile(o.Tag, "RUN echo fine", "RUN for i in $(seq 100); do echo line $i; done; echo '\033[31mno such thing\033[0m'; exit 7", "RUN echo never")
		_, err := e.Build(t.Context(), o, nil)
		var failed *sandbox.BuildError
		if !errors.As(err, &failed) {
			t.Fatalf("error %v", err)
		}
		if failed.ExitCode != 7 || !strings.HasPrefix(failed.Command, "RUN for i") || failed.Step < 3 || failed.Steps <= failed.Step {
			t.Errorf("%+v", failed)
		}
		if n := len(failed.Tail); n != 40 || failed.Tail[n-1] != "no such thing" || failed.Tail[0] != "line 62" {
			t.Errorf("tail %q", failed.Tail)
		}
		checkUntouched(t, e, o.Tag, before)
	})
}

func buildGood(t *testing.T, e *sandbox.Engine, o sandbox.BuildOptions) string {
	t.Helper()
	o.Context = dockerfile(o.Tag, "RUN echo good")
	result, err := e.Build(t.Context(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	return result.Image.ID
}

func checkUntouched(t *testing.T, e *sandbox.Engine, tag, before string) {
	t.Helper()
	if live := imageID(t, e, tag); live != before {
		t.Errorf("the live tag moved from %s to %s", before, live)
	}
	for _, sibling := range []string{tag + "-previous", tag + "-candidate"} {
		if id := imageID(t, e, sibling); id != "" {
			t.Errorf("%s is there: %s", sibling, id)
		}
	}
}

func TestBrokenDockerfileNamesTheLine(t *testing.T) {
	forBothBuilders(t, func(t *testing.T, e *sandbox.Engine, o sandbox.BuildOptions) {
		o.Context = dockerfile(o.Tag, "RUN echo fine", "RUNN echo oops")
		_, err := e.Build(t.Context(), o, nil)
		var failed *sandbox.BuildError
		if !errors.As(err, &failed) || failed.Line != 5 || !strings.Contains(failed.Message, "RUNN") {
			t.Errorf("error %v: %+v", err, failed)
		}
	})
}

func TestCheckRefusesTheCandidate(t *testing.T) {
	forBothBuilders(t, func(t *testing.T, e *sandbox.Engine, o sandbox.BuildOptions) {
		before := buildGood(t, e, o)
		o.Context = dockerfile(o.Tag, "RUN echo other")
		refused := errors.New("has no python3")
		o.Check = func(_ context.Context, candidate sandbox.Image) error {
			if !slices.Contains(candidate.Tags, o.Tag+"-candidate") {
				t.Errorf("the candidate is not tagged: %+v", candidate)
			}
			return refused
		}
		if _, err := e.Build(t.Context(), o, nil); !errors.Is(err, refused) {
			t.Errorf("error %v", err)
		}
		checkUntouched(t, e, o.Tag, before)
	})
}

func TestCancelStopsTheCommand(t *testing.T) {
	forBothBuilders(t, func(t *testing.T, e *sandbox.Engine, o sandbox.BuildOptions) {
		before := buildGood(t, e, o)
		seconds := 100000 + time.Now().UnixNano()%100000 // finds this very process
		o.Context = dockerfile(o.Tag, fmt.Sprintf("RUN echo sleeping; sleep %d", seconds))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		_, err := e.Build(ctx, o, func(p sandbox.Progress) {
			if p.Line == "sleeping" {
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("error %v", err)
		}
		gone := func() bool { return !processRuns(t, fmt.Sprintf("sleep\x00%d\x00", seconds)) }
		within(t, 15*time.Second, "the cancelled step still runs", gone)
		checkUntouched(t, e, o.Tag, before)
	})
}

func TestEngineDown(t *testing.T) {
	e, err := sandbox.Connect("unix:///nonexistent/docker.sock")
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	_, buildErr := e.Build(t.Context(), sandbox.BuildOptions{Tag: "x:y", Context: dockerfile("x:y")}, nil)
	_, baseErr := e.EnsureBase(t.Context(), sandbox.BaseOptions{Ref: "debian:bookworm-slim"}, nil)
	_, infoErr := e.ImageInfo(t.Context(), "x:y")
	for what, err := range map[string]error{"build": buildErr, "base": baseErr, "info": infoErr} {
		var down *sandbox.EngineDownError
		if !errors.As(err, &down) || down.Host != "unix:///nonexistent/docker.sock" {
			t.Errorf("%s: error %v", what, err)
		}
	}
}

func TestSandboxImage(t *testing.T) {
	e := engine(t)
	files, err := docker.Sandbox()
	if err != nil {
		t.Fatal(err)
	}
	o := sandbox.BuildOptions{Context: files, Tag: uniqueTag(t), Base: base(t, e),
		Args: map[string]string{"AGENT_UID": "4711", "AGENT_GID": "4712", "AGENT_OTHERS": "4720:4721 0:0 4722:4712"}}
	result, err := e.Build(t.Context(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if result.Image.Labels[sandbox.ImageLabel] != "sandbox" {
		t.Errorf("labels %v", result.Image.Labels)
	}
	script := "set -e; id -u; id -g; id -un; ssh -V; git --version; curl --version; jq --version; rg --version; " +
		"python3 -c 'import venv, ssl'; pip --version; node --version; npm --version; cc --version; ! command -v sudo"
	out := sandboxtest.Docker(t, "run", "--rm", "--network", "none", o.Tag, "sh", "-c", script)
	if !strings.HasPrefix(out, "4711\n4712\nagent\n") {
		t.Errorf("the image says %q", out)
	}
	for _, ids := range []string{"4720:4721", "4722:4712"} {
		uid, _, _ := strings.Cut(ids, ":")
		out := sandboxtest.Docker(t, "run", "--rm", "--network", "none", "--user", ids, o.Tag, "sh", "-c", "id -un; ssh -V; getent group 4712")
		if !strings.HasPrefix(out, "agent"+uid+"\n") || !strings.Contains(out, "agent"+uid) {
			t.Errorf("as %s the image says %q", ids, out)
		}
	}
}
