package forwarder

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// proxyLine is the PROXY protocol's line, version 1, for a client's socket; a
// socket whose names cannot be read yields the protocol's own "UNKNOWN".
func proxyLine(fd int) []byte {
	peer, errPeer := unix.Getpeername(fd)
	local, errLocal := unix.Getsockname(fd)
	from, to := addrPort(peer), addrPort(local)
	if errPeer != nil || errLocal != nil || !from.IsValid() || !to.IsValid() {
		return []byte("PROXY UNKNOWN\r\n")
	}
	return proxyText(from, to)
}

func addrPort(sockaddr unix.Sockaddr) netip.AddrPort {
	switch a := sockaddr.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port))
	}
	return netip.AddrPort{}
}

func proxyText(from, to netip.AddrPort) []byte {
	family := "TCP4"
	if !from.Addr().Is4() {
		family = "TCP6"
	}
	return fmt.Appendf(nil, "PROXY %s %s %s %d %d\r\n", family, from.Addr(), to.Addr(), from.Port(), to.Port())
}
