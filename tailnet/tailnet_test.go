package tailnet

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"

	"tailscale.com/ipn"
)

// Without a tailscaled, or with something else at its socket, there is no tailnet.
func TestNoTailnet(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken")
	listener, err := net.Listen("unix", broken)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	for _, socket := range []string{filepath.Join(dir, "none"), broken} {
		if _, err := New(socket).Node(context.Background()); !errors.Is(err, ErrAbsent) {
			t.Errorf("%s: %v", socket, err)
		}
		if _, err := New(socket).Serve(context.Background(), 8008); !errors.Is(err, ErrAbsent) {
			t.Errorf("%s: serve: %v", socket, err)
		}
	}
}

func TestWhatIsServed(t *testing.T) {
	for target, want := range map[string]bool{
		"http://127.0.0.1:8008": true, "127.0.0.1:8008": true, "http://localhost:8008/": true, "http://[::1]:8008": true,
		"http://127.0.0.1:8009": false, "https://127.0.0.1:8008": false, "http://10.0.0.1:8008": false, "http://box:8008": false, "": false, "%": false,
	} {
		if got := proxies(target, 8008); got != want {
			t.Errorf("%q: %v", target, got)
		}
	}
	for at, want := range map[ipn.HostPort]string{"box.ts.net:443": "https://box.ts.net", "box.ts.net:8443": "https://box.ts.net:8443"} {
		if got := webAddress(at); got != want {
			t.Errorf("%s: %s", at, got)
		}
	}
}

// What is served at the https port already is named, and left alone.
func TestOccupied(t *testing.T) {
	const at = "box:443"
	for want, config := range map[string]*ipn.ServeConfig{
		"":                      {},
		"http://127.0.0.1:3000": {Web: map[ipn.HostPort]*ipn.WebServerConfig{at: {Handlers: map[string]*ipn.HTTPHandler{"/": {Proxy: "http://127.0.0.1:3000"}}}}},
		"127.0.0.1:22":          {TCP: map[uint16]*ipn.TCPPortHandler{443: {TCPForward: "127.0.0.1:22"}}},
	} {
		if got := occupied(config, at); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	beside := &ipn.ServeConfig{TCP: map[uint16]*ipn.TCPPortHandler{443: {HTTPS: true}},
		Web: map[ipn.HostPort]*ipn.WebServerConfig{at: {Handlers: map[string]*ipn.HTTPHandler{"/wiki": {Proxy: "http://127.0.0.1:3000"}}}}}
	if got := occupied(beside, at); got != "" {
		t.Errorf("a path of its own is in the way: %q", got)
	}
}
