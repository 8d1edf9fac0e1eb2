package e2e

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A port is open for connections and for datagrams at the same time, each by
// itself.
func TestForwardOfDatagrams(t *testing.T) {
	away(t)(shared.engine.StartSandbox(within(t), "data", "heard", "9017", "udp:9017"))
	for _, line := range []string{"!forward 9017 --agent data", "!forward 9017 --agent data --udp"} {
		if out := say(t, shared.admin, line); !out.OK {
			t.Fatalf("%s: %s", line, out.Body)
		}
	}
	t.Cleanup(func() { say(t, shared.admin, "!unforward 9017") })
	if answer := datagram(t, 9017, "hello"); answer != "heard hello" {
		t.Errorf("the datagram came back as %q", answer)
	}
	fetchUntil(t, 9017, "heard")
	list := say(t, shared.admin, "!forwards")
	for _, want := range []string{"9017/udp", "takes datagrams", "✅ page answers"} {
		if !strings.Contains(list.Body, want) {
			t.Errorf("no %q in\n%s", want, list.Body)
		}
	}
	if out := say(t, shared.admin, "!unforward 9017 --tcp"); !out.OK || isOpen(9017) {
		t.Errorf("ok=%v, open=%v\n%s", out.OK, isOpen(9017), out.Body)
	}
	if answer := datagram(t, 9017, "again"); answer != "heard again" {
		t.Errorf("without TCP the datagram came back as %q", answer)
	}
}

// datagram sends words to a port, as often as it takes, and returns the answer.
func datagram(t *testing.T, port int, words string) string {
	t.Helper()
	conn, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", port))
	must(t, err)
	defer conn.Close()
	ctx := within(t)
	answer := make([]byte, 100)
	for ctx.Err() == nil {
		_, err = conn.Write([]byte(words))
		must(t, err)
		must(t, conn.SetReadDeadline(time.Now().Add(time.Second)))
		n, err := conn.Read(answer)
		if err == nil {
			return string(answer[:n])
		}
	}
	t.Fatalf("no datagram comes back from port %d", port)
	return ""
}

// The room is told when something begins to answer behind a port, and when it
// ceases to: once each.
func TestForwardsTellWhatChanges(t *testing.T) {
	t.Parallel() // it mostly waits
	s := newSolo(t, "watch")
	away(t)(shared.engine.StartSandbox(within(t), "late", "at last", "9062"))
	s.start(t)
	out := say(t, s.admin, "!forward 9061-9062 --agent late")
	if !out.OK || !strings.Contains(out.Body, "Nothing listens on 9061") || !strings.Contains(out.Body, "page listens on 9062: !forward 9061 --to 9062") {
		t.Fatalf("ok=%v\n%s", out.OK, out.Body)
	}
	tell := func(what, words string) {
		t.Helper()
		if text, err := fetchPath(within(t), 9062, what); err != nil || !strings.HasPrefix(text, "at last") {
			t.Fatalf("%q, %v", text, err)
		}
		from := time.Now()
		s.told(t, words)
		t.Logf("%s was told after %s", what, time.Since(from).Round(time.Millisecond))
	}
	tell("/open/9061", "Port 9061: page answers in")
	tell("/close/9061", "Port 9061: Nothing listens on 9061 in")
	if n := s.saidTimes("Port 9061: "); n != 2 {
		t.Errorf("%d notes of two changes", n)
	}
	if n := s.saidTimes("Port 9062: "); n != 0 {
		t.Errorf("%d notes of a port that has not changed", n)
	}
}

// All forwards are back when the program is; one whose port another program
// has taken meanwhile names it, and is back when the port is free.
func TestForwardsAreBackAfterARestart(t *testing.T) {
	t.Parallel() // it has a sandbox and ports of its own
	const first, last = 9018, 9088
	var ports []int // twenty that no other test uses
	var served []string
	for port := first; port <= last; port++ {
		if port <= 9030 || port >= 9082 {
			ports, served = append(ports, port), append(served, fmt.Sprint(port))
		}
	}
	s := newSolo(t, "back")
	away(t)(shared.engine.StartSandbox(within(t), "many", "back", served...))
	s.start(t)
	if out := say(t, s.admin, "!forward "+strings.Join(served, " ")+" --agent many"); !out.OK {
		t.Fatal(out.Body)
	}
	before := rowsOf(t, s.Deployment)
	s.Process.Kill()
	from := time.Now()
	must(t, s.Run(shared.crashy))
	for _, port := range ports {
		fetchUntil(t, port, "back")
	}
	t.Logf("%d forwards serve again %s after the start", len(before), time.Since(from).Round(time.Millisecond))
	must(t, s.WaitReady(within(t)))
	if after := rowsOf(t, s.Deployment); len(before) != 20 || fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("before %+v\nafter  %+v", before, after)
	}

	s.Process.Kill()
	stop := []func(){hold(t, "127.0.0.1", first), hold(t, "", first+1)}
	s.start(t)
	s.told(t, fmt.Sprintf("Port %d: 127.0.0.1:%d is taken by page (pid ", first, first))
	s.told(t, fmt.Sprintf("Port %d: The port is taken by page (pid ", first+1))
	fetchUntil(t, last, "back")
	if list := say(t, s.admin, "!forwards"); strings.Count(list.Body, "taken by page") != 2 {
		t.Errorf("not named in\n%s", list.Body)
	}
	for i, end := range stop {
		end()
		fetchUntil(t, first+i, "back")
	}
	if list := say(t, s.admin, "!forwards"); strings.Contains(list.Body, "taken by") {
		t.Errorf("still taken:\n%s", list.Body)
	}
	if n := s.saidTimes("I try again"); n != 1 {
		t.Errorf("it was told %d times", n)
	}
}

// hold has another program listen on a port.
func hold(t *testing.T, host string, port int) (stop func()) {
	t.Helper()
	other := exec.Command(filepath.Join(shared.dir, "page"), "held", fmt.Sprintf("%s:%d", host, port))
	must(t, other.Start())
	stop = func() {
		other.Process.Kill()
		other.Wait() // with the signal that killed it
	}
	t.Cleanup(stop)
	fetchUntil(t, port, "held")
	return stop
}
