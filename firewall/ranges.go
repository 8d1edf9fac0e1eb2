package firewall

import (
	"net/netip"
	"slices"
)

// special are the addresses that are not the internet. Of IPv6 only 2000::/3
// is given out at all, so everything else is closed without being listed.
func special() []netip.Prefix {
	var list []netip.Prefix
	for _, text := range []string{
		"0.0.0.0/8",        // this machine
		"10.0.0.0/8",       // private (RFC 1918)
		"100.64.0.0/10",    // carriers' NAT; Tailscale; Alibaba's metadata
		"127.0.0.0/8",      // loopback
		"168.63.129.16/32", // Azure's own services, on a public address
		"169.254.0.0/16",   // link-local; the clouds' metadata
		"172.16.0.0/12",    // private; Docker's networks
		"192.0.0.0/24",     // protocols' own; Oracle's metadata
		"192.0.2.0/24",     // documentation
		"192.88.99.0/24",   // 6to4 relays, given up
		"192.168.0.0/16",   // private
		"198.18.0.0/15",    // measurements
		"198.51.100.0/24",  // documentation
		"203.0.113.0/24",   // documentation
		"224.0.0.0/4",      // multicast
		"240.0.0.0/4",      // not given out; broadcast
		"::/3",             // loopback, mapped IPv4 and NAT64, which would reach the private ranges above
		"4000::/2",         // not given out
		"8000::/1",         // not given out; ULA (fc00::/7) with Tailscale and metadata; link-local; multicast
		"2001::/23",        // protocols' own; Teredo, which has IPv4 addresses in it
		"2001:db8::/32",    // documentation
		"2002::/16",        // 6to4, which has IPv4 addresses in it
		"3fff::/20",        // documentation
	} {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

// closed are all ranges that a sandbox may not reach, sorted, none within
// another: sets of the kernel take no overlapping ones.
func (p Policy) closed() []netip.Prefix {
	all := special()
	for _, prefix := range p.Local {
		if !vast(prefix) { // nobody's network, and no reason to close the internet
			all = append(all, prefix.Masked())
		}
	}
	slices.SortFunc(all, func(a, b netip.Prefix) int {
		if a.Addr() == b.Addr() {
			return a.Bits() - b.Bits()
		}
		return a.Addr().Compare(b.Addr())
	})
	var apart []netip.Prefix
	for _, prefix := range all {
		if n := len(apart); n == 0 || !apart[n-1].Overlaps(prefix) { // sorted: a wider one comes first
			apart = append(apart, prefix)
		}
	}
	return apart
}

func ofFamily(list []netip.Prefix, six bool) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(list), func(p netip.Prefix) bool { return p.Addr().Is6() != six })
}

// internet are the ranges that are left, the widest first.
func (p Policy) internet(six bool) []netip.Prefix {
	all := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	if six {
		all = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	list := without(all, ofFamily(p.closed(), six))
	slices.SortStableFunc(list, func(a, b netip.Prefix) int { return a.Bits() - b.Bits() })
	return list
}

// without takes ranges out of a range.
func without(whole netip.Prefix, holes []netip.Prefix) []netip.Prefix {
	touched := false
	for _, hole := range holes {
		if hole.Bits() <= whole.Bits() && hole.Contains(whole.Addr()) {
			return nil
		}
		touched = touched || hole.Overlaps(whole)
	}
	if !touched {
		return []netip.Prefix{whole}
	}
	low := netip.PrefixFrom(whole.Addr(), whole.Bits()+1)
	return append(without(low, holes), without(upper(low), holes)...)
}

// upper is the other half of what low is the lower half of.
func upper(low netip.Prefix) netip.Prefix {
	raw := low.Addr().AsSlice()
	bit := low.Bits() - 1
	raw[bit/8] |= 1 << (7 - bit%8)
	addr, _ := netip.AddrFromSlice(raw) // the length is an address's
	return netip.PrefixFrom(addr, low.Bits())
}
