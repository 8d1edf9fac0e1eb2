package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/event"

	"github.com/githabideri/fraktalia/e2e/client"
	"github.com/githabideri/fraktalia/e2e/harness"
)

// What a line says of one port changes that port, and undo takes it back.
func TestForwardAgainWithOtherFlags(t *testing.T) {
	if out := say(t, shared.admin, "!forward 9010"); !out.OK || !strings.Contains(out.Body, "page listens on 9005, 9006 and 9007:") || !strings.Contains(out.Body, "!forward 9010 --to 9005") {
		t.Fatalf("ok=%v\n%s", out.OK, out.Body)
	}
	defer say(t, shared.admin, "!unforward 9010")
	if out := say(t, shared.admin, "!forward 9010 --to 9005 --on loopback --for 2h"); !out.OK || !strings.Contains(out.Body, "page answers") || !strings.Contains(out.Body, "(2 hours)") {
		t.Fatalf("ok=%v\n%s", out.OK, out.Body)
	}
	fetchUntil(t, 9010, "hello")
	list := say(t, shared.admin, "!forwards")
	for _, want := range []string{"9010 → 9005", "127.0.0.1:9010", "✅ page answers", "mox: " + shared.sandbox.Name + ", direct", "until "} {
		if !strings.Contains(list.Body, want) {
			t.Errorf("no %q in\n%s", want, list.Body)
		}
	}
	for _, addr := range others(t) {
		if conn, err := net.DialTimeout("tcp", net.JoinHostPort(addr, "9010"), time.Second); err == nil {
			conn.Close()
			t.Errorf("--on loopback listens on %s", addr)
		}
	}
	if out := say(t, shared.admin, "!undo"); !out.OK {
		t.Errorf("!undo: %s", out.Body)
	}
	if list := say(t, shared.admin, "!forwards"); strings.Contains(list.Body, "→") || strings.Contains(list.Body, "until") {
		t.Errorf("not as it was:\n%s", list.Body)
	}
}

// others are this machine's addresses that are not its loopback's.
func others(t *testing.T) (list []string) {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	must(t, err)
	for _, addr := range addrs {
		if ip := addr.(*net.IPNet).IP; !ip.IsLoopback() && ip.To4() != nil {
			list = append(list, ip.String())
		}
	}
	return list
}

// Any is asked about, says what it opens, and opens nothing where the answer is no.
func TestForwardOnAnyAsks(t *testing.T) {
	ctx := within(t)
	for _, c := range []struct {
		click string
		ok    bool
	}{{client.No, false}, {client.Yes, true}} {
		turn, err := shared.admin.Say(ctx, "!forward 9095 --on any")
		must(t, err)
		question, err := turn.WaitQuestion(ctx)
		must(t, err)
		if !strings.Contains(question.Body, "every address") || isOpen(9095) {
			t.Errorf("asked: %s", question.Body)
		}
		_, err = shared.admin.React(ctx, question.ID, c.click)
		must(t, err)
		if out, err := turn.Final(ctx); err != nil || out.OK != c.ok || isOpen(9095) != c.ok {
			t.Errorf("%s: ok=%v, open=%v, %v\n%s", c.click, out.OK, isOpen(9095), err, out.Body)
		}
	}
	for _, addr := range others(t) {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort(addr, "9095"), 5*time.Second)
		if err != nil {
			t.Errorf("--on any is not open on %s: %v", addr, err)
			continue
		}
		conn.Close()
	}
	if out := say(t, shared.admin, "!unforward 9095"); !out.OK {
		t.Error(out.Body)
	}
	if out := say(t, shared.admin, "!undo"); !out.OK || !strings.Contains(out.Body, "9095") {
		t.Error(out.Body)
	}
	if rows := rowsOf(t, shared.Deployment); len(rows) != 1 || rows[0].On != "any" {
		t.Errorf("after undo: %+v", rows)
	}
	say(t, shared.admin, "!unforward 9095")
}

