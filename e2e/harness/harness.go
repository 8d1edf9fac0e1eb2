// Package harness brings up the real program for the tests: the binary, built
// once; a deployment of it in a throwaway folder; a stand-in for OpenClaw's
// sandbox in the real Docker engine.
//
// It owns the processes and folders that it makes and removes them. It fakes
// no server, and judges nothing: that is for the tests.
package harness

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/githabideri/fraktalia/stack"
)

// Root is the repository's root folder.
func Root() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
}

// Build compiles the program into dir and returns its path; tags are build
// tags beside goolm.
func Build(ctx context.Context, dir string, tags ...string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, strings.Join(append([]string{"fraktalia"}, tags...), "-"))
	// As scripts/build does: the binary carries the relay.
	relay := exec.CommandContext(ctx, filepath.Join(root, "scripts", "relay"))
	if out, err := relay.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the relay: %w\n%s", err, out)
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", strings.Join(append([]string{"goolm"}, tags...), " "), "-o", binary, ".")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build fraktalia: %w\n%s", err, out)
	}
	return binary, nil
}

// Folder makes a throwaway folder, in memory where the machine has /dev/shm:
// databases on a busy disk make tests slow.
func Folder() (dir string, remove func(), err error) {
	base := ""
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		base = "/dev/shm"
	}
	dir, err = os.MkdirTemp(base, "fraktalia-e2e-")
	return dir, func() { os.RemoveAll(dir) }, err
}

// linkSynapse puts one installation of Synapse, kept in the user's cache
// folder and made on first use, into a data folder.
func linkSynapse(ctx context.Context, data string) error {
	venv := stack.DefaultCache()
	if venv == "" {
		return errors.New("there is no cache folder for Synapse: HOME is not set")
	}
	if err := stack.Install(ctx, venv, "", func(stack.Event) {}); err != nil {
		return fmt.Errorf("install Synapse for the tests: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(data, "synapse"), 0o700); err != nil {
		return err
	}
	err := os.Symlink(venv, filepath.Join(data, "synapse", "venv"))
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	return err
}

// fastPeople overrides limits that bind people: the tests log in and type more
// often than any family, all from one address. The bot's own are not touched.
// Passwords are hashed quickly: some tests make hundreds of accounts.
const fastPeople = fastHash + fastTyping

const fastHash = "bcrypt_rounds: 4\n"

const fastTyping = `rc_message: {per_second: 200, burst_count: 1000}
rc_login:
  address: {per_second: 1000, burst_count: 1000}
  account: {per_second: 1000, burst_count: 1000}
  failed_attempts: {per_second: 1000, burst_count: 1000}
`

func hurry(data string) error {
	path := filepath.Join(data, "synapse", "homeserver.local.yaml")
	return os.WriteFile(path, []byte(fastPeople), 0o600)
}

// HashAsUsual has the homeserver hash passwords as it does out of the box, from
// its next start on: for measurements.
func (d *Deployment) HashAsUsual() error {
	path := filepath.Join(d.DataDir, "synapse", "homeserver.local.yaml")
	return os.WriteFile(path, []byte(fastTyping), 0o600)
}

// FreePort is a TCP port of the loopback that nobody listens on now.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
