package config

import (
	"strings"
	"testing"
)

func TestOpenings(t *testing.T) {
	for text, want := range map[string]string{
		"192.168.1.20:22":           "192.168.1.20:22/tcp",
		"[fd00::1]:53/udp":          "[fd00::1]:53/udp",
		"10.1.0.0/16:8000-8010/tcp": "10.1.0.0/16:8000-8010/tcp",
		"[fd00::/64]:443":           "[fd00::/64]:443/tcp",
		"192.168.1.20":              "has no port",
		"192.168.1.20:0":            `"0" is no port`,
		"192.168.1.20:70000":        `"70000" is no port`,
		"192.168.1.20:22-20":        `"22-20" is no port`,
		"192.168.1.20:":             `"" is no port`,
		"192.168.1.20:22/sctp":      `"sctp" is neither tcp nor udp`,
		"nas.home:22":               `"nas.home" is no address; names are not looked up`,
		"fd00::1:22":                "has no port",
		"[192.168.1.20]:22":         "IPv6 addresses stand in brackets",
		"192.168.1.20/24:22":        "begins at 192.168.1.0",
		"0.0.0.0/0:22":              "every address there is",
		"127.0.0.1:8008":            "cannot be reached from a sandbox at all",
		"[fe80::1%eth0]:22":         "is no address",
		"[::ffff:192.168.1.20]:22":  "IPv6 addresses stand in brackets",
		"":                          "has no port",
		":22":                       `"" is no address`,
		"[":                         "has no port",
		"[]:":                       `"" is no port`,
		"]:1":                       "is no address",
		"1.1.1.1:22/":               `"" is neither`,
	} {
		o, err := ParseOpening(text)
		if err != nil && strings.Contains(err.Error(), want) || err == nil && o.String() == want {
			continue
		}
		t.Errorf("%q: %v, %v; want %q", text, o, err, want)
	}
}

func FuzzOpening(f *testing.F) {
	f.Add("[fd00::1]:53/udp")
	f.Fuzz(func(t *testing.T, text string) {
		o, err := ParseOpening(text)
		if err != nil {
			return
		}
		if again, err := ParseOpening(o.String()); err != nil || again != o {
			t.Errorf("%q is read as %v, and that as %v, %v", text, o, again, err)
		}
	})
}

func TestAllMistakesOfTheFirewallAtOnce(t *testing.T) {
	_, err := parse([]byte(`firewall: {network: host, backend: pf, dns: "192.168.1.1, dns.home", subnets: [10.0.0.0/4, 8.8.8.0/24],
  allow: ["192.168.1.20", "nas:22", "1.1.1.1:99999"], internet: [example.org:443]}`), "f.yaml", "/x")
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{`firewall.network: "host"`, `firewall.backend: "pf" is none of`, `"dns.home" is no address`, `"10.0.0.0/4" is no range`,
		"8.8.8.0/24 is not private", `"192.168.1.20" has no port`, `"nas" is no address`, `"99999" is no port`, `"example.org:443" is no`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %q in:\n%v", want, err)
		}
	}
}
