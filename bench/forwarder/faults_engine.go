package main

import (
	"bufio"
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// engineFaults are about a container that comes and goes. Each has a
// container of its own, with OpenClaw's labels. What knows an address only,
// and that is all but two, cannot do better than its address.
func engineFaults() []fault {
	return []fault{
		{"container killed: open connections", withBox, ends("kill")},
		{"container disconnected: open connections", withBox, ends("network", "disconnect", "-f", "bridge")},
		{"container paused: open connections", withBox, ends("pause")},
		{"container paused: new connections", withBox, pausedAnew},
		{"its address is another's: who answers", withBox, stranger},
		{"made anew, at another address", withBox, elsewhere},
	}
}

func withBox(b *bench) {
	b.agent = b.box()
	b.label = b.box() // by which the script finds it
}

func (b *bench) box() string { return filepath.Base(b.folder) + "-box" }

// ownBox starts the container of a fault that wants its own.
func (b *bench) ownBox() (clean func(), err error) {
	if b.agent == "" {
		return func() {}, nil
	}
	clean = func() { exec.Command("docker", "rm", "-f", b.box(), b.box()+"-stranger").Run() }
	b.target, err = b.runBox()
	return clean, err
}

func (b *bench) runBox() (netip.Addr, error) {
	return b.runTarget(b.box(), "--label", b.label, "--label", "openclaw.sandbox=1", "--label", "openclaw.sessionKey=agent:"+b.agent+":workspace:00")
}

// ends says whether open connections end when something is done to their
// container.
func ends(what ...string) func(*bench, peer, *running) (string, error) {
	return func(b *bench, _ peer, r *running) (string, error) {
		conn, err := wish(r.addr, "n")
		if err != nil {
			return "", err
		}
		defer conn.Close()
		if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
			return "", err
		}
		if _, err := command("docker", append(what, b.box())...); err != nil {
			return "", err
		}
		conn.SetDeadline(time.Now().Add(soon))
		return "end", hasEnded(conn)
	}
}

func pausedAnew(b *bench, _ peer, r *running) (string, error) {
	if _, err := command("docker", "pause", b.box()); err != nil {
		return "", err
	}
	time.Sleep(shortly / 2)
	conn, err := wish(r.addr, "n")
	if err == nil {
		defer conn.Close()
		err = hasEnded(conn)
	}
	if err == nil || isReset(err) {
		return "refused", nil
	}
	return "", err
}

// stranger gives the container's address to another one.
func stranger(b *bench, _ peer, r *running) (string, error) {
	if err := b.replace(); err != nil {
		return "", err
	}
	name, err := nameBehind(r.addr)
	switch {
	case err != nil || name == "":
		return "nobody", nil
	case strings.HasPrefix(b.idOf("-stranger"), name):
		return "", wrongError("the stranger")
	}
	return "", wrongError("somebody else")
}

// replace removes the container and starts a stranger at its address.
func (b *bench) replace() error {
	if _, err := command("docker", "rm", "-f", b.box()); err != nil {
		return err
	}
	at, err := b.runTarget(b.box() + "-stranger") // the engine gives what is free at once
	if err == nil && at != b.target {
		err = fmt.Errorf("the stranger got %s instead of %s: this says nothing", at, b.target)
	}
	time.Sleep(shortly / 2)
	return err
}

func (b *bench) idOf(suffix string) string {
	id, _ := command("docker", "inspect", "-f", "{{.Id}}", b.box()+suffix)
	return id
}

func nameBehind(addr string) (string, error) {
	conn, err := wish(addr, "n")
	if err != nil {
		return "", err
	}
	defer conn.Close()
	line, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line), err
}

func elsewhere(b *bench, _ peer, r *running) (string, error) {
	if err := b.replace(); err != nil {
		return "", err
	}
	if _, err := b.runBox(); err != nil {
		return "", err
	}
	for began := time.Now(); time.Since(began) < soon; time.Sleep(shortly / 20) {
		name, err := nameBehind(r.addr)
		if err != nil || name == "" {
			continue
		}
		if strings.HasPrefix(b.idOf(""), name) {
			return "reached", nil
		}
		return "", wrongError("the stranger answers")
	}
	return "", wrongError("not reached")
}
