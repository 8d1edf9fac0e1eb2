package stack

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
)

func (l layout) listen() string { return filepath.Join(l.dir, "synapse", "listen") }

// keepListen writes down where the homeserver has come to listen: it is all
// addresses or one, which Address does not tell.
func (s *Stack) keepListen() error {
	return writeFile(s.layout.listen(), []byte(net.JoinHostPort(s.host, strconv.Itoa(s.port))))
}

// Ran says whether a homeserver has answered from a data folder, or one that was
// restored into it is going to. A configuration alone says nothing of that: it may
// be of a homeserver that runs elsewhere.
func Ran(dir string) bool {
	l := layout{dir: dir}
	for _, path := range []string{l.database(), l.listen()} {
		if _, err := os.Stat(path); err == nil {
			return true
		}
	}
	return false
}

// AddressOf is where a homeserver that listens at HOST:PORT is found on this
// machine.
func AddressOf(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "http://" + listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// KnownListen returns the HOST:PORT at which the homeserver of a data folder
// listened when it last answered.
func KnownListen(dir string) (string, bool) {
	listen, err := os.ReadFile(filepath.Join(dir, "synapse", "listen"))
	return string(listen), err == nil
}
