// Package isolation tests the firewall and its proof with the real program, a
// real engine and the kernel's own rules, in a small world of network
// namespaces: a LAN with a router and a neighbour, a tailnet, a metadata
// service, and an internet. All of it stands in a namespace of the test's own.
package isolation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/githabideri/fraktalia/e2e/harness"
	"github.com/githabideri/fraktalia/firewall/probe"
	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
)

// listening is set where this program is a server in one of the namespaces.
const listening = "FRAKTALIA_TEST_LISTEN"

func TestMain(m *testing.M) {
	if ports := os.Getenv(listening); ports != "" {
		serve(strings.Fields(ports))
		return
	}
	os.Exit(m.Run())
}

// serve answers on TCP and UDP, and writes a line for each that it hears.
func serve(ports []string) {
	for _, port := range ports {
		streams, err := net.Listen("tcp", ":"+port)
		if err != nil {
			fmt.Println("cannot listen:", err)
			return
		}
		for _, network := range []string{"udp4", "udp6"} {
			if err := answer(network, port); err != nil {
				fmt.Println("cannot listen:", err)
				return
			}
		}
		go func() {
			for {
				conn, err := streams.Accept()
				if err != nil {
					return
				}
				fmt.Println("heard tcp", conn.LocalAddr(), conn.RemoteAddr())
				go echo(conn)
			}
		}()
	}
	fmt.Println("listening")
	select {}
}

// answer sends datagrams back from the address to which they came: a machine
// with several would answer from whichever.
func answer(network, port string) error {
	at, err := net.ResolveUDPAddr(network, ":"+port)
	if err != nil {
		return err
	}
	conn, err := net.ListenUDP(network, at)
	if err != nil {
		return err
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		if network == "udp4" {
			failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
		} else {
			failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
		}
	})
	go func() {
		buffer, control := make([]byte, 2048), make([]byte, 512)
		for {
			n, m, _, from, err := conn.ReadMsgUDP(buffer, control)
			if err != nil {
				return
			}
			fmt.Println("heard udp", port, from)
			conn.WriteMsgUDP(buffer[:n], control[:m], from)
		}
	}()
	return errors.Join(err, failed)
}

func echo(conn net.Conn) {
	defer conn.Close()
	buffer := make([]byte, 64)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		fmt.Printf("heard %q\n", buffer[:n])
		conn.Write(buffer[:n])
	}
}

// world is the machine with what is around it.
type world struct {
	t      *testing.T
	dir    string
	binary string
	engine *sandboxtest.Daemon
	// heard are the files into which the servers around write.
	heard map[string]string
}

// settings is the firewall's part of a configuration; the addresses are known
// beforehand, for the world's routes.
const settings = `homeserver: {address: "http://127.0.0.1:8008", server_name: test}
bot: {user_id: "@bot:test"}
owners: ["@mila:test"]
firewall:
  subnets: [10.99.0.0/24, "fd99::/64"]
  dns: ""
  allow: [%s]
`

// newWorld builds it and starts an engine in it.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), heard: map[string]string{}}
	var err error
	if w.binary, err = harness.Build(t.Context(), w.dir); err != nil {
		t.Fatal(err)
	}
	w.sh("mkdir -p /run/fraktalia && mount -t tmpfs tmpfs /run/fraktalia") // the note of the rules is this machine's
	w.around()
	w.engine = sandboxtest.NewWalledDaemon(t)
	w.server("host", "", "80")
	w.allow("")
	return w
}

