package firewall

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
)

// The backend is the one that Docker uses; one that nobody knows is no reason
// to guess.
func TestChoose(t *testing.T) {
	for _, c := range []struct{ configured, docker, want string }{
		{"auto", "nftables", "nftables"}, {"nftables", "iptables", "nftables"}, {"iptables", "nftables", "iptables"},
	} {
		choice, err := Choose(t.Context(), c.configured, c.docker)
		if err != nil || choice.Backend.Name() != c.want {
			t.Errorf("%s with Docker's %s: %v, %v", c.configured, c.docker, choice, err)
		}
	}
	for _, configured := range []string{"auto", "nftables", "iptables"} {
		_, err := Choose(t.Context(), configured, "ebpf")
		var unknown *UnknownBackendError
		if !errors.As(err, &unknown) || unknown.Name != "ebpf" {
			t.Errorf("%s with an unknown one: %v", configured, err)
		}
	}
}

// Where the engine does not answer, its file tells what it will use.
func TestDockerSetting(t *testing.T) {
	for text, want := range map[string]string{"": "iptables", "{}": "iptables", `{"firewall-backend": "nftables"}`: "nftables", `{"firewall-backend": "ebpf"}`: "ebpf", "{": "iptables"} {
		path := filepath.Join(t.TempDir(), "daemon.json")
		if text != "" {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := dockerSetting(path); got != want {
			t.Errorf("%q gives %s, want %s", text, got, want)
		}
	}
}

func ranges(texts ...string) (list []netip.Prefix) {
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

func TestSubnetsThatAreTaken(t *testing.T) {
	taken := ranges("0.0.0.0/0", "192.168.50.0/24", "172.17.0.0/16", "fd00:d0c::/64")
	found := Overlaps(ranges("192.168.0.0/16", "172.17.3.0/24", "10.99.0.0/24", "fd00:d0c::/120"), taken)
	if len(found) != 3 || found[0].Error() != "192.168.0.0/16 overlaps with 192.168.50.0/24" || found[2].Subnet != netip.MustParsePrefix("fd00:d0c::/120") {
		t.Errorf("%v", found)
	}
	first, err := ChooseSubnets(nil, taken, "seed")
	if err != nil || len(first) != 2 || len(Overlaps(first, taken)) > 0 || !first[0].Addr().Is4() || !first[1].Addr().Is6() {
		t.Fatalf("%v, %v", first, err)
	}
	if again, err := ChooseSubnets(nil, taken, "seed"); err != nil || again[0] != first[0] || again[1] != first[1] {
		t.Errorf("%v, %v", again, err)
	}
	other, err := ChooseSubnets(nil, append(taken, first...), "seed")
	if err != nil || len(Overlaps(other, append(taken, first...))) > 0 {
		t.Errorf("%v, %v", other, err)
	}
	if kept, err := ChooseSubnets(ranges("10.99.0.0/24"), taken, "seed"); err != nil || len(kept) != 2 || kept[0] != netip.MustParsePrefix("10.99.0.0/24") || kept[1] != first[1] {
		t.Errorf("%v, %v", kept, err)
	}
	if _, err := ChooseSubnets(nil, ranges("10.0.0.0/8"), "seed"); err == nil {
		t.Error("there is a free range where there is none")
	}
}
