package e2e

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"maunium.net/go/mautrix/event"

	"github.com/githabideri/fraktalia/e2e/client"
	"github.com/githabideri/fraktalia/e2e/harness"
)

func TestUpNamesTheHolderOfItsPort(t *testing.T) {
	ctx := within(t)
	d, err := harness.New(ctx, shared.Binary, t.TempDir())
	must(t, err)
	d.Env = []string{shared.engine.Env()}
	taken, err := net.Listen("tcp", d.Listen())
	must(t, err)
	defer taken.Close()
	err = d.Up(ctx)
	if err == nil {
		t.Fatal("up came up on a port that is taken")
	}
	_, port, _ := strings.Cut(d.Listen(), ":")
	if said := d.Process.Said(); !strings.Contains(said, "Port "+port+" is taken by e2e.test") {
		t.Errorf("it says\n%s", said)
	}
}

func TestASecondUpInTheSameFolderIsRefused(t *testing.T) {
	second := exec.CommandContext(within(t), shared.Binary, "up", "--data", shared.DataDir, "--yes", "--json")
	out, err := second.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "Another fraktalia runs in") {
		t.Errorf("%v\n%s", err, out)
	}
}

// A homeserver that ends by itself is started again, and people are told.
func TestACrashOfTheHomeserverIsMended(t *testing.T) {
	pid, err := synapseOf(shared.DataDir)
	must(t, err)
	must(t, syscall.Kill(pid, syscall.SIGKILL))
	ctx := within(t)
	if _, err := shared.admin.WaitBot(ctx, func(e client.Event) bool {
		return e.Type == event.EventMessage.Type && strings.Contains(e.Content.AsMessage().Body, "ended by itself")
	}); err != nil {
		t.Error(err)
	}
	sayAgain(ctx, t, "!help")
}

// sayAgain repeats until the homeserver takes the line.
func sayAgain(ctx context.Context, t *testing.T, line string) {
	t.Helper()
	for {
		turn, err := shared.admin.Say(ctx, line)
		if err == nil {
			if out, err := turn.Final(ctx); err != nil || !out.OK {
				t.Errorf("%s: %s %v", line, out.Body, err)
			}
			return
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}

// synapseOf finds the homeserver of a data folder among the processes.
func synapseOf(data string) (int, error) {
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return 0, err
	}
	config := filepath.Join(data, "synapse", "homeserver.yaml")
	for _, path := range lines {
		text, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(text), config) {
			return strconv.Atoi(strings.Split(path, "/")[2])
		}
	}
	return 0, os.ErrNotExist
}
