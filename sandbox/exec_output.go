package sandbox

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Standard streams, as the engine numbers them in front of each piece.
const (
	streamOut = 1
	streamErr = 2

	pieceHeader = 8
)

// output takes the engine's stream of pieces apart. It holds no piece: it
// reads straight into the caller's buffer.
type output struct {
	from   io.Reader
	stderr io.Writer
	left   int64 // of the piece of standard output at hand
}

func (o *output) read(buffer []byte) (int, error) {
	for o.left == 0 {
		if err := o.next(); err != nil {
			return 0, err
		}
	}
	n, err := o.from.Read(buffer[:min(int64(len(buffer)), o.left)])
	o.left -= int64(n)
	if err == io.EOF && o.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	if n > 0 && err == io.EOF {
		err = nil // the next read finds it again
	}
	return n, err
}

// next goes on to the next piece of standard output.
func (o *output) next() error {
	var header [pieceHeader]byte
	if _, err := io.ReadFull(o.from, header[:]); err != nil {
		return err
	}
	size := int64(binary.BigEndian.Uint32(header[4:]))
	switch header[0] {
	case streamOut:
		o.left = size
		return nil
	case streamErr:
		_, err := io.CopyN(o.stderr, o.from, size)
		return err
	}
	return fmt.Errorf("the engine sent a piece of unknown stream %d", header[0])
}

// Capture keeps the first Most bytes that are written to it, and takes and
// forgets the rest.
type Capture struct {
	Most int

	text []byte
	more bool
}

// Write takes all of data.
func (c *Capture) Write(data []byte) (int, error) {
	room := max(c.Most-len(c.text), 0)
	c.more = c.more || len(data) > room
	c.text = append(c.text, data[:min(len(data), room)]...)
	return len(data), nil
}

// String is what was kept.
func (c *Capture) String() string { return string(c.text) }

// Cut says that there was more.
func (c *Capture) Cut() bool { return c.more }
