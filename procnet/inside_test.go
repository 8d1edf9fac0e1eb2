package procnet

import (
	"bytes"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"testing"
)

// What listens here is found with its address and its program, by both ways.
func TestInsideFindsListeners(t *testing.T) {
	var want []netip.AddrPort
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", "0.0.0.0:0", "127.0.0.11:0"} {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		want = append(want, listener.Addr().(*net.TCPAddr).AddrPort())
	}
	hidden := want[3] // where an engine's resolver listens in containers
	want = want[:3]

	inside, err := Inside(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	script := exec.Command("/bin/sh", "-c", Script)
	script.Stdout = &out
	if err := script.Run(); err != nil {
		t.Fatal(err)
	}
	for way, found := range map[string][]Listener{"/proc": inside, "script": Told(out.String())} {
		for _, addr := range want {
			at := slices.IndexFunc(found, func(l Listener) bool { return l.Addr == netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port()) })
			if at < 0 || found[at].Process.PID != os.Getpid() || found[at].Process.Name == "" {
				t.Errorf("%s: %s is not among %+v", way, addr, found)
			}
		}
		if slices.ContainsFunc(found, func(l Listener) bool { return l.Addr == hidden }) {
			t.Errorf("%s: %s is told", way, hidden)
		}
	}
}

// What a container says of itself may be anything.
func TestToldSurvivesRubbish(t *testing.T) {
	for _, text := range []string{"", "\nprocess \n", "process x y\nsocket:[", "0: 0100007F:1F90 00000000:0000 0A", "\x00\nprocess 1 a\nsocket:[1]\nprocess",
		"0: ZZ:1F90 0:0 0A 0:0 0:0 0 0 0 1", "0: 01:FFFFFF 0:0 0A 0:0 0:0 0 0 0 1"} {
		if found := Told(text); len(found) != 0 {
			t.Errorf("%q gave %+v", text, found)
		}
	}
}
