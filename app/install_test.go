package app

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/githabideri/fraktalia/config"
	"github.com/githabideri/fraktalia/stack"
	"github.com/githabideri/fraktalia/store"
)

// systemd itself reads the units: no line is unknown to it.
func TestUnitsAreRightForSystemd(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Fatal("systemd-analyze is not installed (package systemd)")
	}
	for name, i := range map[string]installation{"proxy": behind(), "docker group": {}} {
		i.Program, i.Config, i.User, i.Data, i.OpenClaw, i.Backups, i.Command = "/bin/true", "/home/mila/f/fraktalia.yaml", "daemon", "/home/mila/f", "/home/mila/.openclaw", "/srv/backups", "run --config /home/mila/f/fraktalia.yaml"
		if i.Proxy {
			i.Cache = "/home/mila/.cache/fraktalia"
			i.ProxyUser = "daemon" // an account that is there
		}
		paths := unitsIn(t, i)
		out, err := exec.Command(analyze, append([]string{"verify", "--man=no", "--recursive-errors=no"}, paths...)...).CombinedOutput()
		if err != nil || strings.Contains(string(out), "fraktalia") {
			t.Errorf("%s: systemd-analyze verify: %v\n%s", name, err, out)
		}
	}
}

// behind is an installation with the socket proxy.
func behind() installation {
	return installation{Proxy: true, ProxyUser: proxyUser, ProxySocket: proxySocket, Engine: engineSocket, Image: "a:b", Base: "debian:bookworm-slim", Network: "fraktalia"}
}

// unitsIn writes an installation's units into a folder.
func unitsIn(t *testing.T, i installation) (paths []string) {
	t.Helper()
	_, names := unitNames(i.Proxy)
	folder := t.TempDir()
	for _, name := range names {
		text, err := i.unit(name)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// systemd itself rates what a unit could still do, from 0 to 100: what stands
// before Docker's socket may do next to nothing.
func TestUnitsAreClosed(t *testing.T) {
	i := behind()
	i.Program, i.Config, i.User, i.Data, i.OpenClaw, i.Command = "/bin/true", "/x/fraktalia.yaml", "daemon", "/x", "/o", "run"
	for _, path := range unitsIn(t, i) {
		most := map[string]string{proxyUnit: "6", "fraktalia.service": "28"}[filepath.Base(path)]
		if most == "" && strings.HasSuffix(path, ".service") {
			most = "45" // root's
		}
		if most == "" {
			continue
		}
		out, err := exec.Command("systemd-analyze", "security", "--offline=yes", "--threshold="+most, path).CombinedOutput()
		if err != nil {
			t.Errorf("%s is open by more than %s of 100: %v\n%s", filepath.Base(path), most, err, out)
		}
	}
}

// A start may have to bring 1 GB of programs, to try a newer Synapse, and to go
// back to the older one: systemd waits for longer than all of that takes.
func TestUnitWaitsForAnUpgrade(t *testing.T) {
	const slowLine = 1 << 30 / (512 << 10) * time.Second // 1 GB at 512 kB a second
	text, err := behind().unit("fraktalia.service")
	if err != nil {
		t.Fatal(err)
	}
	_, value, _ := strings.Cut(string(text), "\nTimeoutStartSec=")
	value, _, _ = strings.Cut(value, "\n")
	most, err := time.ParseDuration(value)
	if need := slowLine + 2*stack.ReadyPatience; err != nil || most < need {
		t.Errorf("systemd ends a start after %q (%v), and one may take %s", value, err, need)
	}
}

// The bot is in Docker's group only where somebody has said so.
func TestWhoIsInDockersGroup(t *testing.T) {
	with, err := behind().unit("fraktalia.service")
	if err != nil {
		t.Fatal(err)
	}
	without, err := installation{}.unit("fraktalia.service")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][2]bool{string(with): {false, true}, string(without): {true, false}} {
		group, proxy := strings.Contains(text, "SupplementaryGroups=docker\n"), strings.Contains(text, "DOCKER_HOST=unix://"+proxySocket+"\n")
		if group != want[0] || proxy != want[1] {
			t.Errorf("in the group %v, behind the proxy %v\n%s", group, proxy, text)
		}
	}
	c := config.Default()
	c.Sandbox.Docker = "unix:///run/docker.sock"
	var i installation
	if err := i.behindProxy(c, true); err == nil || !strings.Contains(err.Error(), "past the socket proxy") || i.Proxy {
		t.Errorf("%v", err)
	}
}

// A user in Docker's group is root's equal, whatever the unit hides: install says
// so, and how to end it.
func TestUserInDockersGroupIsWarned(t *testing.T) {
	warning := inDockersGroup("mila")
	for _, text := range []string{"root's equal", "only until Docker makes it anew", "sudo gpasswd -d mila docker && sudo systemctl restart fraktalia"} {
		if !strings.Contains(warning, text) {
			t.Errorf("%q is not in %q", text, warning)
		}
	}
	if !inGroup("daemon", "daemon") || inGroup("daemon", "tty") || inGroup("daemon", "there-is-none") {
		t.Error("who is in which group is not known")
	}
	for _, account := range []string{"daemon", "root"} {
		i := installation{User: account}
		c := config.Default()
		c.Data = t.TempDir()
		if err := i.behindProxy(c, true); err != nil {
			t.Fatal(err)
		}
		if told := slices.Contains(i.notes, inDockersGroup(account)); told != inGroup(account, "docker") {
			t.Errorf("%s: warned %v, in the group %v", account, told, !told)
		}
	}
	text, err := behind().unit("fraktalia.service")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "\nAfter=")
	if after, _, _ = strings.Cut(after, "\n"); !slices.Contains(strings.Fields(after), "docker.socket") {
		t.Errorf("what is to be hidden may come after the unit: it starts after %s", after)
	}
}

func TestInstallTellsWhatItWouldDo(t *testing.T) {
	i := behind()
	i.Program, i.Config, i.User, i.Data, i.OpenClaw, i.Command = installedProgram, "/x/fraktalia.yaml", "mila", "/x", "/o", "run"
	acts, err := i.acts()
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, a := range append(acts, uninstalling()...) {
		told = append(told, a.what)
	}
	all := strings.Join(told, "\n")
	if !strings.Contains(all, "useradd --system") || !strings.Contains(all, "userdel "+proxyUser) {
		t.Errorf("the proxy's account is not both made and removed in\n%s", all)
	}
	_, names := unitNames(true)
	for _, name := range names {
		if !strings.Contains(all, "write "+unitFolder+"/"+name) || !strings.Contains(all, "remove "+unitFolder+"/"+name) {
			t.Errorf("%s is not both written and removed in\n%s", name, all)
		}
	}
}

func TestSystemdIsToldThatTheProgramLives(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "30000")
	d := &deployment{log: logrus.NewEntry(logrus.New())}
	if d.store, err = store.Open(t.Context(), filepath.Join(t.TempDir(), "db")); err != nil {
		t.Fatal(err)
	}
	defer d.store.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go d.stayAlive(ctx)
	buffer := make([]byte, 100)
	for _, want := range []string{"READY=1", "WATCHDOG=1", "WATCHDOG=1"} {
		n, err := conn.Read(buffer)
		if err != nil || string(buffer[:n]) != want {
			t.Fatalf("%q, %v; want %s", buffer[:n], err, want)
		}
	}
	cancel()
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		if string(buffer[:n]) == "STOPPING=1" {
			return
		}
	}
}
