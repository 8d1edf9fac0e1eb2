package e2e

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"

	"github.com/githabideri/fraktalia/e2e/client"
	"github.com/githabideri/fraktalia/e2e/harness"
)

// solo is a deployment whose homeserver runs by itself, so that the bot can be
// killed and started alone.
type solo struct {
	*harness.Deployment
	owner *client.Client
	admin *client.Room
}

// newSolo brings one up; the bot does not run yet.
func newSolo(t *testing.T, name string, env ...string) *solo {
	t.Helper()
	ctx := within(t)
	d, _, err := shared.deploy(ctx, shared.Binary, name, env...)
	must(t, err)
	t.Cleanup(func() {
		if err := d.Down(within(t)); err != nil {
			t.Error(err)
		}
	})
	s := &solo{Deployment: d}
	s.owner, err = d.Owner(ctx)
	must(t, err)
	t.Cleanup(func() { s.owner.Close() })
	_, err = s.owner.Sign(ctx)
	must(t, err)
	s.admin, err = s.owner.Enter(ctx, d.AdminRoom, d.BotUserID)
	must(t, err)
	if out := say(t, s.admin, "!help"); !out.OK { // keys have gone both ways
		t.Fatal(out.Body)
	}
	must(t, d.Process.Stop(ctx))
	must(t, d.StartHomeserver(ctx))
	return s
}

// start starts the bot and waits until it obeys.
func (s *solo) start(t *testing.T, env ...string) {
	t.Helper()
	must(t, s.Run(shared.crashy, env...))
	must(t, s.WaitReady(within(t)))
}

func (s *solo) count(t *testing.T, query string, args ...any) int {
	t.Helper()
	n, err := s.Count(within(t), query, args...)
	must(t, err)
	return n
}

func TestForwardsOutliveAKill(t *testing.T) {
	s := newSolo(t, "kill")
	s.start(t)
	if out := say(t, s.admin, "!forward 9091"); !out.OK {
		t.Fatal(out.Body)
	}
	s.Process.Kill()
	if isOpen(9091) {
		t.Fatal("the port is open without a program")
	}
	s.start(t)
	fetchUntil(t, 9091, "hello")
	if out := say(t, s.admin, "!unforward 9091"); !out.OK {
		t.Error(out.Body)
	}

	t.Run("a long gap", func(t *testing.T) { longGap(t, s) })
	t.Run("the homeserver restarts", func(t *testing.T) { homeserverRestarts(t, s) })
	t.Run("an older database", func(t *testing.T) { olderDatabase(t, s) })
}

// longGap has 120 commands typed while the bot is down: more than the server
// puts into one response. Each is answered once.
func longGap(t *testing.T, s *solo) {
	s.Process.Kill()
	ctx := within(t)
	var turns []*client.Turn
	for i := range 120 {
		turn, err := s.admin.Say(ctx, fmt.Sprintf("!help %s", []string{"forward", "status", "adduser"}[i%3]))
		must(t, err)
		turns = append(turns, turn)
	}
	s.start(t)
	for i, turn := range turns {
		if out, err := turn.Final(ctx); err != nil || !out.OK {
			t.Fatalf("command %d: %+v, %v", i, out.Body, err)
		}
	}
	if out := say(t, s.admin, "!help"); !out.OK {
		t.Error(out.Body)
	}
	for i, turn := range turns {
		if out, _ := turn.Now(); len(out.Replies) != 1 || countOf(out.Marks, client.Yes) != 1 {
			t.Errorf("command %d: %d answers, marks %v", i, len(out.Replies), out.Marks)
		}
	}
}

func countOf(marks []string, mark string) (n int) {
	for _, m := range marks {
		if m == mark {
			n++
		}
	}
	return n
}

func homeserverRestarts(t *testing.T, s *solo) {
	must(t, s.StopHomeserver())
	// The shell and the ports do not need it.
	if out, said, err := s.Shell(within(t), nil, "forward", "9092"); err != nil {
		t.Errorf("%v\n%s\n%s", err, out, said)
	}
	fetchUntil(t, 9092, "hello")
	out, said, err := s.Shell(within(t), nil, "adduser", "ivan")
	if err == nil || !strings.Contains(said, "does not answer") {
		t.Errorf("!adduser without a homeserver: %v\n%s\n%s", err, out, said)
	}
	status, said, err := s.Shell(within(t), nil, "status")
	if err != nil || !strings.Contains(status, "does not answer") {
		t.Errorf("status without a homeserver: %v\n%s\n%s", err, status, said)
	}
	must(t, s.StartHomeserver(within(t)))
	if out := say(t, s.admin, "!unforward 9092"); !out.OK {
		t.Error(out.Body)
	}
}

// olderDatabase puts a copy of the database back that knows nothing of what
// was done since: none of it is done again, and people are told.
func olderDatabase(t *testing.T, s *solo) {
	ctx := within(t)
	must(t, s.Process.Stop(ctx))
	backup := t.TempDir()
	copyDatabase(t, s.DataDir, backup)
	s.start(t)
	var turns []*client.Turn
	for _, line := range []string{"!forward 9093", "!unforward 9093", "!forward 9094", "!adduser judy", "!unforward 9094"} {
		turn, err := s.admin.Say(ctx, line)
		must(t, err)
		if out, err := turn.Final(ctx); err != nil || !out.OK {
			t.Fatalf("%s: %s %v", line, out.Body, err)
		}
		turns = append(turns, turn)
	}
	must(t, s.Process.Stop(ctx))
	copyDatabase(t, backup, s.DataDir)
	s.start(t)
	ctx = within(t)
	if _, err := s.admin.WaitBot(ctx, func(e client.Event) bool {
		return e.Type == event.EventMessage.Type && strings.Contains(e.Content.AsMessage().Body, "older copy")
	}); err != nil {
		t.Errorf("%v\n%s", err, s.Process.Said())
	}
	if out := say(t, s.admin, "!forwards"); strings.Contains(out.Body, "9093") || strings.Contains(out.Body, "9094") {
		t.Errorf("old commands were run again:\n%s", out.Body)
	}
	for i, turn := range turns {
		answers := 1
		if i == 3 {
			answers = 2 // a joining card and its picture
		}
		if out, _ := turn.Now(); len(out.Replies) != answers || countOf(out.Marks, client.Yes) != 1 || slices.Contains(out.Marks, client.No) {
			t.Errorf("%d answers, marks %v: %s", len(out.Replies), out.Marks, out.Body)
		}
	}
	for _, e := range s.admin.FromBot() {
		if e.Broken != nil {
			t.Errorf("the owner cannot read %s: %v", e.ID, e.Broken)
		}
	}
}

// copyDatabase copies the program's database while the program is stopped.
func copyDatabase(t *testing.T, from, to string) {
	t.Helper()
	for _, end := range []string{"", "-wal", "-shm"} {
		path := filepath.Join(to, "fraktalia.db"+end)
		os.Remove(path)
		in, err := os.Open(filepath.Join(from, "fraktalia.db"+end))
		if os.IsNotExist(err) {
			continue
		}
		must(t, err)
		defer in.Close()
		out, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
		must(t, err)
		_, err = io.Copy(out, in)
		must(t, err)
		must(t, out.Close())
	}
}

// waitKilled waits for the program to come to its crash point.
func (s *solo) waitKilled(ctx context.Context, t *testing.T) {
	t.Helper()
	must(t, s.Process.WaitKilled(ctx))
}
