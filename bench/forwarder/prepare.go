package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/githabideri/fraktalia/relay"
)

// prepare compiles what is needed and starts the service in a container of
// its own; clean takes all of it away, also after an error.
func prepare(network string) (b *bench, clean func(), err error) {
	clean = func() {}
	folder, err := os.MkdirTemp("", "bench-forwarder-")
	if err != nil {
		return nil, clean, err
	}
	name := filepath.Base(folder)
	clean = func() {
		exec.Command("docker", "rm", "-f", name).Run()
		exec.Command("docker", "rmi", name).Run()
		os.RemoveAll(folder)
	}
	b = &bench{folder: folder, self: filepath.Join(folder, "self"), port: targetPort, label: name, host: "127.0.0.1"}
	if err := os.Chmod(folder, 0o755); err != nil { // other users start programs in it
		return nil, clean, err
	}
	if err := b.compile(); err != nil {
		return nil, clean, err
	}
	return b, clean, b.startTarget(name, network)
}

// compile builds from the repository's root or from this folder.
func (b *bench) compile() error {
	here, err := command("go", "list", "-f", "{{.Dir}}", "github.com/githabideri/fraktalia/bench/forwarder")
	if err != nil {
		return err
	}
	if err := b.copySelf(); err != nil {
		return err
	}
	for target, folder := range map[string]string{"target": filepath.Join(here, "target"), "tcpproxy": filepath.Join(here, "tcpproxy"),
		"relay": filepath.Join(here, "..", "..", "relay", "program")} {
		build := exec.Command("go", "build", "-o", filepath.Join(b.folder, target), ".")
		build.Dir = folder
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", target, err, out)
		}
	}
	script, err := os.ReadFile(filepath.Join(here, "scripted.py"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.folder, "scripted.py"), script, 0o644)
}

// copySelf puts this program where an ordinary user can start it.
func (b *bench) copySelf() error {
	path, err := os.Executable()
	if err != nil {
		return err
	}
	program, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(b.self, program, 0o755)
}

func (b *bench) startTarget(name, network string) error {
	image, err := archive(map[string]string{"target": filepath.Join(b.folder, "target"), strings.TrimPrefix(relay.Program, "/"): filepath.Join(b.folder, "relay")})
	if err != nil {
		return err
	}
	load := exec.Command("docker", "import", "-", name)
	load.Stdin = bytes.NewReader(image)
	if out, err := load.CombinedOutput(); err != nil {
		return fmt.Errorf("docker import: %w\n%s", err, out)
	}
	b.target, err = b.runTarget(name, "--label", b.label, "--network", network)
	return err
}

// runTarget starts the service in a container and returns its address.
func (b *bench) runTarget(name string, options ...string) (netip.Addr, error) {
	words := append([]string{"run", "-d", "--ulimit", "nofile=20000:20000", "--name", name}, options...)
	words = append(words, filepath.Base(b.folder), "/target", fmt.Sprintf(":%d", targetPort), fmt.Sprintf(":%d", webPort))
	if _, err := command("docker", words...); err != nil {
		return netip.Addr{}, err
	}
	addr, err := command("docker", "inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", name)
	if err != nil {
		return netip.Addr{}, err
	}
	return netip.ParseAddr(addr)
}

// archive is a tar of programs, by their paths in it.
func archive(programs map[string]string) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for name, file := range programs {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(content); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), w.Close()
}

func command(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out)), nil
}