// Where two agents have sandboxes and none is named, the room is asked which,
// and the room's next commands need not wait for the answer.
func TestForwardAsksWhose(t *testing.T) {
	ctx := within(t)
	second, err := shared.engine.StartSandbox(ctx, "fly", "buzz", "9013")
	must(t, err)
	defer func() { must(t, shared.engine.RemoveSandbox(within(t), second)) }()
	var turn *client.Turn
	var question client.Reply
	for question.ID == "" { // the bot may not have seen the second sandbox yet
		turn, err = shared.admin.Say(ctx, "!forward 9013")
		must(t, err)
		must(t, turn.Wait(ctx, "a question or an end", func(turn *client.Turn) bool {
			_, ended := turn.Now()
			return ended || len(turn.Replies()) > 0 && slices.Contains(turn.Replies()[0].Marks, "1️⃣")
		}))
		if _, ended := turn.Now(); ended {
			say(t, shared.admin, "!unforward 9013")
			continue
		}
		question, err = turn.WaitMarked(ctx, "1️⃣", "2️⃣")
		must(t, err)
	}
	if !strings.Contains(question.Body, "1️⃣ fly") || !strings.Contains(question.Body, "2️⃣ mox") {
		t.Errorf("asked: %s", question.Body)
	}
	if out := say(t, shared.admin, "!forward 9014 --agent mox"); !out.OK { // while the question stands
		t.Error(out.Body)
	}
	_, err = shared.admin.React(ctx, question.ID, "1️⃣")
	must(t, err)
	if out, err := turn.Final(ctx); err != nil || !out.OK || !strings.Contains(out.Body, "answers in "+second.Name) {
		t.Errorf("ok=%v, %v\n%s", out.OK, err, out.Body)
	}
	fetchUntil(t, 9013, "buzz")
	must(t, turn.Wait(ctx, "the other answer's end", func(turn *client.Turn) bool {
		return slices.Equal(turn.Replies()[0].Marks, []string{"1️⃣"})
	}))

	out, said, err := shared.Shell(ctx, strings.NewReader("2\n"), "forward", "9015")
	if err != nil || !strings.Contains(said, "1  fly") || !strings.Contains(said, "[1-2]") || !strings.Contains(out, shared.sandbox.Name) {
		t.Errorf("shell: %v\n%s\n%s", err, out, said)
	}
	if out, said, err := shared.Shell(ctx, strings.NewReader("seven\n"), "forward", "9016"); err == nil || !strings.Contains(said, "Nobody said whose") {
		t.Errorf("shell: %v\n%s\n%s", err, out, said)
	}
	if out := say(t, shared.admin, "!unforward 9013 9014 9015"); !out.OK {
		t.Error(out.Body)
	}
}

// The PROXY protocol's line comes first, and outlives a restart, as all of a
// forward does.
func TestForwardsComeBackAsTheyWere(t *testing.T) {
	s := newSolo(t, "flags")
	s.start(t)
	for _, line := range []string{"!forward 9091 --to 9005 --on loopback --proxy-protocol --for 3d", "!forward 9092 --agent mox --on lan,loopback"} {
		if out := say(t, s.admin, line); !out.OK {
			t.Fatal(out.Body)
		}
	}
	before := rowsOf(t, s.Deployment)
	s.Process.Kill()
	s.start(t)
	if after := rowsOf(t, s.Deployment); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("before %+v\nafter  %+v", before, after)
	}
	if out := say(t, s.admin, "!unforward all"); !out.OK {
		t.Error(out.Body)
	}
	if out := say(t, s.admin, "!undo"); !out.OK {
		t.Error(out.Body)
	}
	if after := rowsOf(t, s.Deployment); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("before %+v\nafter undo %+v", before, after)
	}
	conn, err := net.Dial("tcp", "127.0.0.1:9091")
	must(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte("GET /look HTTP/1.0\r\n\r\n"))
	must(t, err)
	answer := make([]byte, 12)
	_, err = conn.Read(answer)
	if must(t, err); string(answer) != "HTTP/1.1 400" { // "PROXY TCP4 ..." is no request line
		t.Errorf("the service got no PROXY line: %q", answer)
	}
}

