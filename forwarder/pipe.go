package forwarder

import (
	"sync"

	"golang.org/x/sys/unix"
)

const (
	// maxPipes bounds the descriptors and pages that pipes take. The kernel
	// grants a user without privileges 16,384 pages of pipes in all
	// (pipe-user-pages-soft); ours stay under 12,800. A stream that finds no
	// pipe is copied through a buffer.
	maxPipes = 64
	bigPipes = 48
	bigPipe  = 1 << 20 // the most that the kernel allows such a user by default
)

// pipe is what splice moves bytes through without copying them.
type pipe struct {
	read, write int
}

// pipes lends pipes to streams while bytes flow through them.
type pipes struct {
	mu   sync.Mutex
	free []*pipe
	made int
}

// take returns an empty pipe, or nil where there is none to be had.
func (p *pipes) take() *pipe {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		last := p.free[n-1]
		p.free = p.free[:n-1]
		return last
	}
	if p.made >= maxPipes {
		return nil
	}
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil
	}
	if p.made < bigPipes {
		// Refused where the user's pages are spent; a small pipe works too.
		unix.FcntlInt(uintptr(fds[0]), unix.F_SETPIPE_SZ, bigPipe)
	}
	p.made++
	return &pipe{read: fds[0], write: fds[1]}
}

// give takes an empty pipe back.
func (p *pipes) give(empty *pipe) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, empty)
}

// discard closes a pipe that still has bytes in it: they must not reach
// whoever takes it next.
func (p *pipes) discard(used *pipe) {
	unix.Close(used.read)
	unix.Close(used.write)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.made--
}

// close closes the pipes that nobody uses.
func (p *pipes) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.free {
		unix.Close(one.read)
		unix.Close(one.write)
	}
	p.made -= len(p.free)
	p.free = nil
}
