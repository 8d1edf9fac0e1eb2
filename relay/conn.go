package relay

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/yamux"
)

// Conn is one connection through a relay. It is a net.Conn that can end its
// writing alone (CloseWrite) and be reset (SetLinger(0), then Close), as a
// *net.TCPConn can.
type Conn struct {
	stream *yamux.Stream

	reading sync.Mutex
	left    int  // of the chunk at hand
	short   bool // that chunk was the last of its burst, by its size
	ended   error

	writing sync.Mutex
	buffers *sync.Pool
	shut    bool // nothing more can be written: ended, or broken off

	closing sync.Once
	mu      sync.Mutex
	hard    bool
}

// newBuffers are the buffers of a session's writes: an idle connection has
// none.
func newBuffers() *sync.Pool {
	return &sync.Pool{New: func() any { return new([lengthSize + chunk]byte) }}
}

// Read reads; io.EOF is an orderly end, a reset is syscall.ECONNRESET.
func (c *Conn) Read(buffer []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	if c.ended != nil {
		return 0, c.ended
	}
	if c.left == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	n, err := c.stream.Read(buffer[:min(len(buffer), c.left)])
	c.left -= n
	if c.left == 0 && c.short {
		c.stream.Shrink() // it may be idle for long now
	}
	if err != nil {
		return n, c.broken(err)
	}
	return n, nil
}

// next reads the length of the next chunk.
func (c *Conn) next() error {
	var length [lengthSize]byte
	if _, err := io.ReadFull(c.stream, length[:]); err != nil {
		return c.broken(err)
	}
	c.left = int(binary.BigEndian.Uint16(length[:]))
	c.short = c.left < chunk/2
	if c.left == 0 {
		c.ended = io.EOF
		return io.EOF
	}
	return nil
}

// broken translates an error of the stream. Its end without the mark of an
// orderly one is a reset.
func (c *Conn) broken(err error) error {
	if errors.Is(err, yamux.ErrTimeout) {
		return os.ErrDeadlineExceeded
	}
	c.ended = &net.OpError{Op: "read", Net: "relay", Err: syscall.ECONNRESET}
	return c.ended
}

// Write writes all of data, or an error.
func (c *Conn) Write(data []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	written := 0
	for len(data) > 0 {
		piece := data[:min(len(data), chunk)]
		if err := c.send(piece); err != nil {
			return written, err
		}
		written += len(piece)
		data = data[len(piece):]
	}
	return written, nil
}

// send writes one chunk; one without data is the end.
func (c *Conn) send(piece []byte) error {
	if c.shut {
		return &net.OpError{Op: "write", Net: "relay", Err: syscall.EPIPE}
	}
	buffer := c.buffers.Get().(*[lengthSize + chunk]byte)
	defer c.buffers.Put(buffer)
	binary.BigEndian.PutUint16(buffer[:], uint16(len(piece)))
	n := lengthSize + copy(buffer[lengthSize:], piece)
	if _, err := c.stream.Write(buffer[:n]); err != nil {
		c.shut = true // a part of the chunk may have gone
		return &net.OpError{Op: "write", Net: "relay", Err: err}
	}
	c.shut = len(piece) == 0
	return nil
}

// CloseWrite tells the other side that nothing more comes.
func (c *Conn) CloseWrite() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.send(nil)
}

// SetLinger with 0 makes Close a reset.
func (c *Conn) SetLinger(seconds int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hard = seconds == 0
	return nil
}

// endLimit bounds the writing of an orderly end at Close.
const endLimit = time.Second

// Close ends the connection in both directions. A read or write under way
// returns.
func (c *Conn) Close() error {
	c.closing.Do(c.close)
	return nil
}

func (c *Conn) close() {
	c.mu.Lock()
	hard := c.hard
	c.mu.Unlock()
	c.stream.SetReadDeadline(time.Now())
	if !hard {
		c.stream.SetWriteDeadline(time.Now().Add(endLimit))
		c.CloseWrite() // fails where that was said already, or nobody listens
	}
	c.stream.Close() // without the mark of an end before it: a reset
}

// address is a connection's on the relay's way.
type address struct{}

func (address) Network() string { return "relay" }
func (address) String() string  { return "relay" }

// LocalAddr and RemoteAddr say no more than "relay".
func (c *Conn) LocalAddr() net.Addr { return address{} }

// RemoteAddr is as LocalAddr.
func (c *Conn) RemoteAddr() net.Addr { return address{} }

// SetDeadline bounds reads and writes. A write that misses it leaves the
// connection good for nothing but Close.
func (c *Conn) SetDeadline(t time.Time) error { return c.stream.SetDeadline(t) }

// SetReadDeadline bounds reads.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.stream.SetReadDeadline(t) }

// SetWriteDeadline bounds writes.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.stream.SetWriteDeadline(t) }
