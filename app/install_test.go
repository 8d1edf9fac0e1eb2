package app

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"

	"github.com/githabideri/fraktalia/store"
)

// systemd itself reads the units: no line is unknown to it.
func TestUnitsAreRightForSystemd(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Fatal("systemd-analyze is not installed (package systemd)")
	}
	i := installation{Program: "/bin/true", Config: "/home/mila/f/fraktalia.yaml", User: "daemon", Data: "/home/mila/f", OpenClaw: "/home/mila/.openclaw", Command: "run --config /home/mila/f/fraktalia.yaml"}
	_, names := unitNames()
	folder := t.TempDir()
	paths := make([]string, len(names))
	for n, name := range names {
		text, err := i.unit(name)
		if err != nil {
			t.Fatal(err)
		}
		paths[n] = filepath.Join(folder, name)
		if err := os.WriteFile(paths[n], text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command(analyze, append([]string{"verify", "--man=no", "--recursive-errors=no"}, paths...)...).CombinedOutput()
	if err != nil || strings.Contains(string(out), "fraktalia") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

func TestInstallTellsWhatItWouldDo(t *testing.T) {
	i := installation{Program: installedProgram, Config: "/x/fraktalia.yaml", User: "mila", Data: "/x", OpenClaw: "/o", Command: "run"}
	acts, err := i.acts()
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, a := range append(acts, uninstalling()...) {
		told = append(told, a.what)
	}
	all := strings.Join(told, "\n")
	_, names := unitNames()
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
