package forwarder

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls in this file but epollWait never wait: the descriptors do not. They are made
// behind the back of Go's scheduler, whose monitor would take the processor
// from a loop that is in the kernel for 20 us, hand it to another thread, and
// wake threads to give it back: a third of the cost of a bulk stream where
// the machine is busy.

func read(fd int, buffer []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(buffer))), uintptr(len(buffer)))
	return int(n), errno
}

// send writes to a socket; no signal comes of a peer that has gone.
func send(fd int, data []byte, flags int) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(data))), uintptr(len(data)),
		uintptr(flags|unix.MSG_NOSIGNAL), 0, 0)
	return int(n), errno
}

func splice(from, to, most int) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SPLICE, uintptr(from), 0, uintptr(to), 0, uintptr(most), unix.SPLICE_F_NONBLOCK|unix.SPLICE_F_MOVE)
	return int(n), errno
}

// accept takes a connection from a listener. unix.Accept4 asks the kernel for
// the protocol each time.
func accept(fd int, from *sender) (int, unix.Errno) {
	size := uint32(unix.SizeofSockaddrInet6)
	n, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(from)), uintptr(unsafe.Pointer(&size)),
		unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	return int(n), errno
}

func shutdown(fd int) {
	unix.RawSyscall(unix.SYS_SHUTDOWN, uintptr(fd), unix.SHUT_WR, 0) // fails only where the peer has gone, which the next read tells
}

func closeNow(fd int) { unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }

func epollAdd(epoll, fd int, events uint32) error {
	event := unix.EpollEvent{Events: events, Fd: int32(fd)}
	_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(epoll), unix.EPOLL_CTL_ADD, uintptr(fd), uintptr(unsafe.Pointer(&event)), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// epollWait waits until there are events, or a signal comes.
func epollWait(epoll int, events []unix.EpollEvent) (int, unix.Errno) {
	const forEver = ^uintptr(0)
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)),
		forEver, 0, 0)
	return int(n), errno
}

// batchCall is recvmmsg or sendmmsg.
func batchCall(number uintptr, fd int, messages []message) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(number, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(messages))), uintptr(len(messages)), unix.MSG_DONTWAIT, 0, 0)
	return int(n), errno
}
