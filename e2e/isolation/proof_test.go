package isolation

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/firewall/probe"
	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
)

// wantProved checks that all is as it should be, and that nothing was left out.
func wantProved(t *testing.T, w *world, when string) {
	t.Helper()
	c, status := w.check()
	if status != 0 || !c.OK || c.Offline || len(c.Surprises()) > 0 {
		t.Fatalf("%s: status %d\n%s", when, status, c.told())
	}
	refused := map[string]bool{}
	for _, f := range c.Findings {
		if f.Want == probe.Closed && (f.How == probe.Prohibited || f.Name == "another sandbox") {
			refused[f.Protocol+" "+f.Addr.Addr().String()] = true
		}
		if f.Verdict == probe.Unproven {
			t.Errorf("%s: %s %s says nothing: %s", when, f.Protocol, f.Addr, f.How)
		}
		if f.Name == "the internet" && f.How != probe.Open {
			t.Errorf("%s: the internet by %s at %s is %s", when, f.Protocol, f.Addr, f.How)
		}
	}
	for _, addr := range everything {
		for _, protocol := range []string{"tcp", "udp"} {
			if !refused[protocol+" "+addr] {
				t.Errorf("%s: %s to %s was not refused\n%s", when, protocol, addr, c.told())
			}
		}
	}
}

// everything is what must not be reached: the bridge's gateway, the machine's
// addresses, the LAN's router, a neighbour, another container's network, the
// metadata, the tailnet; in both families.
var everything = []string{
	"10.99.0.1", "192.168.50.5", "172.17.0.1", "100.64.0.5", "192.168.50.1", "169.254.169.254", "100.100.100.100",
	"fd99::1", "2a02:aaaa:0:1::5", "fd00:d0c::1", "fd7a:115c:a1e0::5", "2a02:aaaa:0:1::1", "fd00:ec2::254", "fd7a:115c:a1e0::53",
}

func TestIsolationIsProved(t *testing.T) {
	if !sandboxtest.InOwnNetwork(t) {
		return
	}
	w := newWorld(t)
	sandboxtest.Start(t, sandboxtest.Sandbox{Image: sandboxtest.Image(t), Listen: []string{":80"}}) // another container's network
	if said := w.must("apply"); !strings.Contains(said, "The network fraktalia is made: 10.99.0.0/24, fd99::/64") {
		t.Errorf("apply said\n%s", said)
	}
	wantProved(t, w, "at first")
	w.hurry()
	wantProvedOther(t, w)

	t.Run("the world answers where nothing forbids it", func(t *testing.T) { withoutRules(t, w) })
	t.Run("rules changed by somebody else", func(t *testing.T) { meddled(t, w) })
	t.Run("Docker restarts, others reload", func(t *testing.T) { restarts(t, w) })
	t.Run("what the owner allows", func(t *testing.T) { allowed(t, w) })
	t.Run("no internet", func(t *testing.T) { offline(t, w) })
}

// wantProvedOther says that the other container was among what was tried.
func wantProvedOther(t *testing.T, w *world) {
	t.Helper()
	c, _ := w.check()
	for _, f := range c.Findings {
		if f.Name == "another container" && f.Addr.Addr() == netip.MustParseAddr("172.17.0.2") && f.How == probe.Prohibited {
			return
		}
	}
	t.Errorf("the other container was not tried\n%s", c.told())
}

// withoutRules shows that the tries are real: each of these answers as soon as
// the rules are gone.
func withoutRules(t *testing.T, w *world) {
	w.sh("nft delete table inet fraktalia")
	c, status := w.check()
	if status != 1 || c.OK || c.Rules != "missing" {
		t.Errorf("status %d\n%s", status, c.told())
	}
	open := map[string]bool{}
	for _, f := range c.Findings {
		if f.How == probe.Open && f.Verdict == probe.Surprise {
			open[f.Protocol+" "+f.Addr.Addr().String()] = true
		}
	}
	for _, addr := range []string{"10.99.0.1", "192.168.50.5", "192.168.50.1", "169.254.169.254", "100.100.100.100", "fd99::1", "2a02:aaaa:0:1::1", "fd7a:115c:a1e0::53", "fd00:ec2::254"} {
		for _, protocol := range []string{"tcp", "udp"} {
			if !open[protocol+" "+addr] {
				t.Errorf("%s to %s was not open without rules\n%s", protocol, addr, c.told())
			}
		}
	}
	if said := w.must("apply"); !strings.Contains(said, "The rules are in.") {
		t.Errorf("apply said\n%s", said)
	}
	wantProved(t, w, "after they were put in again")
}

func meddled(t *testing.T, w *world) {
	w.sh("nft insert rule inet fraktalia out_of_sandbox ip daddr 192.168.50.0/24 accept")
	c, status := w.check()
	if status != 1 || c.Rules != "changed" || len(c.Surprises()) == 0 {
		t.Errorf("status %d\n%s", status, c.told())
	}
	if said, _ := w.firewall("show"); !strings.Contains(said, "somebody else has changed them") {
		t.Errorf("show said\n%s", said)
	}
	if said := w.must("apply"); !strings.Contains(said, "Somebody else had changed the rules. They are put back.") {
		t.Errorf("apply said\n%s", said)
	}
	wantProved(t, w, "after they were put back")
}

func restarts(t *testing.T, w *world) {
	w.engine.Stop()
	w.engine.Start()
	wantProved(t, w, "after a restart of Docker")
	w.sh("iptables -F; iptables -t nat -S >/dev/null; ip6tables -F") // as a reload of firewalld does
	if said := w.must("show", "--json"); !strings.Contains(said, `"rules": "right"`) || !strings.Contains(said, `"network": "fraktalia"`) {
		t.Errorf("show said\n%s", said)
	}
	w.engine.Stop()
	w.engine.Start()
	wantProved(t, w, "after a flush of iptables and another restart")
	if said := w.must("apply"); !strings.Contains(said, "The rules stand; nothing was changed.") {
		t.Errorf("apply said\n%s", said)
	}
}

func allowed(t *testing.T, w *world) {
	w.allow(`"192.168.50.20:22", "[2a02:aaaa:0:1::20]:53/udp", "192.168.50.5:80"`)
	if said := w.must("apply"); !strings.Contains(said, "in place of older ones") {
		t.Errorf("apply said\n%s", said)
	}
	c, status := w.check()
	open := 0
	for _, f := range c.Findings {
		if f.Name == "allowed by you" && f.How == probe.Open {
			open++
		}
	}
	if status != 0 || open != 3 {
		t.Errorf("status %d, %d open\n%s", status, open, c.told())
	}
	w.allow("")
	w.must("apply")
	wantProved(t, w, "after nothing is allowed any more")
}

// offline has the machine itself not reach the internet: nothing is claimed.
func offline(t *testing.T, w *world) {
	w.sh("ip route del default; ip -6 route del default via 2a02:aaaa:0:1::1")
	defer w.sh("ip route add default via 192.168.50.1; ip route add default via 2a02:aaaa:0:1::1")
	c, _ := w.check()
	if !c.Offline {
		t.Errorf("it is not told that the machine is offline\n%s", c.told())
	}
	for _, f := range c.Findings {
		if f.Name == "the internet" && f.Verdict != probe.Unproven {
			t.Errorf("offline, the internet is %s\n%s", f.Verdict, c.told())
		}
	}
	if said, _ := w.firewall("check"); !strings.Contains(said, "does not reach the internet now") {
		t.Errorf("check said\n%s", said)
	}
}
