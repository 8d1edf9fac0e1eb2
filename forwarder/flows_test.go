package forwarder_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/forwarder"
)

func udp(port int) forwarder.Key { return forwarder.Key{Port: port, UDP: true} }

// udpService answers every datagram but "hush" with name, a blank, where it
// came from, a blank, and the datagram.
func udpService(t testing.TB, addr, name string) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenPacket("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		datagram := make([]byte, 64<<10)
		for {
			n, from, err := conn.ReadFrom(datagram)
			if err != nil {
				return
			}
			if string(datagram[:n]) == "hush" {
				continue
			}
			conn.WriteTo(fmt.Appendf(nil, "%s %s %s", name, from, datagram[:n]), from)
		}
	}()
	return netip.MustParseAddrPort(conn.LocalAddr().String())
}

// mirror sends every datagram back as it is.
func mirror(t testing.TB) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetReadBuffer(4 << 20)
	go func() {
		datagram := make([]byte, 64<<10)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(datagram)
			if err != nil {
				return
			}
			conn.WriteToUDPAddrPort(datagram[:n], from)
		}
	}()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

func freeUDPPort(t testing.TB) int {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).Port
}

// forwardUDP opens a UDP forward to services at addresses of this host, one
// sandbox of the same agent each, the newest first.
func forwardUDP(t testing.TB, options forwarder.Options, bind forwarder.Bind, at ...netip.AddrPort) (*forwarder.Forwarder, int) {
	t.Helper()
	f := start(t, options)
	f.SetSandboxes(boxesAt(at...))
	port := freeUDPPort(t)
	if err := f.Open(forwarder.Spec{Port: port, To: int(at[0].Port()), Bind: bind, UDP: true}); err != nil {
		t.Fatal(err)
	}
	return f, port
}

func boxesAt(at ...netip.AddrPort) (boxes []forwarder.Sandbox) {
	for i, addr := range at {
		boxes = append(boxes, forwarder.Sandbox{ID: fmt.Sprint("box", i), Agent: "mox", Addrs: []netip.Addr{addr.Addr()}, Started: time.Unix(int64(100-i), 0)})
	}
	return boxes
}

