package firewall

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Machine is what the policy has to know of this machine's surroundings.
type Machine struct {
	// Own are its addresses, but for loopback's and the bridge's.
	Own []netip.Addr
	// Networks are those that it reaches without a router.
	Networks []netip.Prefix
	// Gateways are its routers to everywhere.
	Gateways []netip.Addr
}

// Surroundings looks at the machine's interfaces and routes. The interface
// named bridge is left out.
func Surroundings(bridge string) (Machine, error) {
	var m Machine
	interfaces, err := net.Interfaces()
	if err != nil {
		return m, fmt.Errorf("list the interfaces: %w", err)
	}
	for _, one := range interfaces {
		if one.Flags&net.FlagLoopback != 0 || one.Name == bridge {
			continue
		}
		addrs, err := one.Addrs()
		if err != nil {
			return m, fmt.Errorf("list the addresses of %s: %w", one.Name, err)
		}
		for _, addr := range addrs {
			prefix, err := netip.ParsePrefix(addr.String())
			if err != nil || prefix.Addr().IsLinkLocalUnicast() {
				continue
			}
			m.Own = append(m.Own, prefix.Addr())
			if !vast(prefix) {
				m.Networks = append(m.Networks, prefix.Masked())
			}
		}
	}
	if err := m.readRoutes(bridge); err != nil {
		return m, err
	}
	slices.SortFunc(m.Networks, comparePrefix)
	m.Networks = slices.Compact(m.Networks)
	return m, nil
}

func comparePrefix(a, b netip.Prefix) int {
	if a.Addr() == b.Addr() {
		return a.Bits() - b.Bits()
	}
	return a.Addr().Compare(b.Addr())
}

// route is one line of the kernel's table.
type route struct {
	device  string
	to      netip.Prefix
	gateway netip.Addr // the zero address where there is no router
}

// readRoutes adds networks that are known by a route only, as an address of
// length 128 that came by DHCP has one, and the routers.
func (m *Machine) readRoutes(bridge string) error {
	for _, table := range []struct {
		file  string
		parse func([]string) (route, bool)
	}{{"/proc/net/route", route4}, {"/proc/net/ipv6_route", route6}} {
		file, err := os.Open(table.file)
		if os.IsNotExist(err) {
			continue // a kernel without IPv6
		}
		if err != nil {
			return fmt.Errorf("read the routes: %w", err)
		}
		defer file.Close()
		lines := bufio.NewScanner(file)
		for lines.Scan() {
			if r, ok := table.parse(strings.Fields(lines.Text())); ok && r.device != bridge && r.device != "lo" {
				m.add(r)
			}
		}
		if err := lines.Err(); err != nil {
			return fmt.Errorf("read the routes: %w", err)
		}
	}
	return nil
}

// vast says whether a prefix is too wide for a network that a machine is on. A
// VPN takes all traffic by routes of half the addresses or an eighth of them
// (0.0.0.0/1 and 128.0.0.0/1, 2000::/3), without a router: taken for networks
// they would close the internet. What is wider and private is closed anyway.
func vast(prefix netip.Prefix) bool {
	if prefix.Addr().Is4() {
		return prefix.Bits() < 8
	}
	return prefix.Bits() < 16
}

func (m *Machine) add(r route) {
	switch {
	case r.to.Bits() == 0 && r.gateway.IsValid() && !r.gateway.IsUnspecified():
		if !slices.Contains(m.Gateways, r.gateway) {
			m.Gateways = append(m.Gateways, r.gateway)
		}
	case !vast(r.to) && r.gateway.IsUnspecified() && !r.to.Addr().IsLinkLocalUnicast() && !r.to.Addr().IsMulticast():
		m.Networks = append(m.Networks, r.to)
	}
}

// route4 reads "eth0 0001A8C0 00000000 0001 0 0 0 00FFFFFF ...": numbers are
// in the machine's own byte order.
func route4(fields []string) (r route, ok bool) {
	if len(fields) < 8 {
		return r, false
	}
	to, ok1 := address4(fields[1])
	gateway, ok2 := address4(fields[2])
	mask, ok3 := address4(fields[7])
	if !ok1 || !ok2 || !ok3 {
		return r, false
	}
	raw := mask.As4()
	bits, _ := net.IPMask(raw[:]).Size()
	return route{fields[0], netip.PrefixFrom(to, bits), gateway}, true
}

func address4(text string) (netip.Addr, bool) {
	number, err := strconv.ParseUint(text, 16, 32)
	if err != nil {
		return netip.Addr{}, false
	}
	var raw [4]byte
	binary.NativeEndian.PutUint32(raw[:], uint32(number))
	return netip.AddrFrom4(raw), true
}

// route6 reads "fd00...00 40 0000...00 00 0000...00 ... eth0".
func route6(fields []string) (r route, ok bool) {
	if len(fields) < 10 {
		return r, false
	}
	to, ok1 := address6(fields[0])
	gateway, ok2 := address6(fields[4])
	bits, err := strconv.ParseUint(fields[1], 16, 8)
	if !ok1 || !ok2 || err != nil {
		return r, false
	}
	return route{fields[9], netip.PrefixFrom(to, int(bits)), gateway}, true
}

func address6(text string) (netip.Addr, bool) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != 16 {
		return netip.Addr{}, false
	}
	return netip.AddrFrom16([16]byte(raw)), true
}

// Resolvers are the name servers that Docker gives to containers: those of
// resolv.conf, or behind systemd's local one its own upstream ones.
func Resolvers() []netip.Addr {
	list := resolversIn("/etc/resolv.conf")
	if len(list) == 1 && list[0] == netip.AddrFrom4([4]byte{127, 0, 0, 53}) {
		list = resolversIn("/run/systemd/resolve/resolv.conf")
	}
	return slices.DeleteFunc(list, netip.Addr.IsLoopback) // a sandbox has a loopback of its own
}

func resolversIn(path string) (list []netip.Addr) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		if addr, err := netip.ParseAddr(fields[1]); err == nil && addr.Zone() == "" {
			list = append(list, addr.Unmap())
		}
	}
	return list
}
