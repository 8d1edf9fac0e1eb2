package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ordinary is the user that forwarders run as: one without privileges.
const ordinary = 65534

// bench is what all forwarders share.
type bench struct {
	folder string     // readable by everybody
	self   string     // this program, there
	target netip.Addr // the container
	port   int        // there
	label  string     // that its container carries
	host   string     // where forwarders listen
	files  int        // that a forwarder may open; 0 is whatever it can
	agent  string     // whose sandbox ours follows by the engine's events; "" keeps to target
}

// targetPort is where the service listens in its container, webPort where it
// serves HTTP.
const (
	targetPort = 8000
	webPort    = 8001
)

// peer is one forwarder.
type peer struct {
	name string
	// command starts it, listening on a port of 127.0.0.1.
	command func(b *bench, port int) (*exec.Cmd, error)
	// root keeps root's rights, where it has them in life.
	root bool
	// graceful is the signal on which it stops in good order.
	graceful syscall.Signal
	// forks says that each connection takes it a process or a thread.
	forks bool
}

// direct is the name of no forwarder at all.
const direct = "direct"

// ours is the name of this project's forwarder.
const ours = "ours"

func peers() []peer {
	return []peer{
		{name: ours, graceful: syscall.SIGTERM, command: func(b *bench, port int) (*exec.Cmd, error) {
			return exec.Command(b.self, "-serve", strconv.Itoa(port), "-to", b.address(), "-follow", b.agent), nil
		}},
		{name: "docker-proxy", root: true, graceful: syscall.SIGTERM, command: dockerProxy},
		{name: "haproxy", graceful: syscall.SIGUSR1, command: haproxy},
		{name: "nginx", root: true, graceful: syscall.SIGQUIT, command: nginx},
		{name: "socat", graceful: syscall.SIGTERM, forks: true, command: func(b *bench, port int) (*exec.Cmd, error) {
			family := 4
			if strings.Contains(b.host, ":") {
				family = 6
			}
			return exec.Command("socat", fmt.Sprintf("TCP%d-LISTEN:%d,bind=%s,reuseaddr,fork,backlog=4096", family, port, b.bracketed()), "TCP:"+b.address()), nil
		}},
		{name: "tcpproxy", graceful: syscall.SIGTERM, command: func(b *bench, port int) (*exec.Cmd, error) {
			return exec.Command(filepath.Join(b.folder, "tcpproxy"), b.at(port), b.address()), nil
		}},
		{name: "asyncio", root: true, graceful: syscall.SIGTERM, forks: true, command: func(b *bench, port int) (*exec.Cmd, error) {
			return exec.Command("python3", filepath.Join(b.folder, "scripted.py"), strconv.Itoa(port), b.label, strconv.Itoa(b.port), b.host), nil
		}},
	}
}

func (b *bench) address() string { return netip.AddrPortFrom(b.target, uint16(b.port)).String() }

// at is where a forwarder listens.
func (b *bench) at(port int) string { return net.JoinHostPort(b.host, strconv.Itoa(port)) }

func (b *bench) bracketed() string {
	if strings.Contains(b.host, ":") {
		return "[" + b.host + "]"
	}
	return b.host
}

// dockerProxy is the engine's own, started as the engine does: it reports on
// descriptor 3.
func dockerProxy(b *bench, port int) (*exec.Cmd, error) {
	report, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	go func() {
		report.Read(make([]byte, 100))
		report.Close()
	}()
	cmd := exec.Command("docker-proxy", "-proto", "tcp", "-host-ip", b.host, "-host-port", strconv.Itoa(port),
		"-container-ip", b.target.String(), "-container-port", strconv.Itoa(b.port))
	cmd.ExtraFiles = []*os.File{write}
	return cmd, nil
}

func haproxy(b *bench, port int) (*exec.Cmd, error) {
	file := filepath.Join(b.folder, "haproxy.cfg")
	limits := "maxconn 9100\n\tmaxpipes 500"
	if b.files > 0 {
		limits = fmt.Sprintf("maxconn %d", b.files/6) // it refuses to start with more than it has files for
	}
	text := fmt.Sprintf(`global
	%s
defaults
	mode tcp
	option splice-auto
	option splice-request
	option splice-response
	timeout connect 5s
	timeout client 1h
	timeout server 1h
listen forward
	bind %s
	server target %s
`, limits, b.at(port), b.address())
	return exec.Command("haproxy", "-db", "-f", file), os.WriteFile(file, []byte(text), 0o644)
}

func nginx(b *bench, port int) (*exec.Cmd, error) {
	file := filepath.Join(b.folder, "nginx.conf")
	files := 20000
	if b.files > 0 {
		files = b.files
	}
	text := fmt.Sprintf(`user nobody nogroup;
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
worker_processes auto;
worker_rlimit_nofile %[4]d;
pid %[1]s/nginx.pid;
error_log /dev/null;
events { worker_connections 19000; }
stream {
	server {
		listen %[2]s backlog=4096;
		proxy_pass %[3]s;
		proxy_timeout 1h;
	}
}
`, b.folder, b.at(port), b.address(), files)
	return exec.Command("nginx", "-e", "/dev/null", "-c", file), os.WriteFile(file, []byte(text), 0o644)
}

// running is a forwarder at work.
type running struct {
	addr string
	cmd  *exec.Cmd // nil for direct
}

// start runs a peer until it takes connections.
func (b *bench) start(p peer) (*running, error) {
	if p.name == direct {
		return &running{addr: b.address()}, nil
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	cmd, err := p.command(b, port)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", p.name, err)
	}
	if b.files > 0 {
		b.limit(cmd)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if !p.root && b.agent == "" {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: ordinary, Gid: ordinary}
	}
	if os.Getenv("BENCH_VERBOSE") != "" {
		cmd.Stderr = os.Stderr
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	r := &running{addr: b.at(port), cmd: cmd}
	if b.port == webPort {
		return r, r.listens()
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if once(r.addr) == nil {
			return r, nil
		}
	}
	r.stop()
	return nil, fmt.Errorf("%s does not answer", p.name)
}

// limit lets a program open a few files only.
func (b *bench) limit(cmd *exec.Cmd) {
	words := append([]string{"prlimit", fmt.Sprintf("--nofile=%d:%d", b.files, b.files)}, cmd.Args...)
	limited := exec.Command(words[0], words[1:]...)
	limited.ExtraFiles = cmd.ExtraFiles
	*cmd = *limited
}

// listens waits until somebody takes connections.
func (r *running) listens() error {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if conn, err := net.Dial("tcp", r.addr); err == nil {
			return conn.Close()
		}
	}
	return fmt.Errorf("nobody listens at %s", r.addr)
}

// stop ends the peer and its children.
func (r *running) stop() {
	if r.cmd == nil {
		return
	}
	syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
	r.cmd.Wait()
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// once asks for one byte and gets it.
func once(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Write([]byte("o")); err != nil {
		return err
	}
	got := make([]byte, 2)
	n, err := conn.Read(got)
	if n != 1 {
		return errors.Join(fmt.Errorf("%d bytes instead of 1", n), err)
	}
	return nil
}