func dialUDP(t testing.TB, host string, port int) net.Conn {
	t.Helper()
	conn, err := net.Dial("udp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// ask sends a datagram until an answer comes: any may be lost.
func ask(t testing.TB, conn net.Conn, text string) string {
	t.Helper()
	got := make([]byte, 64<<10)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		conn.Write([]byte(text)) // a refusal is told by the next call
		conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		if n, err := conn.Read(got); err == nil && strings.HasSuffix(string(got[:n]), text) {
			return string(got[:n])
		}
	}
	t.Errorf("no answer to %.40q", text)
	return ""
}

// mustStaySilent sends a datagram that nobody may answer.
func mustStaySilent(t *testing.T, conn net.Conn) {
	t.Helper()
	conn.Write([]byte("anybody?"))
	conn.SetReadDeadline(time.Now().Add(150 * time.Millisecond))
	got := make([]byte, 100)
	if n, err := conn.Read(got); err == nil {
		t.Errorf("an answer came: %q", got[:n])
	}
}

func statusUDP(t testing.TB, f *forwarder.Forwarder, port int) forwarder.Status {
	t.Helper()
	for _, s := range f.List() {
		if s.Key() == udp(port) {
			return s
		}
	}
	t.Fatalf("port %d/udp is not listed", port)
	return forwarder.Status{}
}

func TestDatagramsGoBothWays(t *testing.T) {
	f, port := forwardUDP(t, forwarder.Options{}, forwarder.Loopback, udpService(t, "127.0.0.1:0", "mox"))
	for _, host := range []string{"127.0.0.1", "::1"} { // the sandbox has IPv4 only
		conn := dialUDP(t, host, port)
		for _, text := range []string{"hello", "", strings.Repeat("x", 60_000)} {
			if got := ask(t, conn, text); !strings.HasPrefix(got, "mox 127.0.0.1:") {
				t.Errorf("%s: got %.40q", host, got)
			}
		}
	}
	// An answer is counted when it has been sent, and may be here before.
	until(t, "every answer is counted", func() bool { s := statusUDP(t, f, port); return s.Out > s.In })
	s := statusUDP(t, f, port)
	if s.State != forwarder.Serving || s.Open != 2 || s.Total != 2 || s.In < 120_010 || s.Out <= s.In || s.Answer != forwarder.Answers || s.Way != "direct" {
		t.Errorf("status %+v", s)
	}
	if err := f.Close(udp(port)); err != nil {
		t.Fatal(err)
	}
	mustStaySilent(t, dialUDP(t, "127.0.0.1", port))
	var notOpen *forwarder.NotOpenError
	if err := f.Close(udp(port)); !errors.As(err, &notOpen) || notOpen.Key != udp(port) {
		t.Errorf("closed twice: %v", err)
	}
}

// Each client keeps its own flow, and gets its own answers only.
func TestManyClientsDatagramsStayApart(t *testing.T) {
	f, port := forwardUDP(t, forwarder.Options{}, forwarder.Loopback, mirror(t))
	var group sync.WaitGroup
	for i := range 50 {
		conn := dialUDP(t, "127.0.0.1", port)
		group.Go(func() {
			for k := range 100 {
				ask(t, conn, fmt.Sprintf("client %d says %d", i, k))
			}
		})
	}
	group.Wait()
	if s := statusUDP(t, f, port); s.Open != 50 || s.Total != 50 {
		t.Errorf("status %+v", s)
	}
}

// A client that is connected takes answers from the address it asked only.
func TestAnAnswerLeavesFromTheAddressThatWasAsked(t *testing.T) {
	at := udpService(t, "127.0.0.1:0", "mox")
	_, port := forwardUDP(t, forwarder.Options{}, forwarder.Any, at)
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, addr := range addrs {
		ip := addr.(*net.IPNet).IP
		if ip.IsLinkLocalUnicast() {
			continue
		}
		ask(t, dialUDP(t, ip.String(), port), "from "+ip.String())
		asked++
	}
	if asked < 3 {
		t.Errorf("this host has %d addresses only: %v", asked, addrs)
	}
}

func TestOneNumberForBothProtocols(t *testing.T) {
	f, port := forward(t, echo)
	at := mirror(t)
	f.SetSandboxes([]forwarder.Sandbox{sandboxAt("mox", loopback4)})
	if err := f.Open(forwarder.Spec{Port: port, To: int(at.Port()), Bind: forwarder.Loopback, UDP: true}); err != nil {
		t.Fatal(err)
	}
	conn := dial(t, port)
	mustEcho(t, conn)
	ask(t, dialUDP(t, "127.0.0.1", port), "hello")
	if list := f.List(); len(list) != 2 || list[0].UDP || !list[1].UDP {
		t.Errorf("listed: %+v", list)
	}
	var already *forwarder.AlreadyError
	if err := f.Open(forwarder.Spec{Port: port, UDP: true}); !errors.As(err, &already) || !already.Spec.UDP {
		t.Errorf("opened twice: %v", err)
	}
	if err := f.Close(udp(port)); err != nil {
		t.Fatal(err)
	}
	mustEcho(t, conn)
}

func TestAUDPPortThatIsTaken(t *testing.T) {
	taken := mirror(t).Port()
	f := start(t, forwarder.Options{Holder: func(key forwarder.Key) string { return "holder of " + key.String() }})
	var inUse *forwarder.InUseError
	if err := f.Open(forwarder.Spec{Port: int(taken), UDP: true, Bind: forwarder.Loopback}); !errors.As(err, &inUse) || inUse.Holder != fmt.Sprintf("holder of %d/udp", taken) {
		t.Errorf("got %v", err)
	}
	if err := f.Open(forwarder.Spec{Port: 9005, UDP: true, ProxyProtocol: true}); err == nil {
		t.Error("datagrams with a PROXY line were promised")
	}
}

// A flow belongs to one run of one container.
func TestAFlowEndsWithItsContainer(t *testing.T) {
	first := udpService(t, "127.0.0.1:0", "first")
	second := udpService(t, fmt.Sprintf("127.0.0.2:%d", first.Port()), "second")
	f, port := forwardUDP(t, forwarder.Options{}, forwarder.Loopback, first)
	conn := dialUDP(t, "127.0.0.1", port)
	before := source(t, conn)
	if got := source(t, conn); got != before {
		t.Errorf("the flow moved from %s to %s", before, got)
	}
	f.SetUnknown(errors.New("lost"))
	mustStaySilent(t, conn) // the address may be another's
	f.SetSandboxes(boxesAt(first))
	if got := source(t, conn); got != before {
		t.Errorf("the same run, known again: the flow moved from %s to %s", before, got)
	}
	again := boxesAt(first)
	again[0].Started = again[0].Started.Add(time.Second)
	f.SetSandboxes(again)
	if got := source(t, conn); got == before {
		t.Error("another run of the container: the flow is the old one")
	}
	f.SetSandboxes(nil)
	mustStaySilent(t, conn)
	if s := statusUDP(t, f, port); s.Open != 0 || s.State != forwarder.Waiting {
		t.Errorf("status %+v", s)
	}
	f.SetSandboxes(boxesAt(second))
	if got := ask(t, conn, "who?"); !strings.HasPrefix(got, "second ") {
		t.Errorf("got %q", got)
	}
}

func TestNobodyListensForDatagrams(t *testing.T) {
	nobody := netip.AddrPortFrom(loopback4, uint16(freeUDPPort(t)))
	f, port := forwardUDP(t, forwarder.Options{}, forwarder.Loopback, nobody)
	if way, err := f.Probe(t.Context(), udp(port)); way != "" || err != nil {
		t.Errorf("nothing sent yet: %q, %v", way, err)
	}
	conn := dialUDP(t, "127.0.0.1", port)
	mustStaySilent(t, conn)
	until(t, "the refusal is seen", func() bool { return statusUDP(t, f, port).Answer == forwarder.Silent })
	var silent *forwarder.SilentError
	if _, err := f.Probe(t.Context(), udp(port)); !errors.As(err, &silent) || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("probe: %v", err)
	}
	udpService(t, nobody.String(), "mox")
	ask(t, conn, "now?")
	if way, err := f.Probe(t.Context(), udp(port)); way != "direct" || err != nil {
		t.Errorf("probe: %q, %v", way, err)
	}
}