// A lease is told before it ends, prolonged by a click also after a restart,
// and closed and told when it ended while nobody was there.
func TestLeases(t *testing.T) {
	ctx := patient(t)
	s := newSolo(t, "lease")
	s.start(t)
	if out := say(t, s.admin, "!forward 9091-9092 --for 2h"); !out.OK || !strings.Contains(out.Body, "(2 hours)") {
		t.Fatal(out.Body)
	}
	must(t, s.Process.Stop(ctx))
	ends := time.Now().Add(9 * time.Minute).UnixMilli()
	must(t, s.Exec(ctx, "UPDATE fraktalia_forward SET until = ?", ends))
	s.start(t)
	warning := s.told(t, "close in 9 minutes")
	s.until(t, "the note is written down", "SELECT count(*) FROM fraktalia_forward WHERE note <> ''", 2)
	s.Process.Kill()
	s.start(t)
	_, err := s.admin.React(ctx, warning.ID, client.Yes)
	must(t, err)
	s.until(t, "both are prolonged", fmt.Sprintf("SELECT count(*) FROM fraktalia_forward WHERE until = %d AND note = ''", ends+2*time.Hour.Milliseconds()), 2)
	s.told(t, "stay open until")
	if n := s.saidTimes("close in"); n != 1 {
		t.Errorf("the end was announced %d times", n)
	}

	must(t, s.Process.Stop(ctx))
	must(t, s.Exec(ctx, "UPDATE fraktalia_forward SET until = ?", time.Now().Add(-time.Minute).UnixMilli()))
	for _, at := range []string{"lease.ended", "lease.told"} {
		must(t, s.Run(shared.crashy, "FRAKTALIA_CRASH_AT="+at))
		s.waitKilled(ctx, t)
	}
	s.start(t)
	s.told(t, "is over")
	s.until(t, "they are forgotten", "SELECT count(*) FROM fraktalia_forward", 0)
	if isOpen(9091) || isOpen(9092) {
		t.Error("a port is open whose lease ended")
	}
	if n := s.saidTimes("is over"); n != 1 {
		t.Errorf("the end was told %d times", n)
	}

	if out := say(t, s.admin, "!forward 9091 --for 1m"); !out.OK {
		t.Fatal(out.Body)
	}
	must(t, s.Process.Stop(ctx))
	must(t, s.Exec(ctx, "UPDATE fraktalia_forward SET until = ?", time.Now().Add(15*time.Second).UnixMilli()))
	s.start(t)
	fetchUntil(t, 9091, "hello")
	conn, err := net.Dial("tcp", "127.0.0.1:9091") // idle when the lease ends
	must(t, err)
	defer conn.Close()
	s.until(t, "its end", "SELECT count(*) FROM fraktalia_forward", 0)
	if isOpen(9091) {
		t.Error("the port is open after the lease's end")
	}
	must(t, conn.SetReadDeadline(time.Now().Add(patience)))
	if n, err := conn.Read(make([]byte, 1)); err == nil || n > 0 {
		t.Errorf("the connection goes on: %d, %v", n, err)
	}
}

// forwardRow is what --json tells of a forward and a restart does not change.
type forwardRow struct {
	Port, To      int
	Agent, On     string
	ProxyProtocol bool `json:"proxy_protocol"`
	Until         *time.Time
}

func (r forwardRow) String() string {
	return fmt.Sprint(r.Port, r.To, r.Agent, r.On, r.ProxyProtocol, r.Until)
}

func rowsOf(t *testing.T, d *harness.Deployment) (rows []forwardRow) {
	t.Helper()
	out, said, err := d.Shell(within(t), nil, "forwards", "--json")
	if err != nil || json.Unmarshal([]byte(out), &rows) != nil {
		t.Fatalf("%v\n%s\n%s", err, out, said)
	}
	return rows
}

// told waits for a message of the bot with words in it, or whose text was
// changed to have them.
func (s *solo) told(t *testing.T, words string) client.Event {
	t.Helper()
	found, err := s.admin.WaitBot(within(t), func(e client.Event) bool {
		return e.Type == event.EventMessage.Type && strings.Contains(e.Content.AsMessage().Body, words)
	})
	must(t, err)
	return found
}

// saidTimes counts the bot's messages with words in them, edits left out.
func (s *solo) saidTimes(words string) (n int) {
	for _, e := range s.admin.FromBot() {
		if e.Type == event.EventMessage.Type && strings.Contains(e.Content.AsMessage().Body, words) && e.RelatesTo().Type != event.RelReplace {
			n++
		}
	}
	return n
}

// until waits for a number in the database.
func (s *solo) until(t *testing.T, what, query string, want int) {
	t.Helper()
	ctx := within(t)
	for s.count(t, query) != want {
		select {
		case <-ctx.Done():
			t.Fatalf("waiting for: %s\n%s", what, s.Process.Said())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
