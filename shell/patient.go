package shell

import (
	"net"
	"time"
)

// piece is how much is written at once, in bytes.
const piece = 64 << 10

// patient writes to a shell that may read slowly, but not to one that does not
// read at all: it would hold up its command, that command's lane, and the end
// of the program.
type patient struct {
	conn *net.UnixConn
	over func() error // an error once the shell has left or the program is to stop
}

func (p *patient) Write(text []byte) (written int, err error) {
	for written < len(text) && err == nil {
		var n int
		if err = p.conn.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
			return written, err
		}
		if p.over() != nil {
			hurry(p.conn)
		}
		n, err = p.conn.Write(text[written:min(len(text), written+piece)])
		written += n
	}
	return written, err
}

// hurry lets what is written now take no longer than stopLimit.
func hurry(conn *net.UnixConn) {
	_ = conn.SetReadDeadline(time.Now()) // fails on a closed connection only
	_ = conn.SetWriteDeadline(time.Now().Add(stopLimit))
}
