package sandbox_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/sandbox"
	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
)

func TestStaleIsWhatRunsAnotherImageThanItsTag(t *testing.T) {
	e := engine(t)
	first, second := sandboxtest.Image(t), sandboxtest.Image(t)
	tag := sandboxtest.UniqueName("fraktalia-test-stale") + ":x"
	sandboxtest.Docker(t, "tag", first, tag)
	t.Cleanup(func() { exec.Command("docker", "rmi", tag).Run() })
	id := sandboxtest.Start(t, sandboxtest.Sandbox{Image: tag, Agent: "mox"})
	sandboxtest.Start(t, sandboxtest.Sandbox{Image: second, Agent: "mox"}) // of another tag
	stale := func(want int) {
		t.Helper()
		found, err := e.Stale(t.Context(), "docker.io/library/"+tag)
		if err != nil || len(found) != want || want == 1 && found[0].ID != id {
			t.Errorf("%+v, %v; want %d", found, err, want)
		}
	}
	stale(0)
	sandboxtest.Docker(t, "tag", second, tag)
	stale(1)
	if err := e.Recreate(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	stale(0)
	if err := e.Recreate(t.Context(), id); err != nil {
		t.Errorf("one that is gone: %v", err)
	}
	if found, err := e.Stale(t.Context(), "fraktalia-test-none:such"); err != nil || len(found) != 0 {
		t.Errorf("no such image: %+v, %v", found, err)
	}
}

// A wrong id must not cost somebody else's container.
func TestRecreateRefusesOtherContainers(t *testing.T) {
	e := engine(t)
	name := sandboxtest.UniqueName("fraktalia-test-other")
	id := sandboxtest.Docker(t, "run", "-d", "--name", name, sandboxtest.Image(t))
	t.Cleanup(func() { exec.Command("docker", "rm", "-f", name).Run() })
	if err := e.Recreate(t.Context(), id); err == nil || !strings.Contains(err.Error(), "no sandbox") {
		t.Errorf("error %v", err)
	}
	if sandboxtest.Docker(t, "inspect", "-f", "{{.Id}}", name) != id {
		t.Error("it is gone")
	}
}

func TestSameName(t *testing.T) {
	for pair, want := range map[[2]string]bool{
		{"debian", "docker.io/library/debian:latest"}: true,
		{"a:b", "a:b"}:        true,
		{"a:b", "a:c"}:        false,
		{"Not A Name", "a:b"}: false,
	} {
		if got := sandbox.SameName(pair[0], pair[1]); got != want {
			t.Errorf("%v: %v", pair, got)
		}
	}
}
