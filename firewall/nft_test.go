package firewall

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
)

func testPolicy() Policy {
	return Policy{
		Bridge:    Bridge,
		Openings:  []Opening{{netip.MustParsePrefix("192.168.1.20/32"), 22, 22, "tcp"}, {netip.MustParsePrefix("fd00::/64"), 50, 60, "udp"}},
		Resolvers: []netip.Addr{netip.MustParseAddr("192.168.1.1")},
		Local:     []netip.Prefix{netip.MustParsePrefix("192.168.1.0/24"), netip.MustParsePrefix("2a02:1:2:3::/64"), netip.MustParsePrefix("203.0.113.0/24")},
	}
}

func TestApplyingAgainAndAgain(t *testing.T) {
	if sandboxtest.InOwnNetwork(t) {
		applyAgainAndAgain(t, nft{}, 1000, func() {
			if _, err := run(t.Context(), "", "nft", "add chain inet fraktalia mine { type filter hook forward priority -20; }; flush chain inet fraktalia to_host"); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestApplyingIPTablesAgainAndAgain(t *testing.T) {
	if sandboxtest.InOwnNetwork(t) {
		legacy(t)
		applyAgainAndAgain(t, newIPTables(), 100, func() {
			if _, err := run(t.Context(), "", "iptables", "-I", "FORWARD", "1", "-j", "ACCEPT"); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// legacy puts the legacy iptables in front of the others.
func legacy(t *testing.T) {
	t.Helper()
	folder := t.TempDir()
	for _, name := range []string{"iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore"} {
		if err := os.Symlink("/usr/sbin/xtables-legacy-multi", filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
	if choice, err := Choose(t.Context(), "auto", "iptables"); err != nil || choice.Backend.Name() != "iptables" || choice.Docker != "iptables (legacy)" {
		t.Fatalf("%v, %v", choice, err)
	}
}

// applyAgainAndAgain walks through all that can be with the rules; meddle is
// what somebody else does to them.
func applyAgainAndAgain(t *testing.T, backend Backend, times int, meddle func()) {
	ctx := t.Context()
	f := New(backend, filepath.Join(t.TempDir(), "state", "firewall.json"))
	p := testPolicy()
	want := func(got, want Standing, err error) {
		t.Helper()
		if err != nil || got != want {
			t.Fatalf("%q, %v; want %q", got, err, want)
		}
	}
	before, err := f.Apply(ctx, p)
	want(before, Missing, err)
	first, err := f.backend.List(ctx)
	if err != nil || first.Rules == "" {
		t.Fatalf("%q, %v", first.Text, err)
	}
	t.Log(first.Text)
	for range times {
		if err := f.Replace(ctx, p); err != nil {
			t.Fatal(err)
		}
	}
	if last, err := f.backend.List(ctx); err != nil || last.Rules != first.Rules {
		t.Errorf("after %d times: %v\n%s", times, err, last.Text)
	}
	before, err = f.Apply(ctx, p)
	want(before, Right, err)
	meddle()
	before, err = f.Apply(ctx, p)
	want(before, Foreign, err)
	if last, err := f.backend.List(ctx); err != nil || last.Rules != first.Rules {
		t.Errorf("after somebody else: %v\n%s", err, last.Text)
	}
	p.Openings = nil
	before, err = f.Apply(ctx, p)
	want(before, Older, err)
	if err := f.Remove(ctx); err != nil {
		t.Fatal(err)
	}
	if err := f.Remove(ctx); err != nil {
		t.Errorf("a second time: %v", err)
	}
	before, err = f.Look(ctx, p)
	want(before, Missing, err)
}
