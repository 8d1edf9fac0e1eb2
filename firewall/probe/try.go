package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// try connects once. It works on the bare socket: the refusal's kind and
// sender are told there only (IP_RECVERR).
func try(ctx context.Context, target Target) Seen {
	seen := Seen{Target: target, How: Silent}
	fd, err := open(target)
	if err != nil {
		seen.fail(err)
		return seen
	}
	defer unix.Close(fd)
	if err := begin(fd, target); err != nil {
		seen.fail(err)
		return seen
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(roundFor)
	}
	for {
		left := time.Until(deadline)
		if left <= 0 {
			return seen
		}
		poll := []unix.PollFd{{Fd: int32(fd), Events: wanted(target.Protocol)}}
		n, err := unix.Poll(poll, int(left.Milliseconds())+1)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			seen.fail(err)
			return seen
		case n > 0:
			seen.conclude(fd, poll[0].Revents)
			return seen
		}
	}
}

func open(target Target) (int, error) {
	family, kind := unix.AF_INET, unix.SOCK_STREAM
	if target.Addr.Addr().Is6() {
		family = unix.AF_INET6
	}
	if target.Protocol == "udp" {
		kind = unix.SOCK_DGRAM
	}
	fd, err := unix.Socket(family, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	if family == unix.AF_INET {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_RECVERR, 1)
	} else {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1)
	}
	if err != nil {
		unix.Close(fd)
	}
	return fd, err
}

// begin sends the first packet.
func begin(fd int, target Target) error {
	var to unix.Sockaddr = &unix.SockaddrInet4{Port: int(target.Addr.Port()), Addr: ipv4(target.Addr.Addr())}
	if target.Addr.Addr().Is6() {
		to = &unix.SockaddrInet6{Port: int(target.Addr.Port()), Addr: target.Addr.Addr().As16()}
	}
	err := unix.Connect(fd, to)
	if errors.Is(err, unix.EINPROGRESS) {
		return nil
	}
	if err == nil && target.Protocol == "udp" {
		_, err = unix.Write(fd, question(target.Addr.Port()))
	}
	return err
}

func ipv4(addr netip.Addr) (raw [4]byte) {
	if addr.Is4() {
		raw = addr.As4()
	}
	return raw
}

func wanted(protocol string) int16 {
	if protocol == "udp" {
		return unix.POLLIN
	}
	return unix.POLLOUT
}

// question is a datagram that makes servers answer: to DNS the name servers of
// the root; to HTTP/3 a version that nobody speaks, which is answered with
// those that the server does (RFC 9000, 6.1).
func question(port uint16) []byte {
	if port == 53 {
		return []byte{0x46, 0x72, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1}
	}
	datagram := make([]byte, 1200)
	copy(datagram, []byte{0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 8, 1, 2, 3, 4, 5, 6, 7, 8, 8, 8, 7, 6, 5, 4, 3, 2, 1})
	return datagram
}

// conclude reads what the kernel has got.
func (s *Seen) conclude(fd int, events int16) {
	if by, code, ok := refusal(fd); ok {
		s.By, s.How = by, code
		return
	}
	number, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	switch {
	case err != nil:
		s.fail(err)
	case number != 0:
		s.fail(unix.Errno(number))
	case events&(unix.POLLIN|unix.POLLOUT) != 0:
		s.How = Open
	}
}

// fail reads an error without a sender.
func (s *Seen) fail(err error) {
	s.Err = err.Error()
	switch {
	case errors.Is(err, unix.ECONNREFUSED):
		s.How = Refused
	case errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EADDRNOTAVAIL), errors.Is(err, unix.EAFNOSUPPORT):
		s.How = NoRoute
	case errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.EACCES):
		s.How = Lost
	}
}

// refusal takes the ICMP message that ended the try from the socket's queue of
// errors.
func refusal(fd int) (by netip.Addr, how How, ok bool) {
	data, control := make([]byte, 1500), make([]byte, 512)
	_, n, _, _, err := unix.Recvmsg(fd, data, control, unix.MSG_ERRQUEUE)
	if err != nil {
		return by, how, false
	}
	messages, err := unix.ParseSocketControlMessage(control[:n])
	if err != nil {
		return by, how, false
	}
	for _, m := range messages {
		if m.Header.Type == unix.IP_RECVERR && m.Header.Level == unix.IPPROTO_IP || m.Header.Type == unix.IPV6_RECVERR && m.Header.Level == unix.IPPROTO_IPV6 {
			if by, how, ok = readRefusal(m.Data); ok {
				return by, how, true
			}
		}
	}
	return by, how, false
}

// readRefusal reads a struct sock_extended_err with the sender's address behind.
func readRefusal(data []byte) (by netip.Addr, how How, ok bool) {
	const head = 16
	if len(data) < head+8 {
		return by, how, false
	}
	origin, kind, code := data[4], data[5], data[6]
	sender := data[head:]
	switch family := binary.NativeEndian.Uint16(sender); {
	case family == unix.AF_INET:
		by = netip.AddrFrom4([4]byte(sender[4:8]))
	case family == unix.AF_INET6 && len(sender) >= 24:
		by = netip.AddrFrom16([16]byte(sender[8:24]))
	}
	switch origin {
	case unix.SO_EE_ORIGIN_ICMP:
		return by, how4(kind, code), true
	case unix.SO_EE_ORIGIN_ICMP6:
		return by, how6(kind, code), true
	}
	return by, how, false // the kernel's own, which the errno tells
}

// how4 reads an ICMP message (RFC 792, RFC 1812).
func how4(kind, code byte) How {
	switch {
	case kind == 3 && code == 3:
		return Refused
	case kind == 3 && code == 0:
		return NoRoute
	case kind == 3 && (code == 9 || code == 10 || code == 13):
		return Prohibited
	}
	return Lost
}

// how6 reads an ICMPv6 message (RFC 4443).
func how6(kind, code byte) How {
	switch {
	case kind == 1 && code == 4:
		return Refused
	case kind == 1 && code == 0:
		return NoRoute
	case kind == 1 && code == 1:
		return Prohibited
	}
	return Lost
}
