package forwarder_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/githabideri/fraktalia/forwarder"
)

// The forwarder of this file's tests is in a process of its own, which this
// variable turns the test binary into, because the limit on descriptors is a
// process's. Its value: the limit, the port, the port of the service.
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
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: files, Max: files}); err != nil {
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
	return f.Run(ctx)
}

// startHelper starts a forwarder with a limit on its descriptors.
func startHelper(t *testing.T, files, to int) (port, pid int) {
	t.Helper()
	port = freePort(t)
	process := exec.Command(os.Args[0])
	process.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d %d", helperVariable, files, port, to))
	stdin, err := process.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	process.Stdout = &said
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

func TestOutOfDescriptorsAndBack(t *testing.T) {
	at := service(t, "127.0.0.1:0", echo)
	port, _ := startHelper(t, 60, int(at.Port()))
	var idle []net.Conn
	for range 60 { // the process has room for 25 or so
		idle = append(idle, dial(t, port))
	}
	late := dial(t, port)
	io.WriteString(late, "ping")
	time.Sleep(3 * 50 * time.Millisecond) // several back-offs
	for _, conn := range idle {
		conn.Close()
	}
	got := make([]byte, 4)
	if _, err := io.ReadFull(late, got); err != nil || string(got) != "ping" {
		t.Errorf("after recovery: %q, %v", got, err)
	}
	mustEcho(t, dial(t, port))
}

// An idle connection costs two descriptors and at most 8 KiB.
func TestManyIdleConnections(t *testing.T) {
	const many = 3000 // this process holds both ends of them too
	at := service(t, "127.0.0.1:0", func(conn *net.TCPConn) { conn.Read(make([]byte, 1)) })
	port, pid := startHelper(t, 20000, int(at.Port()))
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
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "RssAnon:")
	var kib int
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		t.Fatal(err)
	}
	return kib << 10
}
