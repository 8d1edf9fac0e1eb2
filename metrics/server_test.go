package metrics

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
)

// patience bounds what must happen; it is no measurement.
const patience = 20 * time.Second

func free(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// run runs a server on an address until the test ends.
func run(t *testing.T, address string) *Server {
	t.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	s := New(address, func() []Family {
		return []Family{{Name: "answer", Help: "It.", Kind: Gauge, Samples: []Sample{{Value: 42}}}}
	}, logrus.NewEntry(log))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			t.Error("it listens after its end")
		}
	})
	return s
}

func ask(t *testing.T, method, address, path, host string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequest(method, "http://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host, request.Close = host, true
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			defer response.Body.Close()
			text, _ := io.ReadAll(response.Body)
			return response, string(text)
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func TestServer(t *testing.T) {
	listener := free(t)
	address := listener.Addr().String()
	listener.Close()
	run(t, address)
	for _, one := range []struct {
		method, path, host string
		status             int
		body               string
	}{
		{"GET", "/metrics", "", 200, "answer 42\n"},
		{"GET", "/metrics", "localhost:9464", 200, "answer 42\n"},
		{"GET", "/metrics", "[::1]:9464", 200, "answer 42\n"},
		{"GET", "/metrics", "[::1]", 200, "answer 42\n"},
		{"GET", "/metrics", "rebound.example:9464", 403, ""},
		{"GET", "/metrics", "rebound.example", 403, ""},
		{"HEAD", "/metrics", "", 200, ""},
		{"POST", "/metrics", "", 405, ""},
		{"GET", "/", "", 404, ""},
		{"GET", "/debug/pprof/", "", 404, ""},
	} {
		response, text := ask(t, one.method, address, one.path, one.host)
		if response.StatusCode != one.status || !strings.Contains(text, one.body) || one.status != 200 && strings.Contains(text, "42") {
			t.Errorf("%+v: %d\n%s", one, response.StatusCode, text)
		}
		if one.method == "HEAD" && text != "" {
			t.Errorf("HEAD: %q", text)
		}
		if one.status == 200 && response.Header.Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" {
			t.Errorf("%+v: %v", one, response.Header)
		}
	}
}

func TestAnAddressThatIsTakenForAWhile(t *testing.T) {
	taken := free(t)
	address := taken.Addr().String()
	s := run(t, address)
	for deadline := time.Now().Add(patience); !errors.Is(s.Failure(), syscall.EADDRINUSE); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the failure is %v", s.Failure())
		}
	}
	taken.Close()
	if _, text := ask(t, "GET", address, "/metrics", ""); !strings.Contains(text, "answer 42\n") {
		t.Errorf("got %q", text)
	}
	if err := s.Failure(); err != nil {
		t.Errorf("it listens, and says %v", err)
	}
}