// around makes the networks: behind eth0 the router (.1) with a neighbour (.20),
// the internet and the metadata behind it; behind tailscale0 the tailnet.
func (w *world) around() {
	lan, tail := w.namespace("lan"), w.namespace("tail")
	w.sh(fmt.Sprintf(`set -e
		ip link add eth0 type veth peer name up0 netns %[1]s
		ip addr add 192.168.50.5/24 dev eth0; ip addr add 2a02:aaaa:0:1::5/64 dev eth0 nodad; ip link set eth0 up
		in_lan="ip netns exec %[1]s"
		$in_lan ip link set lo up; $in_lan ip link set up0 up
		for a in 192.168.50.1/24 192.168.50.20/24; do $in_lan ip addr add $a dev up0; done
		for a in 2a02:aaaa:0:1::1/64 2a02:aaaa:0:1::20/64; do $in_lan ip addr add $a dev up0 nodad; done
		for a in 1.1.1.1/32 169.254.169.254/32; do $in_lan ip addr add $a dev lo; done
		for a in 2606:4700:4700::1111/128 fd00:ec2::254/128; do $in_lan ip addr add $a dev lo nodad; done
		$in_lan ip route add default via 192.168.50.5; $in_lan ip route add fd99::/64 via 2a02:aaaa:0:1::5
		ip route add default via 192.168.50.1; ip route add default via 2a02:aaaa:0:1::1
		ip link add tailscale0 type veth peer name ts0 netns %[2]s
		ip addr add 100.64.0.5/10 dev tailscale0; ip addr add fd7a:115c:a1e0::5/48 dev tailscale0 nodad; ip link set tailscale0 up
		in_tail="ip netns exec %[2]s"
		$in_tail ip link set lo up; $in_tail ip link set ts0 up
		for a in 100.100.100.100/10 100.64.0.1/10; do $in_tail ip addr add $a dev ts0; done
		for a in fd7a:115c:a1e0::53/48 fd7a:115c:a1e0::1/48; do $in_tail ip addr add $a dev ts0 nodad; done
		$in_tail ip route add default via 100.64.0.5; $in_tail ip route add default via fd7a:115c:a1e0::5`, lan, tail))
	w.server("lan", lan, "22 80 443 53")
	w.server("tail", tail, "22 80")
}

// namespace makes one that goes with the test.
func (w *world) namespace(name string) string {
	full := fmt.Sprintf("fraktalia-test-%s-%d", name, os.Getpid())
	w.sh("ip netns add " + full)
	w.t.Cleanup(func() { exec.Command("ip", "netns", "delete", full).Run() })
	return full
}

// server starts this program as one that listens, in a namespace ("" is the
// machine's own).
func (w *world) server(name, namespace, ports string) {
	w.t.Helper()
	w.heard[name] = filepath.Join(w.dir, name+".heard")
	log, err := os.Create(w.heard[name])
	if err != nil {
		w.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(os.Args[0])
	if namespace != "" {
		cmd = exec.Command("ip", "netns", "exec", namespace, os.Args[0])
	}
	cmd.Env = append(os.Environ(), listening+"="+ports)
	cmd.Stdout = log
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	w.await(name+" listens", func() bool { return strings.Contains(w.hears(name), "listening") })
}

// hears is what a server has heard so far.
func (w *world) hears(name string) string {
	text, err := os.ReadFile(w.heard[name])
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

func (w *world) await(what string, ok func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("waited in vain: %s", what)
		}
	}
}

// sh runs a script on the machine.
func (w *world) sh(script string) string {
	w.t.Helper()
	out, err := exec.Command("sh", "-c", script).CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return strings.TrimSpace(string(out))
}

// allow writes the configuration with what sandboxes may reach.
func (w *world) allow(openings string) {
	w.t.Helper()
	if err := os.WriteFile(w.config(), fmt.Appendf(nil, settings, openings), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) config() string { return filepath.Join(w.dir, "fraktalia.yaml") }

// firewall runs `fraktalia firewall` and returns all that it says, with its
// status.
func (w *world) firewall(args ...string) (said string, status int) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, w.binary, append([]string{"firewall", "--config", w.config()}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		w.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// must runs it and fails the test where it fails.
func (w *world) must(args ...string) string {
	w.t.Helper()
	said, status := w.firewall(args...)
	if status != 0 {
		w.t.Fatalf("firewall %s: status %d\n%s", strings.Join(args, " "), status, said)
	}
	return said
}

// checked is what `firewall check --json` says.
type checked struct {
	OK    bool   `json:"ok"`
	Rules string `json:"rules"`
	probe.Report
}

// hurry lifts the kernel's limit on refusals, one a second, which makes each
// check take a quarter of a minute.
func (w *world) hurry() {
	w.sh("sysctl -q net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0")
}

// check runs the proof.
func (w *world) check() (c checked, status int) {
	w.t.Helper()
	said, status := w.firewall("check", "--json")
	if err := json.NewDecoder(strings.NewReader(said[strings.Index(said, "{"):])).Decode(&c); err != nil {
		w.t.Fatalf("%v in\n%s", err, said)
	}
	return c, status
}

// told is the report for a failed test.
func (c checked) told() string {
	var out strings.Builder
	fmt.Fprintf(&out, "rules %s\n", c.Rules)
	for _, f := range c.Findings {
		fmt.Fprintf(&out, "%-9s %-45s %s %-28s want %-8s seen %s %s\n", f.Verdict, f.Name, f.Protocol, f.Addr, f.Want, f.How, f.By)
	}
	return out.String()
}
