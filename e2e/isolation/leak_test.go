package isolation

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
)

// inside runs a script in a container's network, with the machine's programs
// and root's rights: more than any agent has.
func (w *world) inside(container, script string) (string, error) {
	pid := sandboxtest.Docker(w.t, "inspect", "-f", "{{.State.Pid}}", container)
	out, err := exec.CommandContext(w.t.Context(), "nsenter", "-t", pid, "-n", "--", "sh", "-c", script).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// packets is what a rule has met.
func (w *world) packets(what string) int {
	w.t.Helper()
	found := regexp.MustCompile(`counter packets (\d+) .*comment "`+regexp.QuoteMeta(what)+`"`).FindAllStringSubmatch(w.sh("nft list table inet fraktalia"), -1)
	if found == nil {
		w.t.Fatalf("there is no rule %q", what)
	}
	sum := 0
	for _, one := range found {
		n, err := strconv.Atoi(one[1])
		if err != nil {
			w.t.Fatal(err)
		}
		sum += n
	}
	return sum
}

// newSandbox starts a sandbox on the isolated network.
func (w *world) newSandbox() string {
	w.t.Helper()
	return sandboxtest.Start(w.t, sandboxtest.Sandbox{Image: sandboxtest.Image(w.t), Agent: "mox", Network: "fraktalia", Listen: []string{":9005"}})
}

func TestNothingGetsOutWhileRulesAreReplaced(t *testing.T) {
	if !sandboxtest.InOwnNetwork(t) {
		return
	}
	w := newWorld(t)
	w.must("apply")
	w.hurry()
	box := w.newSandbox()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan string)
	go func() { done <- w.knock(ctx, box, 0) }()
	const times = 60
	for i := range times { // each time another policy, so that each time all is replaced
		w.allow(fmt.Sprintf(`"192.168.50.99:%d"`, 1000+i))
		if said := w.must("apply"); !strings.Contains(said, "in place of older ones") {
			t.Fatalf("apply said\n%s", said)
		}
	}
	stop()
	knocks := <-done
	t.Logf("%s knocks while the rules were replaced %d times", knocks, times)
	if n, err := strconv.Atoi(knocks); err != nil || n < 10*times {
		t.Errorf("too few knocks to prove anything: %q", knocks)
	}
	for _, place := range []string{"lan", "tail", "host"} {
		if heard := w.hears(place); strings.Contains(heard, "heard") {
			t.Errorf("%s heard\n%s", place, heard)
		}
	}
	// The same knocks are heard as soon as there are no rules.
	w.must("remove", "--force")
	ctx, stop = context.WithTimeout(t.Context(), time.Second)
	defer stop()
	if n, err := strconv.Atoi(w.knock(ctx, box, 100)); err != nil || n < 100 {
		t.Errorf("%d knocks, %v", n, err)
	}
	for _, place := range []string{"lan", "tail", "host"} {
		w.await(place+" hears without rules, or the knocks prove nothing", func() bool { return strings.Contains(w.hears(place), "heard udp") })
	}
}

// knock sends datagrams to everywhere from inside a sandbox, until ctx ends and
// at least so many are sent, and says how many.
func (w *world) knock(ctx context.Context, container string, least int) string {
	pid := sandboxtest.Docker(w.t, "inspect", "-f", "{{.State.Pid}}", container)
	cmd := exec.Command("nsenter", "-t", pid, "-n", "--", "python3", "-I", "-c", `
import select, socket, sys, time
n = 0
while n < int(sys.argv[1]) or not select.select([0], [], [], 0)[0]: # our end of stdin is open
    for family, addr in ((socket.AF_INET, "192.168.50.20"), (socket.AF_INET6, "2a02:aaaa:0:1::20"), (socket.AF_INET, "100.100.100.100"), (socket.AF_INET, "10.99.0.1")):
        with socket.socket(family, socket.SOCK_DGRAM) as s: # a flow of its own each time
            try:
                s.sendto(b"x", (addr, 80))
            except OSError:
                pass
            n += 1
    time.sleep(0.0005)
print(n)
`, strconv.Itoa(least))
	going, err := cmd.StdinPipe()
	if err != nil {
		return err.Error()
	}
	defer context.AfterFunc(ctx, func() { going.Close() })()
	out, err := cmd.Output()
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(out))
}

