package isolation

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/firewall/probe"
	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
)

// legacy puts the legacy iptables in front of the others, for the engine and
// for us.
func legacy(t *testing.T) {
	t.Helper()
	folder := t.TempDir()
	for _, name := range []string{"iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore"} {
		check(t, os.Symlink("/usr/sbin/xtables-legacy-multi", filepath.Join(folder, name)))
	}
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
}

// flushed empties our chains, as somebody does who does not know them.
const flushed = `for program in iptables ip6tables; do for table in filter security; do for chain in OUT INTO HOST; do
	$program -t $table -F FRAKTALIA-$chain
done; done; done`

// Where Docker uses the legacy iptables, the same is proved by the same probes.
func TestIsolationByLegacyIPTables(t *testing.T) {
	if !sandboxtest.InOwnNetwork(t) {
		return
	}
	legacy(t)
	w := newWorld(t)
	if said := w.must("apply"); !strings.Contains(said, "The rules are in. (iptables; Docker uses iptables (legacy))") {
		t.Errorf("apply said\n%s", said)
	}
	if tables := w.sh("nft list tables"); strings.Contains(tables, "fraktalia") {
		t.Errorf("there is a table of nftables, too:\n%s", tables)
	}
	w.hurry()
	wantProved(t, w, "at first")
	t.Run("the world answers where nothing forbids it", func(t *testing.T) { legacyFlushed(t, w) })
	t.Run("Docker restarts", func(t *testing.T) { legacyRestart(t, w) })
	if said := w.must("remove"); !strings.Contains(said, "The rules are removed.") || strings.Contains(w.sh("iptables-save; ip6tables-save"), "FRAKTALIA") {
		t.Errorf("remove said\n%s", said)
	}
}

func legacyFlushed(t *testing.T, w *world) {
	w.sh(flushed)
	c, status := w.check()
	if status != 1 || c.OK || c.Rules != "changed" {
		t.Errorf("status %d, rules %s", status, c.Rules)
	}
	open := map[string]bool{}
	for _, f := range c.Findings {
		if f.How == probe.Open && f.Verdict == probe.Surprise {
			open[f.Addr.Addr().String()] = true
		}
	}
	for _, addr := range []string{"10.99.0.1", "192.168.50.1", "169.254.169.254", "100.100.100.100", "fd99::1", "2a02:aaaa:0:1::1", "fd7a:115c:a1e0::53"} {
		if !open[addr] {
			t.Errorf("%s was not open without rules\n%s", addr, c.told())
		}
	}
	if said := w.must("apply"); !strings.Contains(said, "Somebody else had changed the rules. They are put back.") {
		t.Errorf("apply said\n%s", said)
	}
	wantProved(t, w, "after they were put back")
}

// Docker puts its own rules before ours when it starts. Until ours are put in
// front again, the second ones let nothing out.
func legacyRestart(t *testing.T, w *world) {
	w.engine.Stop()
	w.engine.Start()
	before := map[string]string{}
	places := []string{"lan", "tail", "host"}
	for _, place := range places {
		before[place] = w.hears(place)
	}
	box := w.newSandbox()
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
	defer stop()
	if n, err := strconv.Atoi(w.knock(ctx, box, 100)); err != nil || n < 100 {
		t.Errorf("%d knocks, %v", n, err)
	}
	for _, place := range places {
		if after := w.hears(place); after != before[place] {
			t.Errorf("after a restart of Docker %s heard\n%s", place, strings.TrimPrefix(after, before[place]))
		}
	}
	sandboxtest.Docker(t, "rm", "-f", box)
	w.must("apply") // as the unit does when Docker restarts
	wantProved(t, w, "after a restart of Docker")
	if said := w.must("apply"); !strings.Contains(said, "The rules stand; nothing was changed.") {
		t.Errorf("apply said\n%s", said)
	}
}
