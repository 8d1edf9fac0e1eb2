package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fetch gets the page behind a port of this machine.
func fetch(ctx context.Context, port int) (string, error) { return fetchPath(ctx, port, "/look") }

func fetchPath(ctx context.Context, port int, path string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", port, path), nil)
	if err != nil {
		return "", err
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return string(text), err
}

// fetchUntil repeats until the page says word: a sandbox takes a moment.
func fetchUntil(t *testing.T, port int, word string) {
	t.Helper()
	ctx := within(t)
	for {
		text, err := fetch(ctx, port)
		if err == nil && strings.HasPrefix(text, word+" /look") {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("port %d does not say %q: %q, %v", port, word, text, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// isOpen says whether somebody listens on a port. A forward to a port on which
// nothing answers resets the connection, perhaps before Dial has returned.
func isOpen(port int) bool {
	conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), time.Second)
	if err == nil {
		conn.Close()
	}
	return !errors.Is(err, syscall.ECONNREFUSED)
}

func TestForwardReachesThePage(t *testing.T) {
	out := say(t, shared.admin, "!forward 9095")
	if !out.OK || !strings.Contains(out.Body, "9095") || !strings.Contains(out.Body, shared.sandbox.Name) {
		t.Fatalf("ok=%v\n%s", out.OK, out.Body)
	}
	if !strings.Contains(out.HTML, `href="http://`) {
		t.Errorf("no link to click in %s", out.HTML)
	}
	fetchUntil(t, 9095, "hello")

	if out := say(t, shared.admin, "!forward 9095"); out.OK || !strings.Contains(out.Body, "forwarded already") {
		t.Errorf("a second time: ok=%v\n%s", out.OK, out.Body)
	}
	fetchUntil(t, 9095, "hello")
	if out := say(t, shared.admin, "!forwards"); !out.OK || !strings.Contains(out.Body, "9095") || !strings.Contains(out.HTML, "<table>") {
		t.Errorf("!forwards: ok=%v\n%s\n%s", out.OK, out.Body, out.HTML)
	}

	if out := say(t, shared.admin, "!unforward 9095"); !out.OK {
		t.Errorf("!unforward: %s", out.Body)
	}
	if isOpen(9095) {
		t.Error("the port is open after !unforward")
	}
	if out := say(t, shared.admin, "!unforward 9095"); out.OK || !strings.Contains(out.Body, "not forwarded") {
		t.Errorf("!unforward again: ok=%v\n%s", out.OK, out.Body)
	}
}

func TestForwardFollowsARecreatedSandbox(t *testing.T) {
	if out := say(t, shared.admin, "!forward 9006"); !out.OK {
		t.Fatal(out.Body)
	}
	defer say(t, shared.admin, "!unforward 9006")
	fetchUntil(t, 9006, "hello")
	ctx := within(t)
	must(t, shared.engine.RemoveSandbox(ctx, shared.sandbox))
	sandbox, err := shared.engine.StartSandbox(ctx, "mox", "again", pages...)
	must(t, err)
	fetchUntil(t, 9006, "again")
	must(t, shared.engine.RemoveSandbox(ctx, sandbox))
	shared.sandbox, err = shared.engine.StartSandbox(ctx, "mox", "hello", pages...)
	must(t, err)
	fetchUntil(t, 9006, "hello")
}

func TestForwardWithoutSandboxWaits(t *testing.T) {
	ctx := within(t)
	must(t, shared.engine.RemoveSandbox(ctx, shared.sandbox))
	out := say(t, shared.admin, "!forward 9007")
	defer say(t, shared.admin, "!unforward 9007")
	if !out.OK || !strings.Contains(out.Body, "waits") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	if list := say(t, shared.admin, "!forwards"); !strings.Contains(list.Body, "9007") {
		t.Errorf("it is not kept:\n%s", list.Body)
	}
	sandbox, err := shared.engine.StartSandbox(ctx, "mox", "hello", pages...)
	must(t, err)
	shared.sandbox = sandbox
	fetchUntil(t, 9007, "hello")
}

func TestForwardRefusesBadPorts(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:9050")
	must(t, err)
	defer taken.Close()
	before := say(t, shared.admin, "!forwards").Body
	for line, want := range map[string]string{
		"!forward 8999":            "9000 to 9099",
		"!forward 9100":            "9000 to 9099",
		"!forward 99999":           "9000 to 9099",
		"!forward 0":               "9000 to 9099",
		"!forward -1":              "",
		"!forward 9005x":           "no port",
		"!forward ":                "port",
		"!forward nine":            "no port",
		"!forward 9050":            "taken by",
		"!forward 9012-9010":       "backwards",
		"!forward #room:server":    "no port",
		"!forward it's":            "no port",
		"!forward “9005x”":         "no port",
		"!forward 9005 \x009006":   "",
		"!forward \"9005":          "quotation mark",
		"!unforward 9099":          "not forwarded",
		"!forward 9050 --to 70000": "--to",
	} {
		out := say(t, shared.admin, line)
		if out.OK || !strings.Contains(out.Body, want) {
			t.Errorf("%q: ok=%v, want %q in\n%s", line, out.OK, want, out.Body)
		}
		if strings.Contains(out.Body, "nternal error") || strings.Contains(out.Body, "goroutine") {
			t.Errorf("%q: no plain sentence:\n%s", line, out.Body)
		}
	}
	if after := say(t, shared.admin, "!forwards").Body; after != before {
		t.Errorf("refused lines have changed the forwards from\n%s\nto\n%s", before, after)
	}
}

func TestForwardTakesTypographicQuotes(t *testing.T) {
	out := say(t, shared.admin, "!forward “9008”")
	defer say(t, shared.admin, "!unforward 9008")
	if !out.OK {
		t.Fatal(out.Body)
	}
	fetchUntil(t, 9008, "hello")
}

func TestForwardWithTheEngineDown(t *testing.T) {
	must(t, shared.engine.Down())
	out := say(t, shared.admin, "!forward 9009")
	status := say(t, shared.admin, "!status")
	must(t, shared.engine.Up())
	defer say(t, shared.admin, "!unforward 9009")
	if !out.OK || !strings.Contains(out.Body, "engine") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	if !strings.Contains(status.Body, "engine does not answer") {
		t.Errorf("!status does not tell of the engine:\n%s", status.Body)
	}
	fetchUntil(t, 9009, "hello")
}
