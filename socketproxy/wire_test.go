package socketproxy_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"

	"github.com/githabideri/fraktalia/sandbox"
	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
	"github.com/githabideri/fraktalia/socketproxy"
)

// Requests that two programs could read in two ways, and paths that could mean
// another thing to the engine than to us.
func TestNothingIsSmuggledIn(t *testing.T) {
	d := newDoor(t)
	privileged := fmt.Sprintf(`{"Image":%q,"HostConfig":{"Privileged":true}}`, d.image)
	hidden := "POST /v1.41/containers/create HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: " + fmt.Sprint(len(privileged)) + "\r\n\r\n" + privileged
	before := sandboxtest.Docker(t, "ps", "-aq", "--filter", "ancestor="+d.image)
	for name, text := range map[string]string{
		"two lengths":                    "POST /v1.41/containers/x/start HTTP/1.1\r\nHost: docker\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nhello",
		"length and chunks":              "POST /v1.41/containers/create HTTP/1.1\r\nHost: docker\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
		"chunks twice":                   "POST /v1.41/containers/create HTTP/1.1\r\nHost: docker\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + hidden,
		"chunks where there is no body":  "POST /v1.41/containers/" + d.sandbox + "/start HTTP/1.1\r\nHost: docker\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"a body behind a GET":            "GET /v1.41/info HTTP/1.1\r\nHost: docker\r\nContent-Length: " + fmt.Sprint(len(hidden)) + "\r\n\r\n" + hidden,
		"a start with a HostConfig":      "POST /v1.20/containers/" + d.sandbox + "/start HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: 33\r\n\r\n" + `{"HostConfig":{"Privileged":true}}`[:33],
		"an old version, written longer": "GET /v1.020/containers/json HTTP/1.1\r\nHost: docker\r\n\r\n",
		"no version":                     "GET /containers/json HTTP/1.1\r\nHost: docker\r\n\r\n",
		"a strange version":              "GET /v2/containers/json HTTP/1.1\r\nHost: docker\r\n\r\n",
		"dots":                           "GET /v1.41/containers/../volumes HTTP/1.1\r\nHost: docker\r\n\r\n",
		"dots in a name":                 "GET /v1.41/images/x/../../volumes/json HTTP/1.1\r\nHost: docker\r\n\r\n",
		"encoded dots":                   "GET /v1.41/images/%2e%2e/%2e%2e/volumes/json HTTP/1.1\r\nHost: docker\r\n\r\n",
		"an encoded slash":               "GET /v1.41/containers/" + d.foreign + "%2fjson HTTP/1.1\r\nHost: docker\r\n\r\n",
		"two slashes":                    "GET //v1.41//containers/json HTTP/1.1\r\nHost: docker\r\n\r\n",
		"an encoded letter":              "GET /v1.41/containers/%6ason HTTP/1.1\r\nHost: docker\r\n\r\n",
		"a name in a name":               "GET /v1.41/images/x/json/../../../containers/" + d.foreign + "/json HTTP/1.1\r\nHost: docker\r\n\r\n",
		"another host":                   "GET http://other/v1.41/info HTTP/1.1\r\nHost: docker\r\n\r\n",
		"a tunnel":                       "CONNECT docker:80 HTTP/1.1\r\nHost: docker\r\n\r\n",
		"another protocol":               "GET /v1.41/info HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
		"a session":                      "POST /v1.41/session HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
		"grpc":                           "POST /v1.41/grpc HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
		"http/2":                         "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"a taken over list":              "GET /v1.41/containers/json HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
		"a name with an end of line":     "GET /v1.41/images/x%0d%0aHost:y/json HTTP/1.1\r\nHost: docker\r\n\r\n",
		"a long head":                    "GET /v1.41/info HTTP/1.1\r\nHost: docker\r\nX: " + strings.Repeat("x", 100<<10) + "\r\n\r\n",
	} {
		said := d.raw(t, text)
		if strings.HasPrefix(said, "2") || strings.HasPrefix(said, "1") {
			t.Errorf("%s: %.200s", name, said)
		}
	}
	if after := sandboxtest.Docker(t, "ps", "-aq", "--filter", "ancestor="+d.image); after != before {
		t.Errorf("a container was made: %s", after)
	}
	if said := d.raw(t, "GET /v1.41/info HTTP/1.1\r\nHost: docker\r\n\r\n"); !strings.HasPrefix(said, "200 ") {
		t.Errorf("a plain request: %.200s", said)
	}
}

// engine is the bot's own client, through the proxy.
func (d *door) client(t *testing.T) *sandbox.Engine {
	t.Helper()
	e, err := sandbox.Connect("unix://" + d.socket)
	check(t, err)
	t.Cleanup(func() { e.Close() })
	return e
}

func direct(t *testing.T) *sandbox.Engine {
	t.Helper()
	e, err := sandbox.Connect("")
	check(t, err)
	t.Cleanup(func() { e.Close() })
	return e
}

func debian(t *testing.T) string {
	t.Helper()
	base, err := direct(t).EnsureBase(t.Context(), sandbox.BaseOptions{Ref: "debian:bookworm-slim"}, nil)
	check(t, err)
	return base.Ref
}

