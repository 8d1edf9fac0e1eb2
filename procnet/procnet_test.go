package procnet

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestHolderFindsOwnListener(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", "0.0.0.0:0"} {
		t.Run(address, func(t *testing.T) {
			listener, err := net.Listen("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			port := listener.Addr().(*net.TCPAddr).Port
			got, found := Holder(port)
			if !found || got.PID != os.Getpid() || got.UID != os.Getuid() || got.Name == "" {
				t.Errorf("Holder(%d) = %+v, %v, want this process", port, got, found)
			}
			if !strings.Contains(got.Command, filepath.Base(os.Args[0])) {
				t.Errorf("command %q does not name %q", got.Command, os.Args[0])
			}
			_ = listener.Close()
			if got, found := Holder(port); found {
				t.Errorf("after closing: %+v", got)
			}
		})
	}
}

func TestHolderIgnoresConnections(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if got, found := Holder(client.LocalAddr().(*net.TCPAddr).Port); found {
		t.Errorf("a client's port counts as listening: %+v", got)
	}
}

func TestHolderUDP(t *testing.T) {
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	port := socket.LocalAddr().(*net.UDPAddr).Port
	if got, found := HolderUDP(port); !found || got.PID != os.Getpid() {
		t.Errorf("HolderUDP(%d) = %+v, %v", port, got, found)
	}
}

// The listener is handed to a child and closed here, so the child alone holds
// it and has to be named.
func TestHolderFindsAnotherProgram(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command("sleep", "60")
	child.ExtraFiles = []*os.File{file}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Process.Signal(syscall.SIGKILL); _ = child.Wait() }()
	_ = file.Close()
	_ = listener.Close()
	got, found := Holder(port)
	if !found || got.PID != child.Process.Pid || got.Name != "sleep" || got.Command != "sleep 60" {
		t.Errorf("Holder(%d) = %+v, %v, want sleep", port, got, found)
	}
}

// A folder laid out as /proc, with a table but without the descriptors, is what
// an ordinary user sees of another user's program.
func TestHolderWithoutRights(t *testing.T) {
	proc := t.TempDir()
	if err := os.MkdirAll(filepath.Join(proc, "net"), 0o700); err != nil {
		t.Fatal(err)
	}
	table := "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
		"   0: 0100007F:232D 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100 0 0 10 0\n"
	if err := os.WriteFile(filepath.Join(proc, "net/tcp"), []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	got, found := holder(proc, 9005, listening, "net/tcp", "net/tcp6")
	if !found || got.Known() || got.UID != 1000 {
		t.Errorf("holder = %+v, %v, want a listener that is not known, of user 1000", got, found)
	}
	if want := "unknown program of user 1000"; got.String() != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
}

func TestCommandShowsNoSecrets(t *testing.T) {
	for cmdline, want := range map[string]string{
		"python3\x00-m\x00http.server\x009005\x00":  "python3 -m http.server",
		"redis-server\x00--requirepass\x00hunter2":  "redis-server",
		"mysqld\x00-phunter2\x00":                   "mysqld",
		"app\x00serve\x00postgres://u:p@db/x":       "app serve",
		"nginx: master process /usr/sbin/nginx\x00": "nginx: master process /usr/sbin/nginx",
		"": "",
	} {
		if got := command(cmdline); got != want {
			t.Errorf("command(%q) = %q, want %q", cmdline, got, want)
		}
	}
}
