package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/remote/remotetest"
)

// onAttic runs a sandbox on the other machine; its page says word.
func onAttic(t *testing.T, m *remotetest.Machine, agent, network, word string, addresses ...string) {
	t.Helper()
	args := []string{"run", "-d", "--name", "openclaw-sbx-" + agent, "--network", network, "--label", "openclaw.sandbox=1",
		"--label", "openclaw.sessionKey=agent:" + agent + ":workspace:abc", "page", "/page", word}
	_, err := m.Docker(append(args, addresses...)...)
	must(t, err)
}

// Another machine, with an ssh server and an engine of its own: what runs
// there is forwarded to, listed and built like what runs here.
func TestSandboxesOnAnotherHost(t *testing.T) {
	m, err := remotetest.Start()
	must(t, err)
	t.Cleanup(m.Stop)
	must(t, m.StartEngine())
	page, err := shared.engine.PageArchive(shared.dir)
	must(t, err)
	must(t, m.Import("page", page))
	onAttic(t, m, "faye", remotetest.Network, "far away", "9041")
	onAttic(t, m, "finn", "none", "farther", "127.0.0.1:9042")

	s := newSolo(t, "host")
	must(t, s.SetConfig("hosts: []", fmt.Sprintf("hosts:\n  - name: attic\n    address: %s@%s\n    key_file: %s\n    known_hosts: %s\n    socket: %s\n",
		m.User, m.Address, m.KeyFile, m.KnownHosts, m.Socket)))
	s.start(t)
	sandboxSays(t, s, "faye on attic")
	sandboxSays(t, s, "finn on attic")
	for _, one := range []struct {
		port             int
		agent, way, word string
	}{{9041, "faye", "ssh", "far away"}, {9042, "finn", "relay", "farther"}} {
		out := say(t, s.admin, fmt.Sprintf("!forward %d --agent %s", one.port, one.agent))
		if !out.OK || !strings.Contains(out.Body, "answers") {
			t.Errorf("%s: ok=%v\n%s", one.agent, out.OK, out.Body)
		}
		fetchUntil(t, one.port, one.word)
		if list := say(t, s.admin, "!forwards"); !strings.Contains(list.Body, one.way) {
			t.Errorf("no word of %q:\n%s", one.way, list.Body)
		}
	}
	if list := say(t, s.admin, "!sandbox"); !strings.Contains(list.Body, "faye on attic") {
		t.Errorf("the list does not name the host:\n%s", list.Body)
	}
	if status := say(t, s.admin, "!status"); !strings.Contains(status.Body, "host attic") || !strings.Contains(status.Body, "over ssh") {
		t.Errorf("!status:\n%s", status.Body)
	}
	doctorSays(t, s, "sandbox image on attic", "warning", "is not built yet")
	doctorSays(t, s, "containers", "ok", "the oldest")
	if out := say(t, s.admin, "!rebuild-sandbox --on nobody"); out.OK || !strings.Contains(out.Body, "attic") {
		t.Errorf("an unknown host: ok=%v\n%s", out.OK, out.Body)
	}
	t.Run("the ssh server crashes", func(t *testing.T) { loseAttic(t, s, m) })
	t.Run("its key is another one", func(t *testing.T) { anotherKey(t, s, m) })
}

func loseAttic(t *testing.T, s *solo, m *remotetest.Machine) {
	m.StopSSH()
	statusSays(t, s, "does not answer")
	if list := say(t, s.admin, "!forwards"); !strings.Contains(list.Body, "host attic does not answer") {
		t.Errorf("!forwards does not name the host:\n%s", list.Body)
	}
	doctorSays(t, s, "sandbox image on attic", "warning", "not known")
	doctorSays(t, s, "containers", "warning", "those on attic are not known")
	must(t, m.StartSSH())
	fetchUntil(t, 9041, "far away")
	fetchUntil(t, 9042, "farther")
	statusSays(t, s, "over ssh")
}

func anotherKey(t *testing.T, s *solo, m *remotetest.Machine) {
	m.StopSSH()
	must(t, m.NewHostKey())
	must(t, m.StartSSH())
	statusSays(t, s, "another key")
	must(t, m.Know())
	fetchUntil(t, 9041, "far away")
}

// doctorSays wants a line of the doctor's; with no mark, any: that machine may reach
// the internet or not.
func doctorSays(t *testing.T, s *solo, part, mark, words string) {
	t.Helper()
	out, said, err := s.Shell(within(t), nil, "doctor", "--json")
	var found struct {
		Checks []struct{ Part, Mark, Fact, Todo string }
	}
	if json.Unmarshal([]byte(out), &found) != nil {
		t.Fatalf("%v\n%s\n%s", err, out, said)
	}
	for _, c := range found.Checks {
		if c.Part == part && (mark == "" || c.Mark == mark) && strings.Contains(c.Fact, words) {
			return
		}
	}
	t.Errorf("the doctor does not say of %s: %s, %s\n%s", part, mark, words, out)
}

// statusSays repeats until !status has the words about the host.
func statusSays(t *testing.T, s *solo, words string) {
	t.Helper()
	ctx := within(t)
	for {
		status := say(t, s.admin, "!status")
		for line := range strings.Lines(status.Body) {
			if strings.Contains(line, "host attic") && strings.Contains(line, words) {
				return
			}
		}
		if ctx.Err() != nil {
			t.Fatalf("!status never says %q:\n%s", words, status.Body)
		}
	}
}