// A command's two directions end by themselves, each at its time.
func TestCommandsEndAsTheyShould(t *testing.T) {
	d := newDoor(t)
	id := sandboxtest.Docker(t, "run", "-d", "--label", "openclaw.sandbox=1", "--network", "none", debian(t), "sleep", "600")
	t.Cleanup(func() { exec.Command("docker", "rm", "-f", id).Run() })
	e := d.client(t)
	for script, want := range map[string]string{"cat; echo end": "hello end\n", "exec >&-; cat >/dev/null; exit 7": "", "echo early; sleep 0.3; cat": "early\nhello ", "wc -c": "6\n"} {
		out := sandbox.Capture{Most: 1000}
		status, err := e.Exec(t.Context(), id, sandbox.Command{Args: []string{"/bin/sh", "-c", script}, Stdin: strings.NewReader("hello "), Stdout: &out})
		if err != nil || out.String() != want || status != 0 && status != 7 {
			t.Errorf("%s: status %d, %v, %q", script, status, err, out.String())
		}
	}
	big := strings.Repeat("x", 8<<20)
	out := sandbox.Capture{Most: 20 << 20}
	if _, err := e.Exec(t.Context(), id, sandbox.Command{Args: []string{"cat"}, Stdin: strings.NewReader(big), Stdout: &out}); err != nil || out.String() != big {
		t.Errorf("%v, %d bytes of %d came back", err, len(out.String()), len(big))
	}
}

// What is told of foreign containers has none of their secrets in it.
func TestForeignSecretsAreNotTold(t *testing.T) {
	d := newDoor(t)
	list := d.ask(t, http.MethodGet, "/v1.41/containers/json?all=1", nil).body
	if strings.Contains(list, secret) || strings.Contains(list, d.foreignName) || !strings.Contains(list, d.foreign) || !strings.Contains(list, "openclaw.sessionKey") {
		t.Errorf("the list is\n%s", list)
	}
	if whole := d.direct(t, http.MethodGet, "/v1.41/containers/json?all=1", nil).body; !strings.Contains(whole, secret) {
		t.Error("there is no secret to be told")
	}
	conn, err := net.Dial("unix", d.socket)
	check(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET /v1.41/events HTTP/1.1\r\nHost: docker\r\n\r\n")
	check(t, err)
	events := bufio.NewReader(conn)
	response, err := http.ReadResponse(events, nil)
	check(t, err)
	exec.Command("docker", "exec", d.foreign, "/"+secret).Run() // there is none: the event is what counts
	exec.Command("docker", "exec", d.sandbox, "/our-own").Run()
	var seen strings.Builder
	for decoder := json.NewDecoder(response.Body); !strings.Contains(seen.String(), "our-own"); {
		var event json.RawMessage
		check(t, decoder.Decode(&event))
		seen.Write(event)
	}
	if strings.Contains(seen.String(), secret) || strings.Contains(seen.String(), d.foreign) {
		t.Errorf("the events are\n%s", seen.String())
	}
}

// A Dockerfile asks for more than a build may have: the engine itself refuses
// it, as long as neither session nor entitlement is passed on.
func TestDockerfilesThatWouldBeMore(t *testing.T) {
	d := newDoor(t)
	e := d.client(t)
	base := debian(t)
	build := func(step string) error {
		_, err := e.Build(t.Context(), sandbox.BuildOptions{Tag: d.name + ":live", Base: base, NoCache: true, Network: "",
			Context: fstest.MapFS{"Dockerfile": {Data: []byte("ARG BASE\nFROM ${BASE}\n" + step + "\n")}}}, nil)
		return err
	}
	t.Cleanup(func() { exec.Command("docker", "rmi", "-f", d.name+":live", d.name+":live-previous").Run() })
	if err := build("RUN true"); err != nil {
		t.Fatalf("a plain build fails: %v", err)
	}
	for _, step := range []string{
		"RUN --network=host true", "RUN --security=insecure true", "RUN --mount=type=secret,id=x,required true", "RUN --mount=type=ssh,required true",
		"RUN test -e /var/run/docker.sock", "RUN mount -t proc proc /mnt", "COPY ../../../etc/shadow /x", "RUN --mount=type=bind,source=/etc,target=/x cat /x/shadow",
	} {
		if err := build(step); err == nil {
			t.Errorf("%s: the build went well", step)
		}
	}
}

// Without an engine the bot hears what it hears without a proxy.
func TestWithoutAnEngine(t *testing.T) {
	d := &door{engine: "/nonexistent/docker.sock", name: "x"}
	d.open(t)
	_, err := d.client(t).ImageInfo(t.Context(), "x")
	var down *sandbox.EngineDownError
	if !errors.As(err, &down) {
		t.Errorf("%v", err)
	}
}

// The socket is for its group. One that a killed proxy has left is replaced; one
// that another listens at is not.
func TestSocketIsClosedToOthers(t *testing.T) {
	d := &door{engine: engineSocket(), name: "x"}
	d.open(t)
	info, err := os.Stat(d.socket)
	check(t, err)
	if info.Mode().Perm() != 0o660 {
		t.Errorf("mode %v", info.Mode())
	}
	log, _ := test.NewNullLogger()
	another, err := socketproxy.New(socketproxy.Options{Listen: d.socket, Engine: d.engine, Log: logrus.NewEntry(log)})
	check(t, err)
	if err := another.Listen(); err == nil || !strings.Contains(err.Error(), "another program listens there already") {
		t.Errorf("%v", err)
	}
	left := d.socket + "-left"
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: left, Net: "unix"})
	check(t, err)
	listener.SetUnlinkOnClose(false) // as by a kill
	check(t, listener.Close())
	another, err = socketproxy.New(socketproxy.Options{Listen: left, Engine: d.engine, Log: logrus.NewEntry(log)})
	check(t, err)
	check(t, another.Listen())
	ctx, stop := context.WithCancel(t.Context())
	stop()
	check(t, another.Run(ctx))
	for _, image := range []string{"UPPER", "a@sha256:" + strings.Repeat("0", 64)} {
		if _, err := socketproxy.New(socketproxy.Options{Images: []string{image}}); err == nil {
			t.Errorf("%q is taken for an image's name", image)
		}
	}
}
