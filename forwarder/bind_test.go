package forwarder

import (
	"net/netip"
	"os/exec"
	"slices"
	"testing"

	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
)

func TestWhereAPolicyListens(t *testing.T) {
	at := func(addr string) hostAddr { return hostAddr{addr: netip.MustParseAddr(addr)} }
	bridge, tun, bridge6 := at("172.17.0.1"), at("100.101.102.103"), at("fd12::1")
	bridge.containers, bridge6.containers, tun.tun = true, true, true
	host := []hostAddr{at("127.0.0.1"), at("127.0.1.1"), at("10.255.255.254"), at("::1"), at("192.168.1.5"), at("203.0.113.7"), at("2001:db8::7"),
		at("fd00::5"), at("100.64.9.9"), bridge, bridge6, tun, at("fd7a:115c:a1e0::1")}
	for _, test := range []struct {
		bind Bind
		want []string
	}{
		{Loopback, []string{"127.0.0.1", "::1"}},
		{LAN, []string{"10.255.255.254", "192.168.1.5", "fd00::5"}},
		{Tailnet, []string{"100.101.102.103", "fd7a:115c:a1e0::1"}},
		{Home, []string{"10.255.255.254", "100.101.102.103", "127.0.0.1", "192.168.1.5", "::1", "fd00::5", "fd7a:115c:a1e0::1"}},
		{Any, []string{"::"}},
	} {
		var got []string
		for _, addr := range test.bind.addresses(host) {
			got = append(got, addr.String())
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: got %v, want %v", test.bind, got, test.want)
		}
	}
	if got := Any.addresses([]hostAddr{at("127.0.0.1")}); got[0] != netip.IPv4Unspecified() {
		t.Errorf("any on a host without IPv6: %v", got)
	}
}

func TestContainerBridges(t *testing.T) {
	links := map[int]link{
		1: {name: "eth0"}, 2: {name: "docker0", kind: "bridge"}, 3: {name: "br-0123456789ab", kind: "bridge"},
		4: {name: "vmbr0", kind: "bridge"}, 5: {name: "enp3s0", master: 4}, 6: {name: "veth1", kind: "veth", master: 4},
		7: {name: "podman0", kind: "bridge"}, 8: {name: "veth2", kind: "veth", master: 7}, 9: {name: "empty0", kind: "bridge"},
		10: {name: "br-lan", kind: "bridge"}, 11: {name: "eth1.7", kind: "vlan", master: 10}, 12: {name: "eth9", kind: "veth"},
	}
	for index, want := range map[int]bool{1: false, 2: true, 3: true, 4: false, 7: true, 9: true, 10: false, 12: false} {
		if got := containerBridge(index, links); got != want {
			t.Errorf("%s: %v", links[index].name, got)
		}
	}
}

func TestBindNames(t *testing.T) {
	for text, want := range map[string]Bind{"": Home, "loopback": Loopback, "lan, tailnet": LAN | Tailnet, "any": Any} {
		got, err := ParseBind(text)
		if err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
		if back, err := ParseBind(got.String()); err != nil || back != want {
			t.Errorf("%q: read back as %v, %v", text, back, err)
		}
	}
	for _, text := range []string{"everywhere", "lan,", ","} {
		if got, err := ParseBind(text); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}

// The kernel's own words: a bridge of the engine with a freely chosen name is
// taken for what it is.
func TestTheEnginesBridgeIsSeen(t *testing.T) {
	name := sandboxtest.UniqueName("frk")
	sandboxtest.Docker(t, "network", "create", "--opt", "com.docker.network.bridge.name="+name, "--subnet", "10.213.7.0/24", name)
	t.Cleanup(func() { exec.Command("docker", "network", "rm", name).Run() })
	gateway := netip.MustParseAddr("10.213.7.1")
	host, err := hostAddrs()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(host, func(a hostAddr) bool { return a.addr == gateway })
	if at < 0 || !host[at].containers {
		t.Fatalf("the bridge's address is not seen as containers': %+v", host)
	}
	if slices.Contains(Home.addresses(host), gateway) {
		t.Error("the default policy listens on the containers' gateway")
	}
	f := New(Options{})
	if _, err := f.lookAtHost(); err != nil {
		t.Fatal(err)
	}
	if !f.bars.Load().has(netip.MustParseAddr("10.213.7.9")) || f.bars.Load().has(netip.MustParseAddr("10.213.8.9")) {
		t.Error("the wrong clients are barred")
	}
}
