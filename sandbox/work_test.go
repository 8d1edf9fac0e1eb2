package sandbox_test

import (
	"context"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/githabideri/fraktalia/sandbox"
	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
)

// idle starts a sandbox as OpenClaw does: it does nothing by itself.
func idle(t *testing.T, e *sandbox.Engine, options ...string) sandbox.Container {
	t.Helper()
	id := sandboxtest.Start(t, sandboxtest.Sandbox{Image: base(t, e), Agent: "mox", Options: options, Listen: []string{"sleep", "infinity"}})
	return seen(t, e, id)
}

func seen(t *testing.T, e *sandbox.Engine, id string) sandbox.Container {
	t.Helper()
	all, err := e.Containers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if c.ID == id {
			return c
		}
	}
	t.Fatalf("container %s is not listed", id)
	return sandbox.Container{}
}

// works asks until the answer has n entries: a program needs a moment to
// appear, and to be gone.
func works(t *testing.T, e *sandbox.Engine, c sandbox.Container, n int) []sandbox.Work {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		found, err := e.Works(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) == n {
			return found
		}
		if time.Now().After(end) {
			t.Fatalf("%+v; want %d", found, n)
		}
	}
}

func TestWorks(t *testing.T) {
	e := engine(t)
	for name, options := range map[string][]string{"plain": nil, "with an init": {"--init"}} {
		t.Run(name, func(t *testing.T) {
			c := idle(t, e, options...)
			works(t, e, c, 0)
			sandboxtest.Docker(t, "exec", "-d", c.ID, "sleep", "1234")
			if found := works(t, e, c, 1); found[0].Command != "sleep 1234" {
				t.Errorf("%+v", found)
			}
			// A server that its starter has left behind is work, too.
			sandboxtest.Docker(t, "exec", c.ID, "sh", "-c", "sleep 4321 </dev/null >/dev/null 2>&1 &")
			works(t, e, c, 2)
			sandboxtest.Docker(t, "exec", c.ID, "sh", "-c", "for p in /proc/[0-9]*; do case $(tr '\\0' ' ' <$p/cmdline) in 'sleep 1234 '|'sleep 4321 ') kill ${p#/proc/};; esac; done 2>/dev/null; true")
			works(t, e, c, 0)
		})
	}
}

func TestOurRelayIsNoWork(t *testing.T) {
	e := engine(t)
	c := idle(t, e)
	sandboxtest.Docker(t, "exec", "-u", "0", c.ID, "cp", "/bin/sleep", "/usr/local/bin/"+sandbox.RelayProgram)
	sandboxtest.Docker(t, "exec", "-d", c.ID, "/usr/local/bin/"+sandbox.RelayProgram, "600")
	sandboxtest.Docker(t, "exec", "-d", c.ID, "sleep", "600")
	if found := works(t, e, c, 1); found[0].Command != "sleep 600" {
		t.Errorf("%+v", found)
	}
}

func TestUsages(t *testing.T) {
	e := engine(t)
	busy, stopped := idle(t, e, "--memory", "64m"), idle(t, e)
	sandboxtest.Docker(t, "exec", "-d", busy.ID, "sh", "-c", "head -c 3000000 /dev/zero >/var/tmp/x; while :; do :; done")
	works(t, e, seen(t, e, busy.ID), 1)
	sandboxtest.Docker(t, "rm", "-f", stopped.ID)
	found := e.Usages(t.Context(), []sandbox.Container{seen(t, e, busy.ID), stopped})
	if u := found[0]; u.Err != nil || u.Memory < 10<<10 || u.Limit != 64<<20 || u.CPU <= 0 || u.CPU > 1.5 || u.Disk < 3000000 || len(u.Works) != 1 {
		t.Errorf("%+v", u)
	}
	if found[1].Err == nil {
		t.Errorf("of a container that is gone: %+v", found[1])
	}
}

func TestLogs(t *testing.T) {
	e := engine(t)
	for name, options := range map[string][]string{"streams": nil, "terminal": {"-t"}} {
		t.Run(name, func(t *testing.T) {
			id := sandboxtest.Start(t, sandboxtest.Sandbox{Image: base(t, e), Agent: "mox", Options: options,
				Listen: []string{"sh", "-c", "echo one; echo two; sleep 0.2; echo three >&2"}})
			sandboxtest.Docker(t, "wait", id)
			text, err := e.Logs(t.Context(), seen(t, e, id), 2)
			if got := strings.ReplaceAll(string(text), "\r", ""); err != nil || got != "two\nthree\n" {
				t.Errorf("%q, %v", text, err)
			}
		})
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	tail := &sandbox.Tail{Most: 10}
	for i := range 1000 {
		tail.Write([]byte(strings.Repeat(string(rune('a'+i%26)), 7)))
	}
	if got := string(tail.Bytes()); got != "kkklllllll" || tail.Written != 7000 {
		t.Errorf("%q of %d", got, tail.Written)
	}
}

// When an agent last did something outlives a restart of the program, as far
// as the engine remembers.
func TestLastUse(t *testing.T) {
	e := engine(t)
	used, unused := idle(t, e), idle(t, e)
	before := time.Now()
	sandboxtest.Docker(t, "exec", used.ID, "true")
	log := logrus.New()
	log.SetOutput(io.Discard)
	w := sandbox.NewWatcher(e, logrus.NewEntry(log), func(sandbox.Snapshot) {})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- w.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	last := func(c sandbox.Container, after time.Time) time.Time {
		for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			if at, since := w.LastUse(c.ID); at.After(after) && !since.IsZero() {
				return at
			}
		}
		t.Fatalf("its use after %s is not known", after)
		return time.Time{}
	}
	first := last(used, before)
	exec.Command("docker", "exec", used.ID, "true").Run()
	last(used, first)
	if at, _ := w.LastUse(unused.ID); !at.IsZero() {
		t.Errorf("used at %s, which it was not", at)
	}
}