// Of several sandboxes of one agent the newest is asked first, and the next
// where it refuses.
func TestDatagramsGoToTheSandboxThatListens(t *testing.T) {
	old := udpService(t, "127.0.0.1:0", "old")
	young := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.3"), old.Port())
	_, port := forwardUDP(t, forwarder.Options{}, forwarder.Loopback, young, old)
	if got := ask(t, dialUDP(t, "127.0.0.1", port), "who?"); !strings.HasPrefix(got, "old ") {
		t.Errorf("got %q", got)
	}
}

func TestAnIdleFlowEnds(t *testing.T) {
	f, port := forwardUDP(t, forwarder.Options{Idle: 200 * time.Millisecond}, forwarder.Loopback, mirror(t))
	conn := dialUDP(t, "127.0.0.1", port)
	ask(t, conn, "hello")
	until(t, "the flow ended", func() bool { return statusUDP(t, f, port).Open == 0 })
	ask(t, conn, "again")
}

// The oldest flow makes room for a new one; those that were never answered
// first.
func TestTooManyFlows(t *testing.T) {
	const most = 4096
	f, port := forwardUDP(t, forwarder.Options{}, forwarder.Loopback, udpService(t, "127.0.0.1:0", "mox"))
	conns := make([]net.Conn, most)
	var sources []string
	for i := range conns {
		conns[i] = dialUDP(t, "127.0.0.1", port)
		if i == most/2 {
			conns[i].Write([]byte("hush"))
			continue
		}
		sources = append(sources, source(t, conns[i]))
	}
	until(t, "there are as many as may be", func() bool { return statusUDP(t, f, port).Open == most })
	source(t, dialUDP(t, "127.0.0.1", port)) // in the place of the one without an answer
	for _, i := range []int{0, 1} {
		if got := source(t, conns[i]); got != sources[i] {
			t.Errorf("flow %d moved from %s to %s while there was one without an answer", i, sources[i], got)
		}
	}
	source(t, dialUDP(t, "127.0.0.1", port)) // in the place of the third, which is the oldest now
	if got := source(t, conns[0]); got != sources[0] {
		t.Errorf("the flow that was used last moved from %s to %s", sources[0], got)
	}
	if got := source(t, conns[2]); got == sources[2] {
		t.Error("the oldest flow did not make room")
	}
	if s := statusUDP(t, f, port); s.Open != most || s.Total != most+3 {
		t.Errorf("status %+v", s)
	}
}

// source asks from where the forwarder sends a client's datagrams on.
func source(t testing.TB, conn net.Conn) string {
	t.Helper()
	words := strings.Fields(ask(t, conn, "who?"))
	if len(words) != 3 {
		t.Fatalf("got %q", words)
	}
	return words[1]
}

// A packet costs no memory: the garbage collector has no part in a stream.
func TestNoMemoryForADatagram(t *testing.T) {
	_, port := forwardUDP(t, forwarder.Options{}, forwarder.Loopback, mirror(t))
	conn := dialUDP(t, "127.0.0.1", port)
	ask(t, conn, "hello")
	conn.SetDeadline(time.Now().Add(patience))
	datagram, got := []byte("ping"), make([]byte, 100)
	each := testing.AllocsPerRun(2000, func() {
		conn.Write(datagram)
		if n, err := conn.Read(got); err != nil || !bytes.Equal(got[:n], datagram) {
			t.Errorf("got %q, %v", got[:n], err)
		}
	})
	if each >= 1 {
		t.Errorf("%.2f allocations for a datagram there and back", each)
	}
}
