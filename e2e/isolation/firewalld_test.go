package isolation

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
)

// firewalld is the real one, of Debian's package, with a bus of its own in a
// root folder of its own: on the machine itself its start alone would change
// the rules of everybody.
type firewalld struct {
	w    *world
	root string
	runs *exec.Cmd
}

// debianWithFirewalld is a Debian's root folder, kept in the user's cache. It is
// made where there is a network: before the test goes into its own.
func debianWithFirewalld(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	check(t, err)
	kept := filepath.Join(cache, "fraktalia", "tests", "firewalld-bookworm")
	if _, err := os.Stat(kept); err == nil {
		return kept
	}
	check(t, os.MkdirAll(filepath.Dir(kept), 0o755))
	fresh, err := os.MkdirTemp(filepath.Dir(kept), "new-")
	check(t, err)
	defer os.RemoveAll(fresh)
	check(t, os.Chmod(fresh, 0o755))
	debootstrap := exec.Command("mmdebstrap", "--variant=minbase", "--mode=root", "--include=firewalld,dbus,nftables,iptables", "bookworm", fresh)
	if out, err := debootstrap.CombinedOutput(); err != nil {
		t.Fatalf("make a Debian with firewalld: %v\n%s", err, out[max(0, len(out)-2000):])
	}
	if err := os.Rename(fresh, kept); err != nil && !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
	return kept
}

// newFirewalld gives the root folder what it needs around it; firewalld does not run yet. What it writes goes with the test.
func newFirewalld(t *testing.T, w *world) *firewalld {
	t.Helper()
	kept := debianWithFirewalld(t)
	f := &firewalld{w: w, root: filepath.Join(w.dir, "root")}
	over := filepath.Join(w.dir, "over")
	w.sh("mkdir -p " + f.root + " " + over + " && mount -t tmpfs tmpfs " + over + " && mkdir " + over + "/upper " + over + "/work" +
		" && mount -t overlay overlay -o lowerdir=" + kept + ",upperdir=" + over + "/upper,workdir=" + over + "/work " + f.root +
		" && cd " + f.root + " && mount -t proc proc proc && mount -t tmpfs tmpfs run && mount --rbind /sys sys && mount --bind /dev dev && mkdir run/dbus")
	bus := f.start("dbus-daemon", "--system", "--nofork", "--nopidfile")
	t.Cleanup(func() {
		f.stop()
		bus.Process.Kill()
		bus.Wait()
		w.sh("umount -l " + f.root + " " + over)
	})
	return f
}

func (f *firewalld) start(words ...string) *exec.Cmd {
	f.w.t.Helper()
	cmd := exec.Command("chroot", append([]string{f.root}, words...)...)
	check(f.w.t, cmd.Start())
	return cmd
}

func (f *firewalld) stop() {
	if f.runs != nil {
		f.runs.Process.Signal(os.Interrupt)
		f.runs.Process.Kill()
		f.runs.Wait()
		f.runs = nil
	}
}

// restart runs it with one of its two backends. Everything is in its zone
// "trusted": what is refused then, we refuse.
func (f *firewalld) restart(backend string) {
	f.w.t.Helper()
	f.stop()
	f.w.sh("sed -i 's/^FirewallBackend=.*/FirewallBackend=" + backend + "/; s/^DefaultZone=.*/DefaultZone=trusted/' " + f.root + "/etc/firewalld/firewalld.conf")
	f.runs = f.start("firewalld", "--nofork", "--nopid")
	f.w.await("firewalld runs", func() bool { return exec.Command("chroot", f.root, "firewall-cmd", "--state").Run() == nil })
}

func (f *firewalld) say(words string) {
	f.w.t.Helper()
	f.w.sh("chroot " + f.root + " firewall-cmd " + words)
}

// The rules stand whatever firewalld does: started, reloaded, made to forget
// everything, with either of its backends.
func TestFirewalldReloads(t *testing.T) {
	debianWithFirewalld(t)
	if !sandboxtest.InOwnNetwork(t) {
		return
	}
	w := newWorld(t)
	w.must("apply")
	w.hurry()
	f := newFirewalld(t, w)
	box := w.newSandbox()
	for _, backend := range []string{"nftables", "iptables"} {
		for _, act := range []string{"", "--reload", "--complete-reload"} {
			when := "firewalld (" + backend + ") " + act
			if act == "" {
				f.restart(backend)
			} else {
				f.say(act)
			}
			if said := w.must("show", "--json"); !strings.Contains(said, `"rules": "right"`) {
				t.Fatalf("%s: show said\n%s", when, said)
			}
			f.nothingOut(t, box, when)
		}
		if backend == "nftables" { // with the other one Docker's own rules are gone, too, and with them the internet
			wantProved(t, w, "after firewalld was reloaded")
		}
	}
	if !strings.Contains(w.sh("iptables -S FORWARD"), "FORWARD_ZONES") {
		t.Error("firewalld has put nothing into iptables: it was not at work")
	}
}

// nothingOut knocks everywhere from inside.
func (f *firewalld) nothingOut(t *testing.T, box, when string) {
	t.Helper()
	places := []string{"lan", "tail", "host"}
	before := map[string]string{}
	for _, place := range places {
		before[place] = f.w.hears(place)
	}
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
	defer stop()
	if n, err := strconv.Atoi(f.w.knock(ctx, box, 50)); err != nil || n < 50 {
		t.Errorf("%s: %d knocks, %v", when, n, err)
	}
	for _, place := range places {
		if after := f.w.hears(place); after != before[place] {
			t.Errorf("%s: %s heard\n%s", when, place, strings.TrimPrefix(after, before[place]))
		}
	}
}
