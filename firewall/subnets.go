package firewall

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"slices"
)

// OverlapError says that a range is in use.
type OverlapError struct{ Subnet, With netip.Prefix }

func (e *OverlapError) Error() string { return fmt.Sprintf("%s overlaps with %s", e.Subnet, e.With) }

// Overlaps lists every range that is in use already.
func Overlaps(subnets, taken []netip.Prefix) (list []*OverlapError) {
	for _, subnet := range subnets {
		for _, other := range taken {
			if subnet.Overlaps(other) && other.Bits() > 0 {
				list = append(list, &OverlapError{subnet, other})
			}
		}
	}
	return list
}

// subnetTries is how many ranges are tried before giving up.
const subnetTries = 200

// ChooseSubnets completes the wanted ranges to one of IPv4 and one of IPv6 that
// nobody uses. The same seed gives the same ranges, so that a network that is
// made anew keeps them.
func ChooseSubnets(wanted, taken []netip.Prefix, seed string) ([]netip.Prefix, error) {
	chosen := slices.Clone(wanted)
	for _, six := range []bool{false, true} {
		if len(ofFamily(wanted, six)) > 0 {
			continue
		}
		free := netip.Prefix{}
		for try := 0; try < subnetTries && !free.IsValid(); try++ {
			if candidate := candidate(six, seed, try); len(Overlaps([]netip.Prefix{candidate}, taken)) == 0 {
				free = candidate
			}
		}
		if !free.IsValid() {
			return nil, fmt.Errorf("no free range of addresses after %d tries", subnetTries)
		}
		chosen = append(chosen, free)
	}
	return chosen, nil
}

// candidate is a range of 10.0.0.0/8, which Docker does not give out by itself,
// or one of fd00::/8 as RFC 4193 wants it: random, but for ever.
func candidate(six bool, seed string, try int) netip.Prefix {
	sum := sha256.Sum256(fmt.Appendf(nil, "fraktalia %s %d", seed, try))
	if !six {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, sum[0], sum[1], 0}), 24)
	}
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfd, sum[0], sum[1], sum[2], sum[3], sum[4]}), 64)
}
