package command

import (
	"context"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/githabideri/fraktalia/forwarder"
	"github.com/githabideri/fraktalia/procnet"
	"github.com/githabideri/fraktalia/reply"
)

func (b *bench) undo(t *testing.T, line string) {
	t.Helper()
	r := &run{Services: b.commands.services, shared: &b.commands.shared, request: Request{Sender: "@o:test", Role: Owner}, talk: b.desk}
	if _, err := r.takeBack(context.Background(), line); err != nil {
		t.Errorf("%q: %v", line, err)
	}
}

// A port is open for connections and for datagrams, each by itself.
func TestUDPBesideTCP(t *testing.T) {
	b := newBench(t)
	for _, line := range []string{"forward 29001", "forward 29001 --udp --to 53 --for 2h"} {
		if _, err := b.do(t, line); err != nil {
			t.Fatal(err)
		}
	}
	before := b.specs()
	if len(before) != 2 || before[0].UDP || !before[1].UDP || before[1].To != 53 {
		t.Fatalf("%+v", before)
	}
	if text, _ := b.do(t, "forwards"); !strings.Contains(text, "29001/udp → 53") {
		t.Error(text)
	}
	if _, err := b.do(t, "unforward 29001 --tcp"); err != nil || len(b.specs()) != 1 || !b.specs()[0].UDP {
		t.Errorf("%v left %+v", err, b.specs())
	}
	if _, err := b.do(t, "forward 29001"); err != nil {
		t.Error(err)
	}
	answer, err := b.commands.Do(context.Background(), Request{Args: []string{"unforward", "29001"}, Sender: "@o:test", Role: Owner}, b.desk)
	if err != nil || len(b.specs()) != 0 {
		t.Errorf("%v left %+v", err, b.specs())
	}
	if b.undo(t, answer.Undo); !slices.Equal(before, b.specs()) {
		t.Errorf("%q gave %+v", answer.Undo, b.specs())
	}
}

// The same port with other flags is changed, and undo makes it what it was.
func TestForwardAgainChanges(t *testing.T) {
	b := newBench(t)
	if _, err := b.do(t, "forward 29001 --to 80 --for 2h --on loopback"); err != nil {
		t.Fatal(err)
	}
	saved, _ := b.records.Forwards(context.Background())
	answer, err := b.commands.Do(context.Background(), Request{Args: []string{"forward", "29001", "--to", "81", "--for", "ever"}, Sender: "@o:test", Role: Owner}, b.desk)
	if now, _ := b.records.Forwards(context.Background()); err != nil || now[0].Target != 81 || now[0].Reach != "loopback" || !now[0].Until.IsZero() {
		t.Errorf("%+v %v", now, err)
	}
	b.undo(t, answer.Undo)
	if now, _ := b.records.Forwards(context.Background()); now[0] != saved[0] {
		t.Errorf("%q gave %+v, was %+v", answer.Undo, now, saved)
	}
	for line, want := range map[string]string{
		"forward 29001":                          "Port 29001 is forwarded already.",
		"forward 29000-29002":                    "Port 29001 is forwarded already, so I opened none.",
		"forward 29003 --for soon":               `"soon" is no time`,
		"forward 29003 --on wlan":                "--on takes loopback, lan and tailnet",
		"forward 29003 --udp --proxy-protocol":   "The PROXY protocol is for connections",
		"forward 29003 --to 0":                   "--to takes one port",
		"forward 29003-29004 --to 5":             "--to takes one port",
		"forward 29003 --for 2h --until teatime": "--until takes a time",
	} {
		if _, err := b.do(t, line); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s gave %v", line, err)
		}
	}
	b.desk.yes = false
	if _, err := b.do(t, "forward 29003 --on any"); err == nil || len(b.specs()) != 1 || !strings.Contains(b.desk.question.Text(), "every address") {
		t.Errorf("%v left %+v", err, b.specs())
	}
}

