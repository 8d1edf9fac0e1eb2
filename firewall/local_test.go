package firewall

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
)

// A VPN that takes all traffic has routes of half the internet, without a
// router: they are no networks of this machine.
func TestAVPNsRoutesAreNoNetworks(t *testing.T) {
	if !sandboxtest.InOwnNetwork(t) {
		return
	}
	for _, line := range []string{
		"link add lan0 type veth peer name lan1", "link set lan1 up", "addr add 198.18.7.5/24 dev lan0", "-6 addr add 2a02:1:2:3::5/64 dev lan0 nodad", "link set lan0 up",
		"link add vpn0 type veth peer name vpn1", "link set vpn1 up", "addr add 10.8.0.2/32 dev vpn0", "link set vpn0 up",
		"route add 0.0.0.0/1 dev vpn0", "route add 128.0.0.0/1 dev vpn0", "route add 10.0.0.0/8 dev vpn0",
		"-6 route add ::/1 dev vpn0", "-6 route add 8000::/1 dev vpn0", "-6 route add 2000::/3 dev vpn0", "-6 route add 2a02:1:4::/48 dev vpn0",
	} {
		if _, err := run(t.Context(), "", "ip", strings.Fields(line)...); err != nil {
			t.Fatal(err)
		}
	}
	around, err := Surroundings(Bridge)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"198.18.7.0/24", "2a02:1:2:3::/64", "10.0.0.0/8", "10.8.0.2/32", "2a02:1:4::/48"} {
		if !slices.Contains(around.Networks, netip.MustParsePrefix(text)) {
			t.Errorf("%s is missing from %v", text, around.Networks)
		}
	}
	p := Policy{Bridge: Bridge, Local: around.Networks}
	for text, want := range map[string]bool{"9.9.9.9": true, "200.1.2.3": true, "2620:fe::9": true, "10.1.2.3": false, "2a02:1:2:3::9": false, "2a02:1:4::1": false, "fd00::1": false} {
		if got := p.Lets("tcp", netip.AddrPortFrom(netip.MustParseAddr(text), 443), false); got != want {
			t.Errorf("%s is let through: %v, want %v (networks %v)", text, got, want, around.Networks)
		}
	}
	for _, backend := range []Backend{nft{}, newIPTables()} {
		if backend.Name() == "iptables" {
			legacy(t)
		}
		if err := backend.Replace(t.Context(), p); err != nil {
			t.Errorf("%s: %v", backend.Name(), err)
		}
	}
}

// Where nothing is left of the internet the rules go in all the same, and let
// nothing through.
func TestNothingLeftOfTheInternetIsClosed(t *testing.T) {
	if !sandboxtest.InOwnNetwork(t) {
		return
	}
	p := Policy{Bridge: Bridge}
	for first := range 256 {
		p.Local = append(p.Local, netip.MustParsePrefix(fmt.Sprintf("%d.0.0.0/8", first)))
	}
	if left := p.internet(false); len(left) > 0 {
		t.Fatalf("left: %v", left)
	}
	for _, backend := range []Backend{nft{}, newIPTables()} {
		if backend.Name() == "iptables" {
			legacy(t)
		}
		for range 2 { // into nothing, and into what is there
			if err := backend.Replace(t.Context(), p); err != nil {
				t.Fatalf("%s: %v", backend.Name(), err)
			}
		}
		there, err := backend.List(t.Context())
		if err != nil || !strings.Contains(there.Text, "other than the internet") || strings.Contains(there.Text, "9.0.0.0/8") {
			t.Errorf("%s: %v\n%s", backend.Name(), err, there.Text)
		}
	}
}
