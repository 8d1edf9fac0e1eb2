package forwarder

import (
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// yieldEvery so often a loop lets the scheduler run. Go's monitor thread
	// takes a goroutine that does not for 10 ms for one that hogs its processor:
	// it then wakes every 20 us to interrupt it, which costs a ping a fifth of
	// its time. More often than need be costs as well: the loop may come back on
	// another thread.
	yieldEvery = 9 * time.Millisecond
)

// yield lets the scheduler run.
func (l *loop) yield() {
	runtime.Gosched()
	l.alone = runtime.GOMAXPROCS(0) == 1 // which changes with the limits of a container
}

// wait waits for events. While bytes flow it does so behind the scheduler's
// back, and without a time limit, for which the kernel would set a clock: 2 of
// 57 us of a ping. A signal ends such a wait: whoever stops the world sends
// one, and so does Go's monitor to a loop that has waited for 10 to 20 ms. The
// next wait is one that the scheduler is told of.
func (l *loop) wait(events []unix.EpollEvent) (int, error) {
	timeout := l.timeout()
	if l.flowing && !l.alone && (timeout < 0 || timeout >= int(keepTick.Milliseconds())) {
		if n, errno := epollWait(l.epoll, events); errno == 0 {
			return n, nil
		}
	}
	n, err := unix.EpollWait(l.epoll, events, timeout)
	l.flowing = n > 0 && l.forwarder.signalled
	return n, err
}

// signalled says whether the scheduler can interrupt a wait that it was not
// told of.
func signalled() bool { return !strings.Contains(os.Getenv("GODEBUG"), "asyncpreemptoff=1") }
