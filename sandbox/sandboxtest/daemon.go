package sandboxtest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// inside is set in the environment of a test that runs in a network namespace
// of its own.
const inside = "FRAKTALIA_TEST_NETWORK"

// daemonPatience bounds the start and the stop of an engine.
const daemonPatience = time.Minute

// Daemon is a Docker engine of the test's own, which may be killed.
type Daemon struct {
	t      testing.TB
	folder string
	flags  []string
	cmd    *exec.Cmd
}

// InOwnNetwork runs the test again in a network namespace of its own, and
// tells whether this is that run: the one outside has nothing left to do. What
// it mounts is its own, too, and goes with it. It needs root.
func InOwnNetwork(t *testing.T) bool {
	t.Helper()
	if os.Getenv(inside) != "" {
		return true
	}
	again := exec.Command("unshare", "--net", "--mount", "--", "sh", "-c", `ip link set lo up && exec "$0" "$@"`,
		os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
	again.Env = append(os.Environ(), inside+"=yes")
	out, err := again.CombinedOutput()
	t.Logf("in a network of its own:\n%s", out)
	if err != nil {
		t.Fatalf("in a network of its own: %v", err)
	}
	return false
}

// NewDaemon starts an engine beside the machine's and points DOCKER_HOST at
// it for the rest of the test. It has no default bridge and leaves the
// firewall alone: make a network. Call InOwnNetwork first: an engine without a
// default bridge removes docker0, which elsewhere is the machine's engine's. It needs root.
func NewDaemon(t *testing.T) *Daemon {
	t.Helper()
	return newDaemon(t, "", bare()...)
}

// bare are the flags of an engine that leaves the network alone.
func bare() []string {
	return []string{"--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"}
}

// NewSmallDaemon is NewDaemon with a disk of its own of so many bytes, e.g.
// "500m", for its images and containers.
func NewSmallDaemon(t *testing.T, size string) *Daemon {
	t.Helper()
	return newDaemon(t, size, bare()...)
}

// NewWalledDaemon starts an engine with a default bridge and with the firewall
// of its own that engines have, and otherwise like NewDaemon.
func NewWalledDaemon(t *testing.T) *Daemon {
	t.Helper()
	return newDaemon(t, "", "--ipv6", "--fixed-cidr-v6", "fd00:d0c::/64")
}

func newDaemon(t *testing.T, size string, flags ...string) *Daemon {
	t.Helper()
	if os.Getenv(inside) == "" {
		t.Fatal("an engine of the test's own outside InOwnNetwork would remove the machine's docker0")
	}
	// Not t.TempDir: the socket's path would be too long.
	folder, err := os.MkdirTemp("", "dockerd")
	if err != nil {
		t.Fatal(err)
	}
	d := &Daemon{t: t, folder: folder, flags: flags}
	t.Setenv("DOCKER_HOST", "unix://"+filepath.Join(folder, "sock"))
	t.Cleanup(d.remove)
	if size != "" {
		data := filepath.Join(folder, "data")
		if err := errors.Join(os.Mkdir(data, 0o700), syscall.Mount("tmpfs", data, "tmpfs", 0, "size="+size)); err != nil {
			t.Fatalf("make a small disk: %v", err)
		}
	}
	d.Start()
	return d
}

// Fetch copies an image from the engine at host.
func (d *Daemon) Fetch(host, image string) {
	d.t.Helper()
	save, load := exec.Command("docker", "--host", host, "save", image), exec.Command("docker", "load")
	var err error
	if load.Stdin, err = save.StdoutPipe(); err != nil {
		d.t.Fatal(err)
	}
	if err := save.Start(); err != nil {
		d.t.Fatal(err)
	}
	if out, err := load.CombinedOutput(); err != nil {
		d.t.Fatalf("load %s: %v\n%s", image, err, out)
	}
	if err := save.Wait(); err != nil {
		d.t.Fatalf("save %s: %v", image, err)
	}
}

// Start starts the engine, at first or again, and waits until it answers.
func (d *Daemon) Start() {
	d.t.Helper()
	log, err := os.OpenFile(filepath.Join(d.folder, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer log.Close()
	d.cmd = exec.Command("dockerd", append([]string{"--data-root", filepath.Join(d.folder, "data"), "--exec-root", filepath.Join(d.folder, "exec"),
		"--pidfile", filepath.Join(d.folder, "pid"), "--host", os.Getenv("DOCKER_HOST")}, d.flags...)...)
	d.cmd.Stdout, d.cmd.Stderr = log, log
	if err := d.cmd.Start(); err != nil {
		d.t.Fatalf("start an engine for the test: %v", err)
	}
	for deadline := time.Now().Add(daemonPatience); exec.Command("docker", "version").Run() != nil; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(filepath.Join(d.folder, "log"))
			d.t.Fatalf("the engine for the test does not answer:\n%s", text)
		}
	}
}

// Stop ends the engine in good order, which stops its containers.
func (d *Daemon) Stop() {
	d.t.Helper()
	d.cmd.Process.Signal(syscall.SIGTERM)
	d.cmd.Wait()
}

// Kill ends the engine as a crash does. Its containers run on until the
// engine starts again and finds them.
func (d *Daemon) Kill() {
	d.t.Helper()
	if err := d.cmd.Process.Kill(); err != nil {
		d.t.Fatal(err)
	}
	d.cmd.Wait()
	// Its containerd dies with it, but where nobody reaps orphans its number
	// stays taken, and the next engine would wait for it.
	os.Remove(filepath.Join(d.folder, "pid"))
	os.Remove(filepath.Join(d.folder, "exec", "containerd", "containerd.pid"))
}

// remove stops the engine in good order, which stops its containers, and
// takes its folder away.
func (d *Daemon) remove() {
	d.cmd.Process.Signal(syscall.SIGTERM)
	d.cmd.Wait()
	mounts, _ := filepath.Glob(filepath.Join(d.folder, "exec", "netns", "*"))
	for _, mount := range append(mounts, filepath.Join(d.folder, "data"), filepath.Join(d.folder, "exec")) {
		syscall.Unmount(mount, syscall.MNT_DETACH) // most are gone already
	}
	os.RemoveAll(d.folder)
}
