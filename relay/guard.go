package relay

import (
	"encoding/binary"
	"fmt"
	"io"
)

// yamux's frames, as far as the guard reads them (its spec.md).
const (
	frameHeader = 12

	frameData   = 0
	frameWindow = 1
	framePing   = 2
	frameAway   = 3

	flagOpen = 1 // SYN: asks for something to be begun
)

// guard reads what the far end sends and lets nothing through but what an
// honest program answers: no new streams, no pings that want an answer (each
// would cost a goroutine here), no frame longer than a window. It keeps
// nothing but the header at hand.
type guard struct {
	io.ReadWriteCloser
	header [frameHeader]byte
	have   int
	body   uint32 // left of the frame at hand
}

func (g *guard) Read(buffer []byte) (int, error) {
	n, err := g.ReadWriteCloser.Read(buffer)
	if bad := g.look(buffer[:n]); bad != nil {
		return 0, bad
	}
	return n, err
}

func (g *guard) look(data []byte) error {
	for len(data) > 0 {
		if g.body > 0 {
			skip := min(uint32(len(data)), g.body)
			g.body -= skip
			data = data[skip:]
			continue
		}
		n := copy(g.header[g.have:], data)
		g.have += n
		data = data[n:]
		if g.have < frameHeader {
			return nil
		}
		g.have = 0
		if err := g.check(); err != nil {
			return err
		}
	}
	return nil
}

func (g *guard) check() error {
	kind, flags := g.header[1], binary.BigEndian.Uint16(g.header[2:])
	length := binary.BigEndian.Uint32(g.header[8:])
	switch {
	case g.header[0] != 0 || kind > frameAway:
		return fmt.Errorf("the relay sent a frame of version %d, type %d", g.header[0], kind)
	case flags&flagOpen != 0:
		return fmt.Errorf("the relay sent a request (type %d, flags %#x)", kind, flags)
	case (kind == frameData || kind == frameWindow) && length > window:
		return fmt.Errorf("the relay sent a frame of %d bytes", length)
	}
	if kind == frameData {
		g.body = length
	}
	return nil
}
