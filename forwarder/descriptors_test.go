package forwarder_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/githabideri/fraktalia/forwarder"
)

// The forwarder of this file's tests is in a process of its own, which this
// variable turns the test binary into, because the limit on descriptors is a
// process's. Its value: the limit (0 leaves it as it is), the port, the port of
// the service.
const helperVariable = "FORWARDER_TEST_HELPER"

func TestMain(m *testing.M) {
	if text := os.Getenv(helperVariable); text != "" {
		if err := helper(text); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func helper(text string) error {
	var files uint64
	var spec forwarder.Spec
	if _, err := fmt.Sscan(text, &files, &spec.Port, &spec.To); err != nil {
		return err
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	// New reads the limit; what is set afterwards is a shortage that it could
	// not foresee, as when the rest of the program takes the descriptors.
	f := forwarder.New(forwarder.Options{Log: logrus.NewEntry(log)})
	if files == 0 {
		// as it is
	} else if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: files, Max: files}); err != nil {
		return err
	}
	f.SetSandboxes([]forwarder.Sandbox{sandboxAt("mox", loopback4)})
	spec.Bind = forwarder.Loopback
	if err := f.Open(spec); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { // ends with its parent
		io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	fmt.Println("ready")
	defer func() { fmt.Println("no_descriptors", f.List()[0].Failures[forwarder.NoDescriptors]) }()
	return f.Run(ctx)
}

// startHelper starts a forwarder with a limit on its descriptors; before are
// the words of a program that starts it.
func startHelper(t *testing.T, files, to int, before ...string) (port, pid int) {
	t.Helper()
	return startTalking(t, files, to, new(strings.Builder), before...)
}

// startTalking is startHelper where what the process said is wanted; it is all
// there once the cleanups that were registered later have run.
func startTalking(t *testing.T, files, to int, said *strings.Builder, before ...string) (port, pid int) {
	t.Helper()
	port = freePort(t)
	words := append(before, testBinary(t))
	process := exec.Command(words[0], words[1:]...)
	process.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d %d", helperVariable, files, port, to))
	stdin, err := process.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	process.Stdout = said
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		if err := process.Wait(); err != nil {
			t.Errorf("the forwarder's process: %v, it said %q", err, said.String())
		}
	})
	until(t, "the forwarder listens", func() bool {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return port, process.Process.Pid
}

// The one limit is met by the accepting of a connection, the other by the
// dialling for one that was accepted.
func TestOutOfDescriptorsAndBack(t *testing.T) {
	for _, limit := range []int{60, 61} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) { outOfDescriptorsAndBack(t, limit) })
	}
}

func outOfDescriptorsAndBack(t *testing.T, limit int) {
	at := service(t, "127.0.0.1:0", echo)
	var said strings.Builder
	t.Cleanup(func() {
		var times int
		if _, count, _ := strings.Cut(said.String(), "no_descriptors"); len(count) > 0 {
			fmt.Sscan(count, &times)
		}
		if times == 0 {
			t.Errorf("the shortage was not counted: %q", said.String())
		}
	})
	port, _ := startTalking(t, limit, int(at.Port()), &said)
	var idle []net.Conn
	for range 60 { // the process has room for 25 or so
		idle = append(idle, dial(t, port))
	}
	var late []net.Conn
	for range 5 {
		conn := dial(t, port)
		io.WriteString(conn, "ping")
		late = append(late, conn)
	}
	time.Sleep(2500 * time.Millisecond) // several back-offs, and a look at the host's addresses that fails
	for _, conn := range idle {
		mustStay(t, conn)
		conn.Close()
	}
	for _, conn := range late {
		got := make([]byte, 4)
		if _, err := io.ReadFull(conn, got); err != nil || string(got) != "ping" {
			t.Errorf("after recovery: %q, %v", got, err)
		}
	}
	mustEcho(t, dial(t, port))
}

// mustStay checks that nobody has ended a connection: a client that there is
// no descriptor for waits.
func mustStay(t *testing.T, conn net.Conn) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(time.Millisecond))
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a connection that should wait: %v", err)
	}
}

