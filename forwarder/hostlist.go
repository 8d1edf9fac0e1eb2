package forwarder

import "net/netip"

// HostAddresses lists the addresses of this host that are in a set, such as
// those that the LAN reaches.
func HostAddresses(b Bind) ([]netip.Addr, error) {
	host, err := hostAddrs()
	if err != nil {
		return nil, err
	}
	return b.addresses(host), nil
}
