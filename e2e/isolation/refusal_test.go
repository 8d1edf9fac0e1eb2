package isolation

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
)

// What is in the way is told in a sentence, and nothing is changed: neither
// rules nor networks.
func TestApplyRefuses(t *testing.T) {
	if !sandboxtest.InOwnNetwork(t) {
		return
	}
	w := newWorld(t)
	refused := func(words ...string) {
		t.Helper()
		before := w.sh("docker network ls")
		said, status := w.firewall("apply")
		for _, word := range append(words, "Nothing was changed.") {
			if status == 0 || !strings.Contains(said, word) {
				t.Errorf("status %d, and not %q in\n%s", status, word, said)
			}
		}
		if rules, after := w.sh("nft list tables"), w.sh("docker network ls"); strings.Contains(rules, "fraktalia") || before != after {
			t.Errorf("something was changed:\n%s\n%s", rules, after)
		}
	}
	subnets := func(list string) {
		text := strings.Replace(fmt.Sprintf(settings, ""), `[10.99.0.0/24, "fd99::/64"]`, list, 1)
		if err := os.WriteFile(w.config(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	subnets(`[192.168.50.128/25, "fd00:d0c::/56"]`) // the LAN's, and Docker's own network's
	refused("192.168.50.128/25 overlaps with 192.168.50.0/24", "fd00:d0c::/56 overlaps with fd00:d0c::/64", "Choose others, or none")
	subnets(`[10.99.0.0/24, "fd99::/64"]`)
	sandboxtest.Docker(t, "network", "create", "-o", "com.docker.network.bridge.name=fraktalia0", "holder")
	refused("The bridge fraktalia0 belongs to the Docker network holder. Remove that one (docker network rm holder)")
	sandboxtest.Docker(t, "network", "rm", "holder")
	sandboxtest.Docker(t, "network", "create", "fraktalia")
	refused("There is a Docker network fraktalia that I did not make. Remove it (docker network rm fraktalia)")
	sandboxtest.Docker(t, "network", "rm", "fraktalia")
	if said := w.must("apply"); !strings.Contains(said, "The network fraktalia is made") {
		t.Error(said)
	}
	subnets(`[10.98.0.0/24, "fd99::/64"]`)
	if said, status := w.firewall("apply"); status == 0 || !strings.Contains(said, "firewall.subnets says 10.98.0.0/24") {
		t.Errorf("status %d\n%s", status, said)
	}
}
