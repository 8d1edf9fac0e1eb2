package e2e

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/e2e/harness"
)

// What up --with-openclaw cannot begin with is said in a sentence before
// anything is made.
func TestWithOpenClawRefuses(t *testing.T) {
	m, err := harness.StartModel("the-right-key")
	must(t, err)
	t.Cleanup(m.Stop)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { taken.Close() })
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	right, wrong, empty := file("right", m.Key+"\n"), file("wrong", "another"), file("empty", "\n")
	for want, flags := range map[string][]string{
		"does not take the key (Incorrect API key provided.)": {"--model-url", m.URL, "--model-key", wrong},
		"refuses the model \"owl\"":                           {"--model-url", m.URL, "--model-key", right, "--model", "owl"},
		"It has parrot-1":                                     {"--model-url", m.URL, "--model-key", right, "--model", "crow"},
		"No model answers at http://127.0.0.1:1/v1":           {"--model-url", "http://127.0.0.1:1/v1"},
		"needs a model: say --model-url":                      {},
		"There is no such file":                               {"--model-key", "sk-1234"},
		"There is no key in what --model-key names":           {"--model-url", m.URL, "--model-key", empty},
		"Port " + port + ", for OpenClaw's gateway, is taken": {"--model-url", m.URL, "--model-key", right, "--gateway-port", port},
		"Port " + port + " is taken by e2e":                   {"--model-url", m.URL, "--model-key", right, "--listen", taken.Addr().String()},
		"--agent Mox: an agent's name begins with":            {"--model-url", m.URL, "--model-key", right, "--agent", "Mox"},
		"--agent fraktalia: an agent's name begins with":      {"--model-url", m.URL, "--model-key", right, "--agent", "fraktalia"},
		"--gateway-port 0: a port is":                         {"--model-url", m.URL, "--model-key", right, "--gateway-port", "0"},
		"--tailscale maybe: say yes or no":                    {"--tailscale", "maybe"},
		"There is no OpenClaw to adopt":                       {"--adopt"},
	} {
		data := filepath.Join(dir, "data")
		cmd := exec.CommandContext(within(t), shared.Binary, append([]string{"up", "--data", data, "--owner", "mila", "--server-name", harness.ServerName, "--yes", "--with-openclaw"}, flags...)...)
		cmd.Env = append(os.Environ(), "HOME="+dir)
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%q: %v, no word of %q:\n%s", flags, err, want, out)
		}
		if strings.Contains(string(out), m.Key) {
			t.Errorf("%q: the key is shown:\n%s", flags, out)
		}
		if left, err := os.ReadDir(data); err == nil && len(left) > 0 {
			t.Errorf("%q: there is %s", flags, left[0].Name())
		}
	}
}

// Without npm nothing can be fetched; the rest is not begun either.
func TestWithOpenClawNeedsNPM(t *testing.T) {
	m, err := harness.StartModel("")
	must(t, err)
	t.Cleanup(m.Stop)
	port, err := harness.FreePort()
	must(t, err)
	dir := t.TempDir()
	cmd := exec.CommandContext(within(t), shared.Binary, "up", "--data", filepath.Join(dir, "data"), "--owner", "mila", "--server-name", harness.ServerName, "--yes", "--with-openclaw",
		"--listen", "127.0.0.1:0", "--model-url", m.URL, "--gateway-port", strconv.Itoa(port))
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CACHE_HOME="+dir, "PATH="+dir)
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "OpenClaw comes from npm, which was not found. Install it (apt-get install npm)") {
		t.Errorf("%v\n%s", err, out)
	}
}