// An ordinary user's shell allows 1,024 descriptors or fewer, its
// administrator more: those are taken.
func TestTheLimitOnDescriptorsIsRaised(t *testing.T) {
	at := service(t, "127.0.0.1:0", echo)
	port, pid := startHelper(t, 0, int(at.Port()), "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "prlimit", "--nofile=64:2000")
	for range 100 {
		mustEcho(t, dial(t, port))
	}
	if user := statusOf(t, pid, "Uid:"); user != ordinary {
		t.Errorf("the forwarder ran as user %d: this test proves nothing", user)
	}
}

// ordinary is a user without privileges.
const ordinary = 65534

// A user without privileges has few pages for pipes. Streams in number, with
// many connections idle beside them, arrive whole all the same, and when they
// have ended the pipes have not stayed with the connections.
func TestAnOrdinaryUsersPipes(t *testing.T) {
	at := service(t, "127.0.0.1:0", echo)
	port, pid := startHelper(t, 0, int(at.Port()), "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
	idle := 1000
	for range idle {
		mustEcho(t, dial(t, port))
	}
	const streams, size = 100, 4 << 20 // more than there are pipes
	var group sync.WaitGroup
	conns := make([]*net.TCPConn, streams)
	for i := range conns {
		conns[i] = dial(t, port)
		conns[i].SetDeadline(time.Now().Add(5 * patience))
		data := bytes.Repeat([]byte{byte(i), byte(i >> 8), 1, 2, 3, 5, 7}, size/7)
		group.Go(func() { conns[i].Write(data) })
		group.Go(func() {
			got := make([]byte, len(data))
			if n, err := io.ReadFull(conns[i], got); err != nil || !bytes.Equal(got, data) {
				t.Errorf("stream %d: %d of %d bytes, %v", i, n, len(data), err)
			}
		})
	}
	group.Wait()
	pipes := 0
	for _, link := range links(t, pid) {
		if strings.HasPrefix(link, "pipe:") {
			pipes++
		}
	}
	if pipes < 2 || pipes > 2*64+8 { // the program's own streams among them
		t.Errorf("%d descriptors of pipes", pipes)
	}
	if n := descriptors(t, pid); n > 2*(idle+streams)+2*64+32 {
		t.Errorf("%d descriptors for %d connections", n, idle+streams)
	}
}

// links are what a process's descriptors lead to.
func links(t *testing.T, pid int) (all []string) {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		link, _ := os.Readlink(file) // closed meanwhile
		all = append(all, link)
	}
	return all
}

// A peer that vanishes without a word is noticed: the kernel asks both.
func TestBothSidesAreKeptAlive(t *testing.T) {
	t.Parallel() // it takes more than ten seconds
	at := service(t, "127.0.0.1:0", echo)
	port, _ := startHelper(t, 0, int(at.Port()))
	conn := dial(t, port)
	mustEcho(t, conn)
	client := conn.LocalAddr().(*net.TCPAddr).Port
	until(t, "the client is asked", func() bool { return keptAlive(t, port, client) })
	until(t, "the sandbox is asked", func() bool { return keptAlive(t, 0, int(at.Port())) })
}

// keptAlive says whether a socket with these ports (0: any) has the keepalive
// timer running, which /proc/net/tcp shows as 02.
func keptAlive(t *testing.T, local, remote int) bool {
	t.Helper()
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		if len(fields) > 5 && strings.HasSuffix(fields[2], fmt.Sprintf(":%04X", remote)) && strings.HasPrefix(fields[5], "02:") &&
			(local == 0 || strings.HasSuffix(fields[1], fmt.Sprintf(":%04X", local))) {
			return true
		}
	}
	return false
}

// testBinary is this program where another user can start it.
func testBinary(t *testing.T) string {
	t.Helper()
	program, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.MkdirTemp("", "forwarder-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "forwarder.test")
	if err := os.WriteFile(file, program, 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}

// An idle connection costs two descriptors and at most 8 KiB, however many
// there are.
func TestManyIdleConnections(t *testing.T) {
	const many = 9000 // this process holds both ends of them too
	at := service(t, "127.0.0.1:0", func(conn *net.TCPConn) { conn.Read(make([]byte, 1)) })
	port, pid := startHelper(t, 0, int(at.Port()))
	files, memory := descriptors(t, pid), resident(t, pid)
	for range many {
		dial(t, port)
	}
	until(t, "all connections are through", func() bool { return descriptors(t, pid)-files >= 2*many-8 }) // the count before may have seen the first attempts
	if each := (resident(t, pid) - memory) / many; each > 8<<10 {
		t.Errorf("%d bytes of memory a connection", each)
	}
	if each := float64(descriptors(t, pid)-files) / many; each > 2.01 {
		t.Errorf("%.2f descriptors a connection", each)
	}
}

func descriptors(t *testing.T, pid int) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// resident is the anonymous memory of a process in bytes.
func resident(t *testing.T, pid int) int {
	t.Helper()
	return statusOf(t, pid, "RssAnon:") << 10
}

// statusOf reads a number from /proc/PID/status.
func statusOf(t *testing.T, pid int, field string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), field)
	var value int
	if _, err := fmt.Sscan(rest, &value); err != nil {
		t.Fatal(err)
	}
	return value
}
