package forwarder

import (
	"golang.org/x/sys/unix"
)

const (
	smallBuffer = 16 << 10 // one read of a stream that is not hot
	bulkBuffer  = 64 << 10 // one read of a hot stream that found no pipe
	coldBelow   = 4 << 10  // a stream that yields less at once gives its pipe up
	spliceMost  = bigPipe
	// movesPerTurn is a session's budget before the others get theirs.
	movesPerTurn = 16
)

// turn moves what can be moved in both directions and sees whether the
// session is over.
func (s *session) turn() {
	more := s.pump(&s.client, &s.server)
	if s.dead || s.ending() {
		return
	}
	more = s.pump(&s.server, &s.client) || more
	if s.client.broken {
		more = s.pump(&s.client, &s.server) || more // its end is told by a read
	}
	if s.dead || s.ending() {
		return
	}
	if s.client.over() && s.server.over() {
		s.drop(false) // which passes the second end on
		return
	}
	if more && !s.unread {
		s.unread = true
		s.loop.unread = append(s.loop.unread, s)
	}
}

// over says that a side was read to the end, and all of it written.
func (s *side) over() bool { return s.eof && !s.pending() }

// pump moves bytes one way until one of the sockets is not ready; true says
// that the budget ended first.
func (s *session) pump(from, to *side) bool {
	for range movesPerTurn {
		switch {
		case to.broken:
			from.releasePipe()
			return false
		case from.pending():
			if !to.writable {
				return false // the pipe stays taken: there are bytes in it
			}
			s.flush(from, to)
		case from.eof:
			if !to.over() {
				s.passEnd(to)
			}
			return false
		case !from.readable || !to.writable:
			from.releasePipe()
			return false
		default:
			s.fill(from, to)
		}
		if s.dead || s.ending() {
			return false
		}
	}
	return true
}

// passEnd passes an orderly end on.
func (s *session) passEnd(to *side) {
	if !to.shut {
		to.shut = true
		shutdown(to.fd)
	}
}

// fill reads once. A stream that fills a whole buffer is worth a pipe.
func (s *session) fill(from, to *side) {
	if from.hot && from.pipe == nil {
		from.pipe = s.loop.pipes.take()
	}
	if from.pipe != nil {
		s.fillPipe(from)
		return
	}
	buffer := s.loop.buffer[:smallBuffer]
	if from.hot {
		buffer = s.loop.buffer
	}
	n, errno := read(from.fd, buffer)
	if errno != 0 || n == 0 {
		s.noBytes(from, errno)
		return
	}
	if n < len(buffer) && !from.hangup {
		from.readable = false // the next byte makes a new event
	}
	from.hot = n == len(buffer)
	s.write(from, to, buffer[:n], false)
}

func (s *session) fillPipe(from *side) {
	n, errno := splice(from.fd, from.pipe.write, spliceMost)
	if errno != 0 || n == 0 {
		s.noBytes(from, errno)
		return
	}
	from.piped = n
	from.hot = n >= coldBelow
}

// noBytes sorts out why a read gave none.
func (s *session) noBytes(from *side, errno unix.Errno) {
	switch {
	case errno == 0 && from.broken:
		s.fail(from) // it was reset, and a write was told first
	case errno == 0:
		from.eof = true
		from.releasePipe()
	case errno == unix.EAGAIN:
		from.readable = false
	case errno == unix.EINTR:
	default:
		s.fail(from)
	}
}

// flush writes what an earlier turn could not.
func (s *session) flush(from, to *side) {
	if from.piped == 0 {
		s.write(from, to, from.rest, true)
		return
	}
	n, errno := splice(from.pipe.read, to.fd, from.piped)
	if errno == 0 && n > 0 {
		from.piped -= n
		s.count(to, n)
		return
	}
	s.noRoom(to, errno)
	if to.broken {
		from.releasePipe()
	}
}

// write writes a buffer; what does not fit is kept in from.rest. Where the
// sender has ended the kernel is told that more comes: bytes and end are then
// one packet, and one thing to wake up for.
func (s *session) write(from, to *side, data []byte, kept bool) {
	if to.writable {
		flags := 0
		if from.ended {
			flags = unix.MSG_MORE
		}
		if n, errno := send(to.fd, data, flags); errno == 0 {
			s.count(to, n)
			data = data[n:]
		} else {
			s.noRoom(to, errno)
		}
	}
	switch {
	case len(data) == 0 || to.broken:
		from.rest = nil
	case kept:
		from.rest = data
	default:
		from.rest = append([]byte(nil), data...)
	}
}

func (s *session) count(to *side, n int) {
	if to == &s.server {
		s.port.in.Add(uint64(n))
		return
	}
	s.port.out.Add(uint64(n))
}

// noRoom sorts out why a write took nothing. A peer that reset may have sent
// bytes before, so it is read to its end before the session fails.
func (s *session) noRoom(to *side, errno unix.Errno) {
	switch errno {
	case unix.EAGAIN:
		to.writable = false
	case unix.EINTR:
	default:
		to.broken, to.readable, to.hangup = true, true, true
		if to.eof {
			s.fail(to)
		}
	}
}

// releasePipe gives the pipe back, or throws it away with the bytes in it.
func (s *side) releasePipe() {
	if s.pipe == nil {
		return
	}
	if s.piped > 0 {
		s.session.loop.pipes.discard(s.pipe)
	} else {
		s.session.loop.pipes.give(s.pipe)
	}
	s.pipe, s.piped = nil, 0
}
