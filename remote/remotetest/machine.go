// Package remotetest makes another machine for tests: a network namespace with
// a real ssh server and a real Docker engine in it, which this machine reaches
// by one cable and nothing else. It needs root. It makes and removes only what
// it made itself.
package remotetest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// serial tells the machines of one process apart.
var serial atomic.Int64

// patience bounds the start of a server.
const patience = time.Minute

// Machine is another machine.
type Machine struct {
	Address    string // of its ssh server, host:port
	User       string
	KeyFile    string // lets User in
	KnownHosts string // knows the machine
	Socket     string // of its engine, over there (the file system is shared)

	name   string // of the namespace; the cable's ends are called after it
	folder string
	ours   string
	sshd   *exec.Cmd
	others []*exec.Cmd
	engine *exec.Cmd
	config string
}

// Start makes a machine with an ssh server; StartEngine adds an engine.
func Start() (*Machine, error) {
	folder, err := os.MkdirTemp("", "far") // short: sockets have short paths
	if err != nil {
		return nil, err
	}
	number := serial.Add(1)
	// A net of four addresses of the range for benchmarks (RFC 2544), by process.
	at := (os.Getpid()*8 + int(number)*4) % (1 << 16)
	net := fmt.Sprintf("198.18.%d.", at>>8)
	m := &Machine{User: "root", folder: folder, name: fmt.Sprintf("far%d-%d", os.Getpid(), number), Socket: filepath.Join(folder, "docker.sock"),
		KeyFile: filepath.Join(folder, "key"), KnownHosts: filepath.Join(folder, "known_hosts"), ours: fmt.Sprintf("%s%d", net, at&0xfc+1)}
	theirs := fmt.Sprintf("%s%d", net, at&0xfc+2)
	m.Address = theirs + ":2222"
	if err := errors.Join(m.lay(theirs), m.writeKeys(), m.StartSSH()); err != nil {
		m.Stop()
		return nil, err
	}
	return m, nil
}

// lay makes the namespace, and the cable to it.
func (m *Machine) lay(theirs string) error {
	here, there := m.name+"a", m.name+"b"
	for _, line := range []string{
		"ip netns add " + m.name,
		"ip link add " + here + " type veth peer name " + there + " netns " + m.name,
		"ip addr add " + m.ours + "/30 dev " + here,
		"ip link set " + here + " up",
		"ip netns exec " + m.name + " ip link set lo up",
		"ip netns exec " + m.name + " ip addr add " + theirs + "/30 dev " + there,
		"ip netns exec " + m.name + " ip link set " + there + " up",
	} {
		if err := run(strings.Fields(line)...); err != nil {
			return err
		}
	}
	return nil
}

// writeKeys makes the machine's own key, one for its user, and known_hosts.
func (m *Machine) writeKeys() error {
	if err := run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", m.KeyFile); err != nil {
		return err
	}
	m.config = filepath.Join(m.folder, "sshd_config")
	config := strings.Join([]string{
		"ListenAddress " + m.Address, "HostKey " + m.hostKey(), "AuthorizedKeysFile " + m.KeyFile + ".pub", "PidFile none",
		"StrictModes no", "UsePAM no", "PasswordAuthentication no", "PermitRootLogin prohibit-password", "LogLevel VERBOSE", "",
	}, "\n")
	return errors.Join(os.WriteFile(m.config, []byte(config), 0o600), m.NewHostKey(), m.Know())
}

func (m *Machine) hostKey() string { return filepath.Join(m.folder, "host") }

// NewHostKey gives the machine another key, from the next start of its ssh
// server on; known_hosts stays.
func (m *Machine) NewHostKey() error {
	os.Remove(m.hostKey())
	return run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", m.hostKey())
}

// Know writes the machine's key into known_hosts.
func (m *Machine) Know() error {
	key, err := os.ReadFile(m.hostKey() + ".pub")
	if err != nil {
		return err
	}
	host, port, _ := strings.Cut(m.Address, ":")
	return os.WriteFile(m.KnownHosts, fmt.Appendf(nil, "[%s]:%s %s", host, port, key), 0o600)
}

// Forbid adds a line to the ssh server's configuration, e.g.
// "AllowTcpForwarding no", from its next start on.
func (m *Machine) Forbid(line string) error {
	text, err := os.ReadFile(m.config)
	if err != nil {
		return err
	}
	return os.WriteFile(m.config, append(text, line+"\n"...), 0o600)
}

// StartSSH starts the ssh server, at first or again.
func (m *Machine) StartSSH() (err error) {
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // where the server locks itself in
		return err
	}
	m.sshd, err = m.start("sshd.log", "/usr/sbin/sshd", "-D", "-e", "-f", m.config)
	if err != nil {
		return err
	}
	return m.await("sshd.log", func() bool { return strings.Contains(m.log("sshd.log"), "Server listening") })
}

// StopSSH ends the ssh server and every connection to it, as a crash does.
func (m *Machine) StopSSH() {
	if m.sshd != nil {
		syscall.Kill(-m.sshd.Process.Pid, syscall.SIGKILL)
		m.sshd.Wait()
		m.sshd = nil
	}
	// The processes of its connections are in sessions of their own.
	out, _ := exec.Command("ip", "netns", "exec", m.name, "ss", "-Htnp", "sport = :2222").Output()
	for _, pid := range pidsIn(string(out)) {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	os.Remove(filepath.Join(m.folder, "sshd.log"))
}

// pidsIn finds the numbers of processes in what ss prints ("pid=123,").
func pidsIn(text string) []int {
	var pids []int
	for _, part := range strings.Split(text, "pid=")[1:] {
		var pid int
		if _, err := fmt.Sscanf(part, "%d", &pid); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Unplug pulls the cable: nothing answers, and nothing says so.
func (m *Machine) Unplug() error { return run("ip", "link", "set", m.name+"a", "down") }

// Plug puts the cable back.
func (m *Machine) Plug() error { return run("ip", "link", "set", m.name+"a", "up") }

// Run starts a program over there, which ends with the machine.
func (m *Machine) Run(args ...string) error {
	cmd, err := m.start("other.log", args...)
	if err == nil {
		m.others = append(m.others, cmd)
	}
	return err
}

// start starts a program over there.
func (m *Machine) start(log string, args ...string) (*exec.Cmd, error) {
	file, err := os.OpenFile(filepath.Join(m.folder, log), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	// Not "ip netns exec": it hides the control groups, which an engine needs.
	cmd := exec.Command("nsenter", append([]string{"--net=/run/netns/" + m.name, "--"}, args...)...)
	cmd.Stdout, cmd.Stderr = file, file
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd, cmd.Start()
}

func (m *Machine) log(name string) string {
	text, _ := os.ReadFile(filepath.Join(m.folder, name))
	return string(text)
}

func (m *Machine) await(log string, is func() bool) error {
	for deadline := time.Now().Add(patience); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("the other machine does not come up:\n%s", m.log(log))
		}
	}
	return nil
}

// Stop removes the machine.
func (m *Machine) Stop() {
	m.StopSSH()
	m.stopEngine()
	for _, cmd := range m.others {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
	}
	exec.Command("ip", "netns", "del", m.name).Run() // the cable goes with it
	exec.Command("ip", "link", "del", m.name+"a").Run()
	os.RemoveAll(m.folder)
}

func run(args ...string) error {
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w (needs root, iproute2 and openssh-server)\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}
