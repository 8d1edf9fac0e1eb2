package relay_test

import (
	"bufio"
	"context"
	"errors"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/githabideri/fraktalia/relay"
	"github.com/githabideri/fraktalia/sandbox"
	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
)

// relaysIn lists the processes of the relay in a container, as this machine
// numbers them.
func relaysIn(t *testing.T, id string) []int {
	t.Helper()
	var pids []int
	for _, line := range strings.Split(sandboxtest.Docker(t, "top", id, "-eo", "pid,args"), "\n") {
		number, args, _ := strings.Cut(strings.TrimSpace(line), " ")
		if pid, err := strconv.Atoi(number); err == nil && strings.HasPrefix(strings.TrimSpace(args), relay.Program) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// In a real container: locked down as OpenClaw's are, and without network.
func TestInAContainer(t *testing.T) {
	file, err := program()
	if err != nil {
		t.Fatal(err)
	}
	engine, err := sandbox.Connect("")
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	box := sandboxtest.Sandbox{Image: sandboxtest.Image(t), Network: "none", Listen: []string{"127.0.0.1:9005", "127.0.0.1:9006"},
		Options: []string{"--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", "1000:1000",
			"--tmpfs", "/tmp", "-v", file + ":" + relay.Program + ":ro"}}
	id := sandboxtest.Start(t, box)
	start := func(ctx context.Context) (relay.Link, error) {
		return engine.StartExec(ctx, id, sandbox.Command{Args: []string{relay.Program}})
	}
	pool := relay.NewPool()
	defer pool.Close()
	greeting := func(port int) (string, error) {
		conn, err := pool.Dial(t.Context(), id, start, port)
		if err != nil {
			return "", err
		}
		defer conn.Close()
		line, err := bufio.NewReader(conn).ReadString('\n')
		return strings.TrimSpace(line), err
	}
	for range 20 {
		for _, port := range []int{9005, 9006} {
			if said, err := greeting(port); said != id[:12] {
				t.Fatalf("port %d: %q, %v", port, said, err)
			}
		}
	}
	if _, err := greeting(9007); !errors.Is(err, relay.ErrRefused) {
		t.Errorf("a port where nobody listens: %v", err)
	}
	first := relaysIn(t, id)
	if len(first) != 1 {
		t.Fatalf("relays %v", first)
	}
	if err := syscall.Kill(first[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, "another relay", func() bool { said, _ := greeting(9005); return said == id[:12] })
	if again := relaysIn(t, id); len(again) != 1 || again[0] == first[0] {
		t.Errorf("relays %v after %v", again, first)
	}
	pool.Keep(nil)
	until(t, "no relay is left", func() bool { return len(relaysIn(t, id)) == 0 })
}

func TestAContainerWithoutTheProgram(t *testing.T) {
	engine, err := sandbox.Connect("")
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	id := sandboxtest.Start(t, sandboxtest.Sandbox{Image: sandboxtest.Image(t), Listen: []string{"127.0.0.1:9005"}})
	start := func(ctx context.Context) (relay.Link, error) {
		return engine.StartExec(ctx, id, sandbox.Command{Args: []string{relay.Program}})
	}
	pool := relay.NewPool()
	defer pool.Close()
	var stranger *relay.StrangerError
	if _, err := pool.Dial(t.Context(), id, start, 9005); !errors.As(err, &stranger) {
		t.Errorf("error %v", err)
	}
}
