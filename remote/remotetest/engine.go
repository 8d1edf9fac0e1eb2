package remotetest

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Network is the one that containers of the machine's engine can be put on.
const Network = "attic"

// StartEngine starts the machine's Docker engine, at first or again.
func (m *Machine) StartEngine() (err error) {
	again := m.engine != nil
	m.engine, err = m.start("dockerd.log", "dockerd", "--data-root", filepath.Join(m.folder, "data"), "--exec-root", filepath.Join(m.folder, "exec"),
		"--pidfile", filepath.Join(m.folder, "pid"), "--host", "unix://"+m.Socket, "--bip", "198.19.8.1/24",
		"--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false")
	if err != nil {
		return err
	}
	if err := m.await("dockerd.log", func() bool { return m.docker("version").Run() == nil }); err != nil || again {
		return err
	}
	_, err = m.Docker("network", "create", "--subnet", "198.19.7.0/24", Network)
	return err
}

func (m *Machine) docker(args ...string) *exec.Cmd {
	cmd := exec.Command("docker", args...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST=unix://"+m.Socket)
	return cmd
}

// Docker runs the docker program over there and returns what it printed.
func (m *Machine) Docker(args ...string) (string, error) {
	out, err := m.docker(args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("docker %s, over there: %w\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// Import makes an image over there of a tar.
func (m *Machine) Import(name string, archive io.Reader, changes ...string) error {
	args := []string{"import"}
	for _, change := range changes {
		args = append(args, "--change", change)
	}
	load := m.docker(append(args, "-", name)...)
	load.Stdin = archive
	if out, err := load.CombinedOutput(); err != nil {
		return fmt.Errorf("docker import, over there: %w\n%s", err, out)
	}
	return nil
}

// KillEngine ends the engine as a crash does.
func (m *Machine) KillEngine() {
	m.engine.Process.Kill()
	m.engine.Wait()
	os.Remove(filepath.Join(m.folder, "pid"))
	os.Remove(filepath.Join(m.folder, "exec", "containerd", "containerd.pid"))
}

// stopEngine stops it in good order, which stops its containers.
func (m *Machine) stopEngine() {
	if m.engine == nil {
		return
	}
	m.engine.Process.Signal(syscall.SIGTERM)
	m.engine.Wait()
	mounts, _ := filepath.Glob(filepath.Join(m.folder, "exec", "netns", "*"))
	for _, mount := range append(mounts, filepath.Join(m.folder, "data"), filepath.Join(m.folder, "exec")) {
		syscall.Unmount(mount, syscall.MNT_DETACH) // most are gone already
	}
}
