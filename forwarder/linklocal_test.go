package forwarder_test

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/githabideri/fraktalia/forwarder"
	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
)

// A container has a link-local address for nothing, and may call from it. It is
// in no network of the bridge, so it is known by the bridge itself.
func TestAContainersLinkLocalAddressIsBarred(t *testing.T) {
	if !sandboxtest.InOwnNetwork(t) {
		return
	}
	home := netip.MustParseAddr("fd00:77::1") // which only a router's way leads to
	run(t, "ip", "-6", "addr", "add", home.String()+"/128", "dev", "lo", "nodad")
	for _, link := range []string{"bare", "docker", "lan"} {
		run(t, "ip", "link", "add", link+"-in", "type", "veth", "peer", "name", link+"-out")
		end := link + "-in"
		if link != "lan" {
			run(t, "ip", "link", "add", link, "type", "bridge")
			run(t, "ip", "link", "set", end, "master", link, "up")
			end = link
		}
		run(t, "ip", "link", "set", end, "up")
		run(t, "ip", "-6", "addr", "add", "fe80::1/64", "dev", end, "nodad")
	}
	run(t, "ip", "-6", "addr", "add", "fd12::1/64", "dev", "docker", "nodad")

	at := service(t, "127.0.0.1:0", echo)
	f := start(t, forwarder.Options{})
	f.SetSandboxes([]forwarder.Sandbox{sandboxAt("mox", at.Addr())})
	port := freePort(t)
	if err := f.Open(forwarder.Spec{Port: port, To: int(at.Port())}); err != nil {
		t.Fatal(err)
	}
	for _, link := range []string{"bare", "docker"} {
		if got, err := callFrom(t, link+"-out", netip.AddrPortFrom(home, uint16(port))); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("a container on the bridge %s got %q, %v", link, got, err)
		}
	}
	if got, err := callFrom(t, "lan-out", netip.AddrPortFrom(home, uint16(port))); err != nil || got != "ping" {
		t.Errorf("a neighbour on the LAN got %q, %v", got, err)
	}
	if s := status(t, f, port); s.Failures[forwarder.Barred] != 2 || s.Total != 1 {
		t.Errorf("%d were barred and %d let in, want 2 and 1", s.Failures[forwarder.Barred], s.Total)
	}
}

// callFrom moves a link into a network namespace of its own, and calls from its
// link-local address.
func callFrom(t *testing.T, link string, to netip.AddrPort) (got string, err error) {
	t.Helper()
	thread, moved, done := make(chan int, 1), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocks: the thread and its network end here
		if err = unix.Unshare(unix.CLONE_NEWNET); err != nil {
			close(thread)
			return
		}
		thread <- unix.Gettid()
		<-moved
		got, err = call(link, to)
	}()
	id, ok := <-thread
	if !ok {
		t.Fatalf("a network namespace: %v (needs root)", err)
	}
	run(t, "ip", "link", "set", link, "netns", strconv.Itoa(id))
	close(moved)
	<-done
	return got, err
}

// call is what happens there. It keeps off package net's dialer, which
// remembers the numbers of links by name.
func call(link string, to netip.AddrPort) (string, error) {
	for _, line := range [][]string{
		{"link", "set", link, "up"},
		{"-6", "addr", "add", "fe80::2/64", "dev", link, "nodad"},
		{"-6", "route", "add", to.Addr().String() + "/128", "via", "fe80::1", "dev", link},
	} {
		if out, err := exec.Command("ip", line...).CombinedOutput(); err != nil {
			return string(out), err
		}
	}
	on, err := net.InterfaceByName(link)
	if err != nil {
		return "", err
	}
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	conn := os.NewFile(uintptr(fd), link)
	defer conn.Close()
	limit := unix.NsecToTimeval(patience.Nanoseconds())
	for _, option := range []int{unix.SO_RCVTIMEO, unix.SO_SNDTIMEO} {
		if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, option, &limit); err != nil {
			return "", err
		}
	}
	from := unix.SockaddrInet6{Addr: netip.MustParseAddr("fe80::2").As16(), ZoneId: uint32(on.Index)}
	if err := unix.Bind(fd, &from); err != nil {
		return "", err
	}
	if err := unix.Connect(fd, &unix.SockaddrInet6{Addr: to.Addr().As16(), Port: int(to.Port())}); err != nil {
		return "", err
	}
	if _, err := conn.WriteString("ping"); err != nil {
		return "", err
	}
	answer := make([]byte, 4)
	n, err := io.ReadFull(conn, answer)
	return string(answer[:n]), err
}