// A program that listens on several ports is named once.
func TestWhoListens(t *testing.T) {
	var list []procnet.Listener
	for _, l := range []struct {
		port uint16
		name string
	}{{9005, "page"}, {9006, "node"}, {9007, "page"}, {9008, ""}, {9009, "page"}} {
		list = append(list, procnet.Listener{Addr: netip.AddrPortFrom(netip.IPv4Unspecified(), l.port), Process: procnet.Process{PID: 1, Name: l.name}})
		want := map[uint16]string{
			9005: "page listens on 9005",
			9007: "page listens on 9005 and 9007, node on 9006",
			9009: "page listens on 9005, 9007 and 9009, node on 9006, something on 9008",
		}[l.port]
		if got := whoListens(list); want != "" && got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Another program at one of a forward's addresses is told, though the port is
// open at the others.
func TestTakenAtOneAddress(t *testing.T) {
	b := newBench(t)
	other, err := net.Listen("tcp", "127.0.0.1:29002")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := b.forwards.Restore([]forwarder.Spec{{Port: 29002, Bind: forwarder.Loopback}}); err != nil {
		t.Fatal(err)
	}
	if s := b.forwards.List()[0]; s.State == forwarder.Held || standingOf(s) != held {
		t.Errorf("%+v", s)
	}
	if text, _ := b.do(t, "forwards"); !strings.Contains(text, "127.0.0.1:29002 is taken by ") {
		t.Error(text)
	}
}

// diary is where a watch speaks.
type diary chan string

func (d diary) Note(_ context.Context, _ string, doc reply.Doc) error {
	d <- doc.Text()
	return nil
}

// What begins and ceases to answer is told once each, not oftener than the
// limits say, and not at all after too many times.
func TestChangesAreTold(t *testing.T) {
	b := newBench(t)
	var now atomic.Int64
	b.commands.services.Settings.Now = func() time.Time { return time.Unix(1e9+now.Load(), 0) }
	log := logrus.New()
	log.SetOutput(io.Discard)
	said := make(diary, 100)
	w := b.commands.Watch(said, logrus.NewEntry(log))
	service, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer service.Close()
	port := service.Addr().(*net.TCPAddr).AddrPort().Port()
	b.forwards.SetSandboxes([]forwarder.Sandbox{{ID: "a", Name: "box", Agent: "mox", Addrs: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Started: time.Now()}})
	if err := b.forwards.Open(forwarder.Spec{Port: 29001, To: int(port)}); err != nil {
		t.Fatal(err)
	}
	up := []procnet.Listener{{Addr: netip.AddrPortFrom(netip.IPv4Unspecified(), port), Process: procnet.Process{PID: 1, Name: "node"}}}
	set := func(listening bool) {
		b.forwards.inside["a"] = nil
		if listening {
			b.forwards.inside["a"] = up
		}
	}
	pass := func(seconds int64) { // of time, a look each second
		for range seconds {
			now.Add(1)
			w.Look(context.Background())
			w.tasks.Wait()
		}
	}
	set(false)
	w.Told(forwarder.Key{Port: 29001}, false)
	pass(20)
	set(true)
	pass(2)
	if len(said) != 1 || !strings.Contains(<-said, "Port 29001: node answers in box.") {
		t.Fatalf("%d notes", len(said))
	}
	set(false) // a restart of the service
	pass(3)
	set(true)
	if pass(120); len(said) != 0 {
		t.Errorf("a restart was told: %s", <-said)
	}
	for range 20 { // it flaps
		service.Close()
		set(false)
		pass(70)
		again, err := net.Listen("tcp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port).String())
		if err != nil {
			t.Fatal(err)
		}
		service = again
		set(true)
		pass(70)
	}
	if len(said) != mostNotes-1 {
		t.Errorf("%d notes of a service that flaps", len(said))
	}
	for len(said) > 1 {
		<-said
	}
	if text := <-said; !strings.Contains(text, "I say no more about it") {
		t.Errorf("the last says %s", text)
	}
}

// The second change is told as soon as the first: only what goes on changing
// has to wait.
func TestTheNextChangeIsToldSoonToo(t *testing.T) {
	b, said, pass := newWatched(t)
	at := netip.MustParseAddrPort("127.0.0.1:29999")
	b.forwards.inside["a"] = nil
	if err := b.forwards.Open(forwarder.Spec{Port: 29001, To: int(at.Port())}); err != nil {
		t.Fatal(err)
	}
	pass(200) // long as it is
	for i := range quickNotes {
		if i%2 == 0 {
			service, err := net.Listen("tcp", at.String())
			if err != nil {
				t.Fatal(err)
			}
			defer service.Close()
			b.forwards.inside["a"] = []procnet.Listener{{Addr: at}}
			pass(int64(watchSeen / time.Second))
			if len(said) != 1 {
				t.Fatalf("change %d: %d notes", i, len(said))
			}
			service.Close()
		} else {
			b.forwards.inside["a"] = nil
			if pass(int64((settleDown + watchSeen) / time.Second)); len(said) != 1 {
				t.Fatalf("change %d: %d notes", i, len(said))
			}
		}
		<-said
	}
}

// A forward for UDP is watched by whether a socket is bound inside.
func TestChangesOfDatagramsAreTold(t *testing.T) {
	b, said, pass := newWatched(t)
	b.forwards.bound["a"] = nil
	text, err := b.do(t, "forward 29001 --udp")
	if err != nil || !strings.Contains(text, "Nothing takes datagrams on 29001 in box yet.") {
		t.Fatalf("%v\n%s", err, text)
	}
	pass(3)
	b.forwards.bound["a"] = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:29001"), netip.MustParseAddrPort("0.0.0.0:53")}
	if pass(5); len(said) != 0 {
		t.Errorf("what nobody reaches was told: %s", <-said)
	}
	b.forwards.bound["a"] = []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:29001")}
	if pass(2); len(said) != 1 || !strings.Contains(<-said, "Port 29001/udp: Something takes datagrams on 29001 in box.") {
		t.Fatalf("%d notes", len(said))
	}
	b.forwards.bound["a"] = nil
	if pass(8); len(said) != 1 || !strings.Contains(<-said, "Port 29001/udp: Nothing takes datagrams") {
		t.Fatalf("%d notes", len(said))
	}
	delete(b.forwards.bound, "a") // not to be seen, as on another host
	if pass(60); len(said) != 0 {
		t.Errorf("told though it is not known: %s", <-said)
	}
}

// newWatched is a bench with a sandbox and a watch; pass lets seconds pass,
// with a look in each.
func newWatched(t *testing.T) (b *bench, said diary, pass func(seconds int64)) {
	b = newBench(t)
	var now atomic.Int64
	b.commands.services.Settings.Now = func() time.Time { return time.Unix(1e9+now.Load(), 0) }
	log := logrus.New()
	log.SetOutput(io.Discard)
	said = make(diary, 100)
	w := b.commands.Watch(said, logrus.NewEntry(log))
	b.forwards.SetSandboxes([]forwarder.Sandbox{{ID: "a", Name: "box", Agent: "mox", Addrs: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Started: time.Now()}})
	return b, said, func(seconds int64) {
		for range seconds {
			now.Add(1)
			w.Look(context.Background())
			w.tasks.Wait()
		}
	}
}
