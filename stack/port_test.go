package stack

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A port whose holder is in no list of processes any more is waited for. A socket
// on its way from one process to another looks like that of a dying one.
func TestAPortOfADyingProgramIsWaitedFor(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Sendmsg(pair[0], []byte("x"), unix.UnixRights(int(file.Fd())), nil, 0); err != nil {
		t.Fatal(err)
	}
	file.Close()
	listener.Close()
	var used ErrPortInUse
	if err := CheckPort("127.0.0.1", port); !errors.As(err, &used) || used.Holder.Known() {
		t.Fatalf("the socket on its way: %v", err)
	}
	time.AfterFunc(100*time.Millisecond, func() {
		unix.Close(pair[1])
		unix.Close(pair[0])
	})
	if err := awaitPort(context.Background(), "127.0.0.1", port); err != nil {
		t.Error(err)
	}
}

// One that is known is told at once, and the end of the context is heard.
func TestAPortOfAKnownProgramIsNotWaitedFor(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var used ErrPortInUse
	if err := awaitPort(context.Background(), "127.0.0.1", listener.Addr().(*net.TCPAddr).Port); !errors.As(err, &used) || used.Holder.PID != os.Getpid() {
		t.Errorf("%v", err)
	}
}
