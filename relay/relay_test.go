package relay_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/relay"
)

// patience bounds what must happen; it is no measurement.
const patience = 20 * time.Second

// program is the real one, compiled once.
var program = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "relay-test-")
	if err != nil {
		return "", err
	}
	file := filepath.Join(folder, "fraktalia-relay")
	compile := exec.Command("go", "build", "-o", file, "./program")
	compile.Env = append(os.Environ(), "CGO_ENABLED=0") // containers have no libraries
	out, err := compile.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("compile the relay: %w\n%s", err, out)
	}
	return file, nil
})

func TestMain(m *testing.M) {
	status := m.Run()
	if file, err := program(); err == nil {
		os.RemoveAll(filepath.Dir(file))
	}
	os.Exit(status)
}

// process are a running program's streams. Close lets it end by itself.
type process struct {
	io.Reader
	io.WriteCloser
	cmd *exec.Cmd
}

func run(t testing.TB) *process {
	t.Helper()
	file, err := program()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(file)}
	if p.WriteCloser, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if p.Reader, err = p.cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.WriteCloser.Close(); p.cmd.Wait() })
	return p
}

func open(t testing.TB) (*relay.Session, *process) {
	t.Helper()
	p := run(t)
	s, err := relay.Open(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, p
}

// service serves connections to a loopback address and returns its port.
func service(t testing.TB, addr string, serve func(*net.TCPConn)) int {
	t.Helper()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn.(*net.TCPConn))
			}()
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port
}

func dial(t testing.TB, s *relay.Session, port int) *relay.Conn {
	t.Helper()
	conn, err := s.Dial(t.Context(), port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetReadDeadline(time.Now().Add(patience))
	return conn
}

func TestHalfCloseWithALateReply(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		port := service(t, addr, func(conn *net.TCPConn) {
			got, _ := io.ReadAll(conn)
			time.Sleep(300 * time.Millisecond)
			fmt.Fprintf(conn, "%d bytes", len(got))
		})
		s, _ := open(t)
		conn := dial(t, s, port)
		io.WriteString(conn, "hello")
		if err := conn.CloseWrite(); err != nil {
			t.Error(err)
		}
		if got, err := io.ReadAll(conn); err != nil || string(got) != "5 bytes" {
			t.Errorf("%s: got %q, %v", addr, got, err)
		}
		if _, err := conn.Write([]byte("more")); err == nil {
			t.Error("a write after the end is taken")
		}
	}
}

func TestTheServiceEndsFirst(t *testing.T) {
	got := make(chan string, 1)
	port := service(t, "127.0.0.1:0", func(conn *net.TCPConn) {
		conn.Write([]byte("bye"))
		conn.CloseWrite()
		rest, _ := io.ReadAll(conn)
		got <- string(rest)
	})
	s, _ := open(t)
	conn := dial(t, s, port)
	if said, err := io.ReadAll(conn); err != nil || string(said) != "bye" {
		t.Errorf("got %q, %v", said, err)
	}
	io.WriteString(conn, "still here")
	conn.Close()
	if rest := <-got; rest != "still here" {
		t.Errorf("the service got %q", rest)
	}
}

func TestResetsPassBothWays(t *testing.T) {
	met := make(chan error, 1)
	port := service(t, "127.0.0.1:0", func(conn *net.TCPConn) {
		word := make([]byte, 5)
		io.ReadFull(conn, word)
		if string(word) == "reset" {
			conn.Write([]byte("last words"))
			conn.SetLinger(0)
			return
		}
		_, err := io.ReadAll(conn)
		met <- err
	})
	s, _ := open(t)
	conn := dial(t, s, port)
	io.WriteString(conn, "reset")
	got, err := io.ReadAll(conn)
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client got %q, %v", got, err)
	}
	conn = dial(t, s, port)
	io.WriteString(conn, "hello")
	conn.SetLinger(0)
	conn.Close()
	if err := <-met; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the service met %v", err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("a closed connection reads")
	}
}

func TestNothingListens(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	s, _ := open(t)
	if _, err := s.Dial(t.Context(), listener.Addr().(*net.TCPAddr).Port); !errors.Is(err, relay.ErrRefused) {
		t.Errorf("error %v", err)
	}
	if s.Ended() {
		t.Error("a refusal ends the session")
	}
}

// Many connections at once, each with more bytes than any window, of every size.
func TestBytesArriveAsTheyWere(t *testing.T) {
	port := service(t, "127.0.0.1:0", func(conn *net.TCPConn) { io.Copy(conn, conn); conn.CloseWrite() })
	s, _ := open(t)
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			sent := make([]byte, 20_000+i*100_001)
			rand.Read(sent)
			conn, err := s.Dial(t.Context(), port)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			go func() {
				for rest := sent; len(rest) > 0; {
					n := min(len(rest), 1+i*i*997)
					conn.Write(rest[:n])
					rest = rest[n:]
				}
				conn.CloseWrite()
			}()
			if got, err := io.ReadAll(conn); err != nil || !bytes.Equal(got, sent) {
				t.Errorf("connection %d: %d of %d bytes, %v", i, len(got), len(sent), err)
			}
		})
	}
	all.Wait()
}

// One reader that is slow holds up nobody else.
func TestASlowReaderHoldsUpNobody(t *testing.T) {
	port := service(t, "127.0.0.1:0", func(conn *net.TCPConn) {
		word := make([]byte, 1)
		conn.Read(word)
		for word[0] == 'f' {
			if _, err := conn.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
		conn.Write(word)
	})
	s, _ := open(t)
	flood := dial(t, s, port)
	io.WriteString(flood, "f")
	for range 50 {
		conn := dial(t, s, port)
		io.WriteString(conn, "x")
		if got, err := io.ReadAll(conn); err != nil || string(got) != "x" {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	if n, err := io.CopyN(io.Discard, flood, 10<<20); err != nil {
		t.Errorf("after %d bytes: %v", n, err)
	}
}

func TestTheProgramDies(t *testing.T) {
	port := service(t, "127.0.0.1:0", func(conn *net.TCPConn) { io.Copy(conn, conn) })
	s, p := open(t)
	conn := dial(t, s, port)
	io.WriteString(conn, "x")
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	p.cmd.Process.Kill()
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("error %v", err)
	}
	if _, err := s.Dial(t.Context(), port); err == nil || !s.Ended() {
		t.Errorf("error %v, ended %v", err, s.Ended())
	}
}

func TestTheProgramEndsWithItsInput(t *testing.T) {
	port := service(t, "127.0.0.1:0", func(conn *net.TCPConn) { io.Copy(conn, conn) })
	s, p := open(t)
	dial(t, s, port)
	p.WriteCloser.Close()
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the program ended with %v", err)
	}
}

func TestStopsWaitingWithItsContext(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go cancel()
	if _, err := relay.Open(ctx, near); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
