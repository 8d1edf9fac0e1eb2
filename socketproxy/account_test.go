package socketproxy_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/e2e/harness"
)

// patience is how long the program may take to listen.
const patience = time.Minute

// Accounts that are nobody's: the socket proxy's, with its group, and the bot's.
const (
	proxyAccount = 64001
	botAccount   = 64002
	otherAccount = 64003
)

// As installed, the proxy is no root: it is in Docker's group, the bot in the
// proxy's. That is enough for the one, and the other gets no further.
func TestSocketProxyWithoutRoot(t *testing.T) {
	folder, err := os.MkdirTemp("", "proxy")
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(folder) })
	check(t, os.Chmod(folder, 0o755))
	engine, docker := closedEngine(t, folder)
	run := filepath.Join(folder, "run") // as the unit's RuntimeDirectory
	check(t, os.Mkdir(run, 0o750))
	check(t, os.Chown(run, proxyAccount, proxyAccount))
	program, err := harness.Build(t.Context(), folder)
	check(t, err)
	socket := filepath.Join(run, "docker.sock")
	proxy := exec.Command(program, "socket-proxy", "--listen", socket, "--engine", engine)
	proxy.Env = []string{"HOME=/nonexistent"}
	proxy.SysProcAttr = as(proxyAccount, docker)
	check(t, proxy.Start())
	t.Cleanup(func() {
		proxy.Process.Signal(syscall.SIGTERM)
		if err := proxy.Wait(); err != nil {
			t.Errorf("the proxy ended with %v", err)
		}
	})
	for end := time.Now().Add(patience); asks(t, socket, botAccount, proxyAccount) != nil; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the bot's account does not get through: %v", asks(t, socket, botAccount, proxyAccount))
		}
	}
	for name, test := range map[string]struct {
		socket         string
		account, group int
		through        bool
	}{
		"the bot, at the engine itself":      {engine, botAccount, proxyAccount, false},
		"somebody else, at the proxy":        {socket, otherAccount, otherAccount, false},
		"somebody else, at the engine":       {engine, otherAccount, otherAccount, false},
		"who is in Docker's group, there":    {engine, otherAccount, docker, true},
		"the bot, at the proxy, still":       {socket, botAccount, proxyAccount, true},
		"the proxy's account, at the engine": {engine, proxyAccount, proxyAccount, false},
	} {
		if err := asks(t, test.socket, test.account, test.group); (err == nil) != test.through {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// closedEngine is the real engine behind a socket that, as Docker's, is open
// to one group only; it returns that one's number.
func closedEngine(t *testing.T, folder string) (socket string, group int) {
	t.Helper()
	group, socket = 64009, filepath.Join(folder, "engine.sock")
	listener, err := net.Listen("unix", socket)
	check(t, err)
	t.Cleanup(func() { listener.Close() })
	check(t, os.Chown(socket, 0, group))
	check(t, os.Chmod(socket, 0o660))
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go pass(conn)
		}
	}()
	return socket, group
}

// pass hands a connection on to the real engine.
func pass(conn net.Conn) {
	defer conn.Close()
	engine, err := net.Dial("unix", engineSocket())
	if err != nil {
		return
	}
	defer engine.Close()
	go io.Copy(engine, conn)
	io.Copy(conn, engine)
}

func as(account, group int) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(account), Gid: uint32(account), Groups: []uint32{uint32(group)}}}
}

// asks has an account ask Docker for its version.
func asks(t *testing.T, socket string, account, group int) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker", "--host", "unix://"+socket, "ps", "-q")
	cmd.Env = append(os.Environ(), "HOME=/nonexistent")
	cmd.SysProcAttr = as(account, group)
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return err
}
