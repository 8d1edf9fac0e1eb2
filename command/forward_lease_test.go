package command

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/githabideri/fraktalia/reply"
)

// hall is a Room that remembers what was said, message by message.
type hall struct {
	mu     sync.Mutex
	names  []string // in order; the place is the message's ref
	texts  map[string]string
	clicks map[string]chan string
	said   chan struct{} // one for each Announce and Retell that is new
}

func newHall() *hall {
	return &hall{texts: map[string]string{}, clicks: map[string]chan string{}, said: make(chan struct{}, 100)}
}

func (h *hall) Announce(_ context.Context, name string, doc reply.Doc, _ ...string) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Contains(h.names, name) {
		h.names = append(h.names, name)
		h.texts[name] = doc.Text()
		h.said <- struct{}{}
	}
	return name, nil
}

func (h *hall) Retell(_ context.Context, ref string, doc reply.Doc, _ ...string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.texts[ref] = doc.Text()
	h.said <- struct{}{}
	return nil
}

func (h *hall) Await(ref string, _ ...string) func(context.Context) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	clicked := make(chan string, 1)
	h.clicks[ref] = clicked
	return func(ctx context.Context) (string, error) {
		select {
		case key := <-clicked:
			return key, nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// last is what the newest message says.
func (h *hall) last() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.texts[h.names[len(h.names)-1]]
}

func (h *hall) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.names)
}

func (h *hall) click(ref string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clicks[ref] <- prolongKey
}

// leaseBench is a bench whose clock a test moves.
type leaseBench struct {
	*bench
	hall   *hall
	leases *Leases
	ctx    context.Context

	mu  sync.Mutex
	now time.Time
}

func newLeaseBench(t *testing.T) *leaseBench {
	b := &leaseBench{bench: newBench(t), hall: newHall(), now: time.Date(2026, 3, 4, 12, 0, 0, 0, time.Local)}
	b.commands.services.Settings.Now = b.time
	var stop context.CancelFunc
	b.ctx, stop = context.WithCancel(context.Background())
	b.restart()
	t.Cleanup(func() { stop(); b.leases.tasks.Wait() })
	return b
}

func (b *leaseBench) time() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

// restart makes the leases anew, as a program does that starts.
func (b *leaseBench) restart() {
	log := logrus.New()
	log.SetOutput(io.Discard)
	b.leases = b.commands.Leases(b.hall, logrus.NewEntry(log))
}

// until lets time pass to a moment of the day, from one thing that is due to
// the next, and returns when all that was to be said has been said.
func (b *leaseBench) until(t *testing.T, hour, minute int) {
	t.Helper()
	end := time.Date(2026, 3, 4, hour, minute, 0, 0, time.Local)
	for {
		next := b.tick(t)
		if next.IsZero() || next.After(end) {
			break
		}
		b.set(next)
	}
	b.set(end)
	b.tick(t)
}

func (b *leaseBench) set(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = now
}

// tick does what is due, and again once it has been said: as Run does.
func (b *leaseBench) tick(t *testing.T) (next time.Time) {
	t.Helper()
	for range 2 {
		var err error
		if next, err = b.leases.Tick(b.ctx); err != nil {
			t.Fatal(err)
		}
		b.settle()
	}
	return next
}

