package socketproxy_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"

	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
	"github.com/githabideri/fraktalia/socketproxy"
)

// door is a proxy before the real engine, on which a sandbox and somebody
// else's container run.
type door struct {
	socket, engine string
	log            *test.Hook
	// image is somebody else's; name is what builds go to.
	image, name          string
	sandbox              string
	foreign, foreignName string
}

const (
	// secret stands in labels and command lines of the foreign container.
	secret      = "swordfish"
	refusedText = "fraktalia's socket proxy refuses this: "
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newDoor(t *testing.T) *door {
	t.Helper()
	d := &door{engine: engineSocket(), name: sandboxtest.UniqueName("fraktalia-test-proxy"), foreignName: sandboxtest.UniqueName("fraktalia-test-foreign")}
	d.image = sandboxtest.Image(t)
	d.sandbox = sandboxtest.Start(t, sandboxtest.Sandbox{Image: d.image, Agent: "mox", Network: "none", Listen: []string{":9005"}})
	d.foreign = sandboxtest.Docker(t, "run", "-d", "--name", d.foreignName, "--network", "none", "--label", "password="+secret, "-e", "PASSWORD="+secret, d.image, ":9006")
	t.Cleanup(func() { exec.Command("docker", "rm", "-f", d.foreignName).Run() })
	d.open(t)
	return d
}

func engineSocket() string {
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		return strings.TrimPrefix(host, "unix://")
	}
	return "/var/run/docker.sock"
}

// open starts the proxy.
func (d *door) open(t *testing.T) {
	t.Helper()
	folder, err := os.MkdirTemp("", "proxy") // not t.TempDir: the path would be too long
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(folder) })
	d.socket = filepath.Join(folder, "sock")
	var log *logrus.Logger
	log, d.log = test.NewNullLogger()
	proxy, err := socketproxy.New(socketproxy.Options{Listen: d.socket, Engine: d.engine, Images: []string{d.name + ":live"}, Bases: []string{"debian:bookworm-slim", nowhere + ":latest"},
		Made: []string{"fraktalia-probe:latest", d.name + "-made:latest"}, Network: "fraktalia", Log: logrus.NewEntry(log)})
	check(t, err)
	check(t, proxy.Listen())
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- proxy.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		check(t, <-ended)
	})
}

// answer is what came back.
type answer struct {
	status int
	body   string
}

func (a answer) id(t *testing.T) string {
	t.Helper()
	var made struct{ ID string }
	if json.Unmarshal([]byte(a.body), &made) != nil || made.ID == "" {
		t.Fatalf("it is not made: %+v", a)
	}
	return made.ID
}

// ask sends a request to the proxy, direct to the engine itself.
func (d *door) ask(t *testing.T, method, path string, body any) answer {
	t.Helper()
	return request(t, d.socket, method, path, body)
}

func (d *door) direct(t *testing.T, method, path string, body any) answer {
	t.Helper()
	return request(t, d.engine, method, path, body)
}

func request(t *testing.T, socket, method, path string, body any) answer {
	t.Helper()
	var reader io.Reader
	kind := "application/json"
	switch body := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(body)
	case form:
		kind, reader = body.kind, strings.NewReader(body.text)
	default:
		text, err := json.Marshal(body)
		check(t, err)
		reader = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, "http://docker"+path, reader)
	check(t, err)
	if reader != nil {
		r.Header.Set("Content-Type", kind)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	response, err := client.Do(r)
	check(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	check(t, err)
	return answer{response.StatusCode, string(text)}
}

// wantRefused wants the proxy itself to say no, to the client in a sentence and
// to the log in a line.
func (d *door) wantRefused(t *testing.T, method, path string, body any) {
	t.Helper()
	d.log.Reset()
	a := d.ask(t, method, path, body)
	if method == http.MethodHead {
		a.body = refusedText
	}
	if a.status != http.StatusForbidden || !strings.Contains(a.body, refusedText) {
		t.Errorf("%s %s %.300v\nwas not refused: %d %.300s", method, path, body, a.status, a.body)
	}
	if entries := d.log.AllEntries(); len(entries) != 1 || !strings.HasPrefix(entries[0].Message, "refused: ") || strings.Contains(entries[0].Message, "\n") {
		t.Errorf("%s %s: the log has %d lines of it", method, path, len(entries))
	}
}

// wantUpgradeRefused begins a command as the bot does.
func (d *door) wantUpgradeRefused(t *testing.T, path string) {
	t.Helper()
	if said := d.raw(t, "POST "+path+" HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"); !strings.Contains(said, refusedText) {
		t.Errorf("%s was begun: %q", path, said)
	}
}

// raw sends bytes as they are and reads the first answer.
func (d *door) raw(t *testing.T, text string) string {
	t.Helper()
	conn, err := net.Dial("unix", d.socket)
	check(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, text)
	check(t, err)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	return fmt.Sprintf("%d %s %v", response.StatusCode, body, err)
}

func (d *door) imageID(t *testing.T) string {
	t.Helper()
	return sandboxtest.Docker(t, "image", "inspect", "--format", "{{.Id}}", d.image)
}