// A flow that a sandbox began before there were rules ends with them.
func TestFlowsFromBeforeTheRulesEnd(t *testing.T) {
	if !sandboxtest.InOwnNetwork(t) {
		return
	}
	w := newWorld(t)
	w.must("apply")
	box := w.newSandbox()
	w.must("remove", "--force")
	said := make(chan string)
	go func() {
		out, _ := w.inside(box, `python3 -I -c '
import socket, time
s = socket.create_connection(("192.168.50.20", 80), 10)
for i in range(200):
    s.sendall(b"word%03d." % i)
    time.sleep(0.05)
'`)
		said <- out
	}()
	w.await("the flow is heard", func() bool { return strings.Contains(w.hears("lan"), "word003") })
	w.must("apply")
	before := w.hears("lan")
	refused := w.packets("other than the internet")
	w.await("the flow is refused", func() bool { return w.packets("other than the internet") > refused+2 })
	if after := w.hears("lan"); after != before {
		t.Errorf("after the rules were in, the LAN heard\n%s", strings.TrimPrefix(after, before))
	}
	sandboxtest.Docker(t, "rm", "-f", box)
	<-said
}

// ping is a script that fails where no answer comes.
func ping(addr string) string {
	return `python3 -I -c '
import socket, sys
six = ":" in sys.argv[1]
s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM, 58 if six else 1)
s.settimeout(2)
s.connect((sys.argv[1], 0))
s.send(bytes([128 if six else 8, 0, 0 if six else 0xf7, 0 if six else 0xff, 0, 0, 0, 0]))
s.recv(100)' ` + addr
}

// What a sandbox with more rights than any has cannot do either.
func TestOtherWaysOut(t *testing.T) {
	if !sandboxtest.InOwnNetwork(t) {
		return
	}
	w := newWorld(t)
	w.must("apply")
	w.hurry()
	box := w.newSandbox()
	for name, way := range map[string]struct{ rule, script string }{
		"a false source address": {"false source addresses", `ip addr add 192.168.50.77/32 dev eth0; ip addr add 2a02:aaaa:0:1::77/128 dev eth0 nodad
			python3 -I -c '
import socket
for f, a, to in ((socket.AF_INET, "192.168.50.77", "1.1.1.1"), (socket.AF_INET6, "2a02:aaaa:0:1::77", "2606:4700:4700::1111")):
    s = socket.socket(f, socket.SOCK_DGRAM); s.bind((a, 0)); s.sendto(b"x", (to, 443))
'; ip addr del 192.168.50.77/32 dev eth0; ip addr del 2a02:aaaa:0:1::77/128 dev eth0`},
		"ping": {"other than the internet", ping("192.168.50.20")},
		"a protocol that nobody knows": {"other than the internet", `python3 -I -c '
import socket
socket.socket(socket.AF_INET, socket.SOCK_RAW, 253).sendto(b"x", ("192.168.50.20", 0))'`},
		"SCTP to the machine": {"this machine", `python3 -I -c '
import socket
socket.socket(socket.AF_INET, socket.SOCK_RAW, 132).sendto(b"x" * 12, ("192.168.50.5", 0))'`},
		"a router's advertisement": {"this machine", `python3 -I -c '
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58); s.setsockopt(41, 18, 255); s.setsockopt(41, 17, socket.if_nametoindex("eth0"))
s.sendto(bytes([134, 0, 0, 0, 64, 0, 7, 8]) + bytes(8), ("ff02::1", 0))'`},
	} {
		before := w.packets(way.rule)
		out, _ := w.inside(box, way.script)
		w.await(name+" is met: "+out, func() bool { return w.packets(way.rule) > before })
	}
	if out, err := w.inside(box, ping("1.1.1.1")+" && "+ping("2606:4700:4700::1111")); err != nil {
		t.Errorf("the internet takes no ping: %v\n%s", err, out)
	}
	if heard := w.hears("lan"); strings.Contains(heard, "192.168.50.77") || strings.Contains(heard, "::77") {
		t.Errorf("the internet heard the false addresses\n%s", heard)
	}
}
