package stack

import (
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

func TestValidServerName(t *testing.T) {
	for name, want := range map[string]bool{
		"home": true, "home.example": true, "nas.tail1234.ts.net": true, "10.0.0.1": true, "host:8448": true,
		"[fd7a::1]": true, "[fd7a::1]:8448": true, "a-b": true,
		"": false, "Home": false, "home_server": false, "-a": false, "a-": false, "a..b": false, "a b": false,
		"http://home": false, "home/": false, "höme": false, "a:b": false, "home\n": false,
		strings.Repeat("a", 201): false,
	} {
		err := ValidServerName(name)
		if (err == nil) != want || err != nil && !errors.As(err, new(ErrServerName)) {
			t.Errorf("%q: %v, want valid: %v", name, err, want)
		}
	}
}

func TestHostServerName(t *testing.T) {
	for host, want := range map[string]string{
		"nas": "nas", "Anna's MacBook": "anna-s-macbook", "my_host": "my-host", "box.lan": "box.lan",
		"": "home", "localhost": "home", "---": "home", "a..b": "home",
	} {
		if got := hostServerName(host); got != want {
			t.Errorf("%q: %q, want %q", host, got, want)
		}
	}
}

// The answers are written by hand, in the shape of `tailscale status --json` of
// version 1.104.5.
func TestMagicDNSName(t *testing.T) {
	for _, c := range []struct{ name, answer, want string }{
		{"in a tailnet", `{"BackendState":"Running","Self":{"DNSName":"Nas.tail1234.ts.net."}}`, "nas.tail1234.ts.net"},
		{"logged out", `{"BackendState":"NeedsLogin","Self":{"DNSName":""}}`, ""},
		{"stopped", `{"BackendState":"Stopped","Self":{"DNSName":"nas.tail1234.ts.net."}}`, ""},
		{"without MagicDNS", `{"BackendState":"Running","Self":{"DNSName":""}}`, ""},
		{"something else", `<html>`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "sock")
			listener, err := net.Listen("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/localapi/v0/status" || r.Host != "local-tailscaled.sock" {
					t.Errorf("asked for %s of %s", r.URL, r.Host)
				}
				_, _ = w.Write([]byte(c.answer))
			})}
			go func() { _ = server.Serve(listener) }()
			defer server.Close()
			if got := magicDNSName(t.Context(), socket); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	if got := magicDNSName(t.Context(), filepath.Join(t.TempDir(), "none")); got != "" {
		t.Errorf("without tailscaled: %q", got)
	}
}