// settle waits for the messages under way.
func (b *leaseBench) settle() {
	for {
		b.leases.mu.Lock()
		n := len(b.leases.telling)
		b.leases.mu.Unlock()
		if n == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// open says whether a port is open and remembered.
func (b *leaseBench) open(t *testing.T, port int) bool {
	t.Helper()
	saved, err := b.records.Forwards(b.ctx)
	if err != nil {
		t.Fatal(err)
	}
	remembered := false
	for _, f := range saved {
		remembered = remembered || f.Port == port
	}
	listening := false
	for _, s := range b.forwards.List() {
		listening = listening || s.Port == port
	}
	if remembered != listening {
		t.Errorf("port %d: remembered %v, listening %v", port, remembered, listening)
	}
	return listening
}

// A day of a lease: told before its end, prolonged by a click, closed and told
// at its end, with restarts in between, at each of which nothing is said twice.
func TestADayOfLeases(t *testing.T) {
	b := newLeaseBench(t)
	text, err := b.do(t, "forward 29001-29003 --for 2h")
	if err != nil || !strings.Contains(text, "until 14:00 (2 hours)") {
		t.Fatalf("%q %v", text, err)
	}
	if _, err := b.do(t, "forward 29005 --for 1d"); err != nil {
		t.Fatal(err)
	}
	if b.until(t, 13, 49); b.hall.count() != 0 {
		t.Errorf("too early: %s", b.hall.last())
	}
	b.until(t, 13, 51)
	if b.hall.count() != 1 || b.hall.last() != "⏳ Ports 29001-29003 close in 10 minutes, at 14:00. Click ✅ and it stays open for 2 hours more." {
		t.Errorf("%d messages: %s", b.hall.count(), b.hall.last())
	}
	<-b.hall.said
	b.restart()
	b.until(t, 13, 55)
	b.hall.click(b.hall.names[0])
	<-b.hall.said
	if text := b.hall.last(); text != "Ports 29001-29003 stay open until 16:00 (2 hours 5 minutes)." {
		t.Error(text)
	}
	b.restart()
	b.until(t, 15, 49)
	if b.hall.count() != 1 || !b.open(t, 29002) {
		t.Errorf("%d messages at 15:49", b.hall.count())
	}
	if _, err := b.do(t, "forward 29002 --for ever"); err != nil {
		t.Error(err)
	}
	b.until(t, 16, 0)
	if b.hall.count() != 3 || b.hall.last() != "The time of ports 29001 29003 is over (2 hours, until 16:00): closed. !forward 29001 29003 --for 2h opens them again." {
		t.Errorf("%d messages: %s", b.hall.count(), b.hall.last())
	}
	if b.open(t, 29001) || !b.open(t, 29002) || b.open(t, 29003) {
		t.Error("not closed what was to be closed")
	}
	b.hall.click(b.hall.names[1]) // too late
	b.until(t, 36, 0)             // noon of the next day
	if b.open(t, 29005) || !b.open(t, 29002) {
		t.Error("the day's lease goes on")
	}
	if n := b.hall.count(); n != 5 {
		t.Errorf("%d messages in all: %q", n, b.hall.names)
	}
	if left, _ := b.records.EndedForwards(b.ctx); len(left) != 0 {
		t.Errorf("left %+v", left)
	}
}

// A port that is forwarded anew keeps what it was given, also while its old
// lease ends.
func TestANewLeaseIsNotEndedByTheOldOne(t *testing.T) {
	b := newLeaseBench(t)
	for _, line := range []string{"forward 29001 --for 1h", "unforward 29001", "forward 29001 --for 3h"} {
		if _, err := b.do(t, line); err != nil {
			t.Fatal(err)
		}
	}
	if b.until(t, 14, 0); !b.open(t, 29001) {
		t.Error("closed by the lease of before")
	}
	if b.until(t, 15, 0); b.open(t, 29001) {
		t.Error("still open")
	}
	// Ended, and opened again before anybody was told.
	if _, err := b.do(t, "forward 29001"); err != nil {
		t.Fatal(err)
	}
	if b.until(t, 23, 0); !b.open(t, 29001) {
		t.Error("what stays was closed")
	}
}

func TestTimes(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90m": 90 * time.Minute, "2h": 2 * time.Hour, "3d": 72 * time.Hour, "1h30m": 90 * time.Minute, "30min": 30 * time.Minute,
		"2 hours": 2 * time.Hour, "1w": 7 * 24 * time.Hour, "1d 12h": 36 * time.Hour,
	} {
		if got, err := readTime(text); err != nil || got != want {
			t.Errorf("%q is %v, %v", text, got, err)
		}
		if got, err := readTime(shortTime(want)); err != nil || got != want {
			t.Errorf("%v is written %q", want, shortTime(want))
		}
	}
	for _, text := range []string{"", "soon", "-2h", "2", "0m", "2h!", "h", "99999999h", "400d", "1.5h", "2h2", "２h"} {
		if got, err := readTime(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
	for d, want := range map[time.Duration]string{time.Minute: "1 minute", 90 * time.Minute: "1 hour 30 minutes", 26 * time.Hour: "26 hours",
		48 * time.Hour: "2 days", 24 * time.Hour: "1 day", 100*24*time.Hour + time.Hour: "100 days 1 hour", time.Second: "less than a minute", -time.Hour: "less than a minute"} {
		if got := lasting(d); got != want {
			t.Errorf("%v is told as %q, not %q", d, got, want)
		}
	}
}

func FuzzTimes(f *testing.F) {
	for _, text := range []string{"90m", "2h", "1w 2d", "999999w", "0h0m"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := readTime(text)
		if err == nil && (d < time.Minute || d > longestTime) {
			t.Errorf("%q is %v", text, d)
		}
		if err == nil {
			if again, err := readTime(shortTime(d)); err != nil || again != d {
				t.Error(fmt.Sprint(text, d, again, err))
			}
		}
	})
}
