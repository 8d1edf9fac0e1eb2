package forwarder

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	batch        = 32       // datagrams in one system call
	datagramMost = 64 << 10 // no datagram is larger
)

// message is the kernel's struct mmsghdr.
type message struct {
	header unix.Msghdr
	size   uint32
}

// sender is who sent a datagram, as the kernel writes it: of IPv4 the first
// sixteen bytes, and the rest zero. It can be compared.
type sender = unix.RawSockaddrInet6

// datagrams is a batch that one system call fills and another sends on: no
// byte of it is copied or allocated between the two. A loop has one.
type datagrams struct {
	messages [batch]message
	vectors  [batch]unix.Iovec
	senders  [batch]sender
	// controls tell the interface on which a datagram came.
	controls [batch][controlSpace]byte
	bytes    []byte
	used     int // messages that the next receive sets up anew
}

// controlSpace is the larger of what the kernel says of IPv4 and IPv6.
const controlSpace = unix.SizeofCmsghdr + 24

func newDatagrams() *datagrams {
	d := &datagrams{bytes: make([]byte, batch*datagramMost), used: batch}
	for i := range batch {
		d.vectors[i].Base = &d.bytes[i*datagramMost]
	}
	return d
}

// receive takes what waits, up to a batch.
func (d *datagrams) receive(fd int) (int, unix.Errno) {
	for i := range d.used {
		d.senders[i] = sender{} // the kernel writes no more of it than IPv4 has
		d.vectors[i].SetLen(datagramMost)
		header := unix.Msghdr{Name: (*byte)(unsafe.Pointer(&d.senders[i])), Namelen: unix.SizeofSockaddrInet6,
			Iov: &d.vectors[i], Control: &d.controls[i][0]}
		header.SetIovlen(1)
		header.SetControllen(controlSpace)
		d.messages[i].header = header
	}
	d.used = 0
	n, errno := batchCall(unix.SYS_RECVMMSG, fd, d.messages[:])
	if errno != 0 {
		return 0, errno
	}
	d.used = n
	return n, 0
}

// send sends some of those that receive took: to a receiver, or with nil to
// whom the socket is connected. It returns how many the kernel took.
func (d *datagrams) send(fd int, from, to int, receiver *sender) (int, unix.Errno) {
	for i := from; i < to; i++ {
		d.vectors[i].SetLen(int(d.messages[i].size))
		header := unix.Msghdr{Iov: &d.vectors[i]}
		header.SetIovlen(1)
		if receiver != nil {
			header.Name, header.Namelen = (*byte)(unsafe.Pointer(receiver)), nameSize(receiver)
		}
		d.messages[i].header = header
	}
	d.used = max(d.used, to)
	n, errno := batchCall(unix.SYS_SENDMMSG, fd, d.messages[from:to])
	if errno != 0 {
		return 0, errno
	}
	return n, 0
}

func nameSize(s *sender) uint32 {
	if s.Family == unix.AF_INET {
		return unix.SizeofSockaddrInet4
	}
	return unix.SizeofSockaddrInet6
}

// sameSender returns the end of the run of datagrams that begins at from.
func (d *datagrams) sameSender(from, n int) int {
	to := from + 1
	for to < n && d.senders[to] == d.senders[from] {
		to++
	}
	return to
}

// size is the number of bytes in some of them.
func (d *datagrams) size(from, to int) int {
	var sum int
	for i := from; i < to; i++ {
		sum += int(d.messages[i].size)
	}
	return sum
}

// link is the index of the interface on which a datagram came: IPv4's struct
// in_pktinfo begins with it, IPv6's in6_pktinfo has it after the address.
func (d *datagrams) link(i int) int {
	data := d.controls[i][unix.SizeofCmsghdr:]
	if d.senders[i].Family == unix.AF_INET6 {
		data = data[16:]
	}
	return int(binary.NativeEndian.Uint32(data))
}

// tellLink asks the kernel to say on which interface datagrams come.
func tellLink(fd, family int) error {
	if family == unix.AF_INET {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
}
