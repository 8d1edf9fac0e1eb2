package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/e2e/harness"
)

// counts asks for the counts and returns the sample lines.
func counts(ctx context.Context, address string) (map[string]string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	out, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %w", response.Status, err)
	}
	all := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if at := strings.LastIndex(line, " "); !strings.HasPrefix(line, "#") && at > 0 {
			all[line[:at]] = strings.TrimSpace(line[at:])
		}
	}
	return all, nil
}

// countsSay repeats until the counts are these; "" is a sample that is not there.
func countsSay(t *testing.T, address string, want map[string]string) {
	t.Helper()
	ctx := within(t)
	for {
		all, err := counts(ctx, address)
		wrong := ""
		for name, value := range want {
			if all[name] != value {
				wrong += fmt.Sprintf("%s is %q, want %q\n", name, all[name], value)
			}
		}
		if err == nil && wrong == "" {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("%v\n%s", err, wrong)
		}
	}
}

// The real program, with the setting, and numbers that move with what is done.
func TestMetrics(t *testing.T) {
	s := newSolo(t, "counts") // its name is in paths that !status shows
	port, err := harness.FreePort()
	must(t, err)
	address := fmt.Sprintf("127.0.0.1:%d", port)
	s.start(t)
	if _, err := counts(within(t), address); err == nil {
		t.Fatal("counts are told by nobody's wish")
	}
	if status := say(t, s.admin, "!status"); strings.Contains(status.Body, "metrics") {
		t.Errorf("!status speaks of what is off:\n%s", status.Body)
	}
	must(t, s.Process.Stop(within(t)))
	must(t, s.SetConfig("  # address of this machine alone, such as 127.0.0.1:9464. Empty: nowhere.\n  listen: \"\"",
		fmt.Sprintf("  listen: \"%s\"", address)))

	taken, err := net.Listen("tcp", address)
	must(t, err)
	s.start(t)
	if status := say(t, s.admin, "!status"); !strings.Contains(status.Body, address+" is taken by") {
		t.Errorf("the address is taken; !status:\n%s", status.Body)
	}
	must(t, taken.Close())
	countsSay(t, address, map[string]string{`fraktalia_forwards{state="serving"}`: "0"})
	if status := say(t, s.admin, "!status"); !strings.Contains(status.Body, "http://"+address+"/metrics") {
		t.Errorf("!status:\n%s", status.Body)
	}

	if out := say(t, s.admin, "!forward 9047 --to 9005 --agent mox --on loopback"); !out.OK {
		t.Fatal(out.Body)
	}
	before, err := counts(within(t), address)
	must(t, err)
	const labels = `port="9047",protocol="tcp",agent="mox"`
	if total := before[`fraktalia_forward_connections_total{`+labels+`}`]; total == "" {
		t.Fatalf("no forward in %v", before)
	}
	fetchUntil(t, 9047, "hello")
	text, err := fetch(within(t), 9047)
	must(t, err)
	after, err := counts(within(t), address)
	must(t, err)
	for _, name := range []string{`connections_total{` + labels + `}`, `bytes_total{` + labels + `,direction="in"}`,
		`bytes_total{` + labels + `,direction="out"}`, `dials_total{` + labels + `,way="direct"}`} {
		if name = "fraktalia_forward_" + name; number(t, after[name]) <= number(t, before[name]) {
			t.Errorf("%s went from %s to %s while a page of %d bytes was got", name, before[name], after[name], len(text))
		}
	}

	// Nothing listens on that port inside.
	if out := say(t, s.admin, "!forward 9048 --to 8999 --agent mox --on loopback"); !out.OK {
		t.Fatal(out.Body)
	}
	const refused = `fraktalia_forward_errors_total{port="9048",protocol="tcp",agent="mox",kind="refused"}`
	countsSay(t, address, map[string]string{refused: "0"})
	if text, err := fetch(within(t), 9048); err == nil {
		t.Fatalf("got %q", text)
	}
	countsSay(t, address, map[string]string{refused: "1"})
	say(t, s.admin, "!unforward all")
	countsSay(t, address, map[string]string{refused: "", `fraktalia_forwards{state="serving"}`: "0"})

	response, err := http.Post("http://"+address+"/metrics", "text/plain", nil)
	must(t, err)
	io.Copy(io.Discard, response.Body)
	response.Body.Close()
	if response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", response.Status)
	}
	must(t, s.Process.Stop(within(t)))
	if isOpen(port) {
		t.Error("it listens after the program's end")
	}
}

func number(t *testing.T, text string) (value float64) {
	t.Helper()
	if _, err := fmt.Sscan(text, &value); err != nil {
		t.Fatalf("%q is no number", text)
	}
	return value
}

// An address that others can reach is refused before anything is started.
func TestMetricsOfAllTheWorldAreRefused(t *testing.T) {
	s := newSolo(t, "metrics-open")
	must(t, s.SetConfig("  # address of this machine alone, such as 127.0.0.1:9464. Empty: nowhere.\n  listen: \"\"", "  listen: 0.0.0.0:9464"))
	out, err := exec.CommandContext(within(t), shared.Binary, "run", "--config", s.Config()).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "metrics.listen") || !strings.Contains(string(out), "other machines") {
		t.Errorf("%v\n%s", err, out)
	}
}
