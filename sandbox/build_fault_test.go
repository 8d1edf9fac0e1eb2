package sandbox_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/githabideri/fraktalia/sandbox"
	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
)

// ownEngine is an engine of the test's own with a base image and a live image
// on it, on which a container runs.
type ownEngine struct {
	*sandbox.Engine
	daemon    *sandboxtest.Daemon
	live      string
	container string
}

const ownTag = "fraktalia-test-own:live"

func newOwnEngine(t *testing.T, disk string) *ownEngine {
	t.Helper()
	machine, host := engine(t), os.Getenv("DOCKER_HOST")
	if host == "" {
		host = "unix:///var/run/docker.sock"
	}
	ref := base(t, machine)
	own := &ownEngine{daemon: sandboxtest.NewSmallDaemon(t, disk)}
	own.daemon.Fetch(host, ref)
	own.Engine = engine(t)
	result, err := own.Build(t.Context(), own.options(ref, "RUN echo good"), nil)
	if err != nil {
		t.Fatal(err)
	}
	own.live = result.Image.ID
	own.container = sandboxtest.Docker(t, "run", "-d", "--network", "none", ownTag, "sleep", "600")
	return own
}

func (o *ownEngine) options(base string, run ...string) sandbox.BuildOptions {
	text := "FROM " + base + "\n" + strings.Join(run, "\n") + "\n"
	return sandbox.BuildOptions{Tag: ownTag, Network: "none", Context: fstest.MapFS{"Dockerfile": {Data: []byte(text)}}}
}

// check looks that the live image and what runs on it are as they were.
func (o *ownEngine) check(t *testing.T) {
	t.Helper()
	checkUntouched(t, o.Engine, ownTag, o.live)
	if sandboxtest.Docker(t, "inspect", "-f", "{{.State.Running}}", o.container) != "true" {
		t.Error("the container on the live image was ended")
	}
}

func TestBuildOnAFullDisk(t *testing.T) {
	if !sandboxtest.InOwnNetwork(t) {
		return
	}
	own := newOwnEngine(t, "450m")
	machine, err := own.Machine(t.Context(), ownTag)
	if err != nil || machine.Disk > 450<<20 || machine.Disk < 10<<20 || machine.Containerd {
		t.Errorf("machine %+v, %v", machine, err)
	}
	for _, builder := range builders {
		o := own.options(ownTag, "RUN head -c 900000000 /dev/zero >/big")
		o.Builder = builder
		_, err = own.Build(t.Context(), o, nil)
		var failed *sandbox.BuildError
		if !errors.As(err, &failed) || !strings.Contains(strings.ToLower(failed.Message+strings.Join(failed.Tail, "\n")), "no space left on device") {
			t.Errorf("%s: error %v: %+v", builder, err, failed)
		}
		own.check(t)
	}
	after, err := own.Machine(t.Context(), ownTag)
	if err != nil || after.Disk < machine.Disk/2 {
		t.Errorf("the failed builds left the disk full: %+v, before %+v, %v", after, machine, err)
	}
}

func TestEngineRestartedInTheMiddle(t *testing.T) {
	if !sandboxtest.InOwnNetwork(t) {
		return
	}
	own := newOwnEngine(t, "900m")
	for _, builder := range builders {
		killed := false
		o := own.options(ownTag, "RUN echo finished "+string(builder), "RUN echo sleeping; sleep 600")
		o.Builder = builder
		_, err := own.Build(t.Context(), o, func(p sandbox.Progress) {
			if p.Line == "sleeping" && !killed {
				killed = true
				own.daemon.Kill()
			}
		})
		var down *sandbox.EngineDownError
		if !killed || !errors.As(err, &down) {
			t.Errorf("%s: error %v", builder, err)
		}
		own.daemon.Start()
		checkUntouched(t, own.Engine, ownTag, own.live)
		o = own.options(ownTag, "RUN echo finished "+string(builder), "RUN echo again "+string(builder))
		o.Builder = builder
		result, err := own.Build(t.Context(), o, nil)
		if err != nil || result.Replaced != own.live {
			t.Fatalf("%s: afterwards: %+v, %v", builder, result, err)
		}
		own.live = result.Image.ID
		sandboxtest.Docker(t, "rmi", "-f", ownTag+"-previous")
	}
}

func TestBuildWithoutANetwork(t *testing.T) {
	forBothBuilders(t, func(t *testing.T, e *sandbox.Engine, o sandbox.BuildOptions) {
		before := buildGood(t, e, o)
		o.Context = dockerfile(o.Tag, "RUN apt-get -o Acquire::Retries=0 update --error-on=any")
		o.Network = "none"
		_, err := e.Build(t.Context(), o, nil)
		var failed *sandbox.BuildError
		if !errors.As(err, &failed) || !strings.Contains(strings.Join(failed.Tail, "\n"), "Temporary failure resolving") {
			t.Errorf("error %v: %+v", err, failed)
		}
		checkUntouched(t, e, o.Tag, before)
	})
}

// A base that vanished between the look at it and the build is the engine's
// refusal, and nothing else happens.
func TestBaseGone(t *testing.T) {
	forBothBuilders(t, func(t *testing.T, e *sandbox.Engine, o sandbox.BuildOptions) {
		before := buildGood(t, e, o)
		o.Base, o.Context = "fraktalia.invalid/gone:x", dockerfile(o.Tag, "RUN true")
		begun := time.Now()
		_, err := e.Build(t.Context(), o, nil)
		if err == nil || !strings.Contains(err.Error(), "fraktalia.invalid") {
			t.Errorf("after %s: error %v", time.Since(begun), err)
		}
		checkUntouched(t, e, o.Tag, before)
	})
}
