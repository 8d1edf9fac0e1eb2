package harness

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// tailscale is the release whose programs make the tests' tailnet: that of the
// module that the program itself uses.
const tailscale = "tailscale.com"

// control is where Tailscale's own control server for tests listens; the
// program has it fixed.
const control = "127.0.0.1:9911"

// BuildTailscale makes sure that Tailscale's programs are in the user's cache
// folder, and gives the folder. The first time it takes minutes, in which it
// leaves others the processor.
func BuildTailscale(ctx context.Context) (dir string, err error) {
	version, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Version}}", tailscale).Output()
	if err != nil {
		return "", fmt.Errorf("which Tailscale: %w", err)
	}
	release := string(version[:len(version)-1])
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the user's cache folder: %w", err)
	}
	dir = filepath.Join(cache, "fraktalia-tests", "tailscale-"+release)
	unlock, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	args := []string{"-n", "10", "go", "install"}
	for _, program := range []string{"tailscaled", "tailscale", "testcontrol"} {
		if _, err := os.Stat(filepath.Join(dir, program)); err != nil {
			args = append(args, tailscale+"/cmd/"+program+"@"+release)
		}
	}
	if len(args) == 4 {
		return dir, nil
	}
	cmd := exec.CommandContext(ctx, "nice", args...)
	cmd.Dir = os.TempDir() // outside of any module
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build Tailscale's programs: %w\n%s", err, out)
	}
	return dir, nil
}

func lockFile(path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { _ = file.Close() }, nil
}

// Tailnet is a tailnet on the loopback: Tailscale's control server for tests,
// and two nodes without network devices.
type Tailnet struct {
	programs string
	dir      string
	running  []*exec.Cmd
	unlock   func()
	socks    int // the port of the second node's way into the tailnet
}

// StartTailnet brings one up in dir. There is one at a time on a machine.
func StartTailnet(ctx context.Context, programs, dir string) (t *Tailnet, err error) {
	t = &Tailnet{programs: programs, dir: dir}
	if t.unlock, err = lockFile(filepath.Join(programs, "control.lock")); err != nil {
		return nil, err
	}
	if t.socks, err = FreePort(); err != nil {
		return nil, errors.Join(err, t.Stop())
	}
	if err := t.start(ctx); err != nil {
		return nil, errors.Join(err, t.Stop())
	}
	return t, nil
}

func (t *Tailnet) start(ctx context.Context) error {
	if err := t.run("control", "testcontrol"); err != nil {
		return err
	}
	if err := answers(ctx, control); err != nil {
		return err
	}
	for _, node := range []string{"node1", "node2"} {
		if err := os.MkdirAll(filepath.Join(t.dir, node), 0o700); err != nil {
			return err
		}
		args := []string{"--no-logs-no-support", "--tun=userspace-networking", "--state=" + filepath.Join(t.dir, node, "state"),
			"--statedir=" + filepath.Join(t.dir, node), "--socket=" + t.Socket(node), "--port=0"}
		if node == "node2" {
			args = append(args, "--socks5-server="+loopback(t.socks))
		}
		if err := t.run(node, "tailscaled", args...); err != nil {
			return err
		}
		if err := t.join(ctx, node); err != nil {
			return err
		}
	}
	return nil
}

// Socket is where a node's tailscaled listens.
func (t *Tailnet) Socket(node string) string { return filepath.Join(t.dir, node, "sock") }

// Way is an http.Transport's proxy that leads into the tailnet as its second
// node, which also resolves the names there.
func (t *Tailnet) Way() *url.URL { return &url.URL{Scheme: "socks5h", Host: loopback(t.socks)} }

// Client is an HTTP client on the second node.
func (t *Tailnet) Client() *http.Client {
	return &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(t.Way()), DisableKeepAlives: true}}
}

func (t *Tailnet) run(name, program string, args ...string) error {
	log, err := os.Create(filepath.Join(t.dir, name+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(filepath.Join(t.programs, program), args...)
	cmd.Env = append(os.Environ(), "HOME="+t.dir)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", program, err)
	}
	t.running = append(t.running, cmd)
	return nil
}

// join logs a node in as soon as its tailscaled listens.
func (t *Tailnet) join(ctx context.Context, node string) error {
	for {
		cmd := exec.CommandContext(ctx, filepath.Join(t.programs, "tailscale"), "--socket="+t.Socket(node), "up",
			"--login-server=http://"+control, "--hostname="+node, "--accept-dns=false")
		out, err := cmd.CombinedOutput()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s does not join the tailnet: %w\n%s", node, err, out)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func answers(ctx context.Context, address string) error {
	for {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("nothing answers at %s: %w", address, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Stop ends it.
func (t *Tailnet) Stop() error {
	for _, cmd := range t.running {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	t.unlock()
	return nil
}

// Listening is the port of the deployment's homeserver.
func (d *Deployment) Listening() string { return strconv.Itoa(d.port) }
