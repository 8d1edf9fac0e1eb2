// Command firewall measures what the rules around the sandboxes' network cost
// the forwards: bench/forwarder's works, by this project's forwarder to a
// container on that network, with the rules in and out in interleaved rounds.
// The engine, the network and the rules are real, and stand in a network
// namespace of this program's own. It needs root and docker.io, and prints one
// line a figure:
//
//	bench firewall <metric> with-rules=<v> without=<v> ratio=<with/without>
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// settings are what the rules need to know: where a machine has nothing around
// it, that is nothing.
const settings = `homeserver: {address: "http://127.0.0.1:8008", server_name: bench}
bot: {user_id: "@bot:bench"}
owners: ["@mila:bench"]
firewall: {subnets: [10.99.0.0/24, "fd99::/64"], dns: "", backend: nftables}
`

// inside is set where this program runs in the namespace.
const inside = "FRAKTALIA_BENCH_NETWORK"

// patience bounds the start of the engine.
const patience = time.Minute

func main() {
	rounds := flag.Int("rounds", 7, "rounds of each, of which the medians are printed")
	works := flag.String("works", "bulk,connect,ping", "these works only")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *rounds, *works); err != nil {
		fmt.Fprintln(os.Stderr, "bench firewall:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, rounds int, works string) error {
	if folder := os.Getenv(inside); folder != "" {
		return measure(ctx, folder, rounds, works)
	}
	folder, err := os.MkdirTemp("", "bench-firewall-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if err := os.Chmod(folder, 0o755); err != nil { // the forwarder is started as another user
		return err
	}
	for target, source := range map[string]string{"fraktalia": "github.com/githabideri/fraktalia", "forwarder": "github.com/githabideri/fraktalia/bench/forwarder"} {
		if err := call(exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(folder, target), source)); err != nil {
			return err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	again := exec.CommandContext(ctx, "unshare", "--net", "--mount", "--", "sh", "-c", `ip link set lo up && mkdir -p /run/fraktalia && mount -t tmpfs tmpfs /run/fraktalia && exec "$0" "$@"`,
		self, "-rounds", strconv.Itoa(rounds), "-works", works)
	again.Env = append(os.Environ(), inside+"="+folder)
	again.Stdout, again.Stderr = os.Stdout, os.Stderr
	again.Cancel = func() error { return again.Process.Signal(syscall.SIGTERM) }
	return again.Run()
}

// measure brings an engine up, makes the network, and hands over to the
// forwarder's bench.
func measure(ctx context.Context, folder string, rounds int, works string) error {
	config := filepath.Join(folder, "fraktalia.yaml")
	if err := os.WriteFile(config, []byte(settings), 0o600); err != nil {
		return err
	}
	stop, err := engine(ctx, folder)
	if err != nil {
		return err
	}
	defer stop()
	program := filepath.Join(folder, "fraktalia")
	if err := call(exec.CommandContext(ctx, program, "firewall", "apply", "--config", config)); err != nil {
		return err
	}
	bench := exec.CommandContext(ctx, filepath.Join(folder, "forwarder"), "-wall", program, "-config", config, "-network", "fraktalia", "-rounds", strconv.Itoa(rounds), "-works", works)
	bench.Stdout, bench.Stderr = os.Stdout, os.Stderr
	bench.Cancel = func() error { return bench.Process.Signal(syscall.SIGTERM) }
	return bench.Run()
}

// engine starts one in this namespace, and points everything to it.
func engine(ctx context.Context, folder string) (stop func(), err error) {
	socket := "unix://" + filepath.Join(folder, "sock")
	os.Setenv("DOCKER_HOST", socket)
	log, err := os.Create(filepath.Join(folder, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command("dockerd", "--data-root", filepath.Join(folder, "data"), "--exec-root", filepath.Join(folder, "exec"), "--pidfile", filepath.Join(folder, "pid"), "--host", socket)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		mounts, _ := filepath.Glob(filepath.Join(folder, "exec", "netns", "*"))
		for _, mount := range append(mounts, filepath.Join(folder, "data"), filepath.Join(folder, "exec")) {
			syscall.Unmount(mount, syscall.MNT_DETACH) // most are gone already
		}
	}
	for deadline := time.Now().Add(patience); exec.CommandContext(ctx, "docker", "version").Run() != nil; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) || ctx.Err() != nil {
			stop()
			text, _ := os.ReadFile(log.Name())
			return nil, fmt.Errorf("the engine does not answer:\n%s", text)
		}
	}
	return stop, nil
}

func call(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
}
