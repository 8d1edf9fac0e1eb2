package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Firewall is the network of isolated sandboxes, and what they may reach
// beside the internet.
type Firewall struct {
	Network  string     `yaml:"network"`
	Subnets  []Subnet   `yaml:"subnets"`
	Backend  string     `yaml:"backend"`
	DNS      Resolvers  `yaml:"dns"`
	Allow    []Opening  `yaml:"allow"`
	Internet []AddrPort `yaml:"internet"`
}

// Opening is something that sandboxes may reach: "192.168.1.20:22",
// "[fd00::1]:53/udp", "10.1.0.0/16:8000-8010/tcp".
type Opening struct {
	Prefix      netip.Prefix
	First, Last uint16
	Protocol    string
}

// ParseOpening reads one. The error is a sentence for people.
func ParseOpening(text string) (o Opening, err error) {
	at, protocol, named := text, "tcp", false
	if i := strings.LastIndexByte(text, '/'); i > strings.LastIndexByte(text, ':') {
		at, protocol, named = text[:i], text[i+1:], true
	}
	if named && protocol != "tcp" && protocol != "udp" {
		return o, fmt.Errorf("%q: %q is neither tcp nor udp", text, protocol)
	}
	colon := strings.LastIndexByte(at, ':')
	if colon < 0 || strings.Count(at, ":") > 1 && !strings.HasPrefix(at, "[") || strings.HasPrefix(at, "[") && at[colon-1] != ']' {
		return o, fmt.Errorf("%q has no port: it is ADDRESS:PORT, such as 192.168.1.20:22 or [fd00::1]:53/udp", text)
	}
	o.Protocol = protocol
	if o.First, o.Last, err = parsePorts(at[colon+1:]); err != nil {
		return o, fmt.Errorf("%q: %w", text, err)
	}
	if o.Prefix, err = parseTarget(at[:colon]); err != nil {
		return o, fmt.Errorf("%q: %w", text, err)
	}
	return o, nil
}

func parsePorts(text string) (first, last uint16, err error) {
	from, to, isRange := strings.Cut(text, "-")
	if !isRange {
		to = from
	}
	a, err1 := strconv.ParseUint(from, 10, 16)
	b, err2 := strconv.ParseUint(to, 10, 16)
	if err1 != nil || err2 != nil || a == 0 || a > b {
		return 0, 0, fmt.Errorf("%q is no port (1 to 65535) or range of ports", text)
	}
	return uint16(a), uint16(b), nil
}

// parseTarget reads an address or a range of them.
func parseTarget(text string) (prefix netip.Prefix, err error) {
	bare := strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
	if addr, err := netip.ParseAddr(bare); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		prefix = netip.PrefixFrom(addr, addr.BitLen())
	} else if prefix, err = netip.ParsePrefix(bare); err != nil {
		return prefix, fmt.Errorf("%q is no address; names are not looked up", bare)
	}
	switch {
	case prefix.Addr().Is6() != strings.HasPrefix(text, "["):
		return prefix, fmt.Errorf("IPv6 addresses stand in brackets, IPv4 ones do not")
	case prefix != prefix.Masked():
		return prefix, fmt.Errorf("the range %s begins at %s", prefix, prefix.Masked().Addr())
	case prefix.Bits() == 0:
		return prefix, fmt.Errorf("that is every address there is")
	case prefix.Addr().IsLoopback() || prefix.Addr().IsMulticast() || prefix.Addr().IsUnspecified():
		return prefix, fmt.Errorf("%s cannot be reached from a sandbox at all", prefix.Addr())
	}
	return prefix, nil
}

func (o Opening) String() string {
	at, ports := o.Prefix.String(), strconv.Itoa(int(o.First))
	if o.Prefix.IsSingleIP() {
		at = o.Prefix.Addr().String()
	}
	if o.Prefix.Addr().Is6() {
		at = "[" + at + "]"
	}
	if o.Last != o.First {
		ports += "-" + strconv.Itoa(int(o.Last))
	}
	return at + ":" + ports + "/" + o.Protocol
}

// UnmarshalYAML reads an opening.
func (o *Opening) UnmarshalYAML(node *yaml.Node) (err error) {
	if *o, err = ParseOpening(node.Value); err != nil {
		return mistake(node, "firewall.allow: %v", err)
	}
	return nil
}

// MarshalYAML writes it.
func (o Opening) MarshalYAML() (any, error) { return o.String(), nil }

// Subnet is a range of addresses for the sandboxes' network.
type Subnet struct{ netip.Prefix }

// UnmarshalYAML reads "10.9.0.0/24".
func (s *Subnet) UnmarshalYAML(node *yaml.Node) error {
	prefix, err := netip.ParsePrefix(node.Value)
	switch {
	case err != nil || prefix != prefix.Masked():
		return mistake(node, "firewall.subnets: %q is no range of addresses such as 10.9.0.0/24", node.Value)
	case prefix.Addr().Is4() && (prefix.Bits() < 8 || prefix.Bits() > 29) || prefix.Addr().Is6() && (prefix.Bits() < 48 || prefix.Bits() > 64):
		return mistake(node, "firewall.subnets: %s is too wide or too narrow: IPv4 has /8 to /29, IPv6 /48 to /64", prefix)
	case !prefix.Addr().IsPrivate():
		return mistake(node, "firewall.subnets: %s is not private: IPv4 of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16, IPv6 of fd00::/8", prefix)
	}
	s.Prefix = prefix
	return nil
}

// MarshalYAML writes it.
func (s Subnet) MarshalYAML() (any, error) { return s.String(), nil }

// AddrPort is an address with a port.
type AddrPort struct{ netip.AddrPort }

// UnmarshalYAML reads "1.1.1.1:443".
func (a *AddrPort) UnmarshalYAML(node *yaml.Node) (err error) {
	if a.AddrPort, err = netip.ParseAddrPort(node.Value); err != nil || a.Port() == 0 {
		return mistake(node, "firewall.internet: %q is no ADDRESS:PORT such as 1.1.1.1:443", node.Value)
	}
	return nil
}

// MarshalYAML writes it.
func (a AddrPort) MarshalYAML() (any, error) { return a.String(), nil }

// Resolvers are the name servers that sandboxes may ask.
type Resolvers struct {
	// Host says that they are this machine's.
	Host bool
	List []netip.Addr
}

// UnmarshalYAML reads "host", or addresses with commas between; "" is none.
func (r *Resolvers) UnmarshalYAML(node *yaml.Node) error {
	*r = Resolvers{Host: node.Value == "host"}
	if r.Host || node.Value == "" {
		return nil
	}
	for text := range strings.SplitSeq(node.Value, ",") {
		addr, err := netip.ParseAddr(strings.TrimSpace(text))
		if err != nil || addr.Zone() != "" {
			return mistake(node, "firewall.dns: %q is no address; it is \"host\", or addresses with commas between", strings.TrimSpace(text))
		}
		r.List = append(r.List, addr.Unmap())
	}
	return nil
}

// MarshalYAML writes it.
func (r Resolvers) MarshalYAML() (any, error) {
	if r.Host {
		return "host", nil
	}
	texts := make([]string, len(r.List))
	for i, addr := range r.List {
		texts[i] = addr.String()
	}
	return strings.Join(texts, ", "), nil
}

func mistake(node *yaml.Node, format string, args ...any) error {
	return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: ", node.Line) + fmt.Sprintf(format, args...)}}
}

func defaultFirewall() Firewall {
	return Firewall{
		Network: "fraktalia", Backend: "auto", DNS: Resolvers{Host: true},
		Subnets: []Subnet{}, Allow: []Opening{},
		Internet: []AddrPort{{netip.MustParseAddrPort("1.1.1.1:443")}, {netip.MustParseAddrPort("[2606:4700:4700::1111]:443")}},
	}
}

// check finds what is wrong although it can be read.
func (f Firewall) check() (list []string) {
	if f.Network == "" || slices.Contains([]string{"none", "host", "bridge", "default"}, f.Network) || strings.ContainsAny(f.Network, " :/\t\n") {
		list = append(list, fmt.Sprintf("firewall.network: %q cannot be the name of a network for sandboxes", f.Network))
	}
	if !slices.Contains([]string{"auto", "nftables", "iptables"}, f.Backend) {
		list = append(list, fmt.Sprintf("firewall.backend: %q is none of auto, nftables, iptables", f.Backend))
	}
	four, six := 0, 0
	for _, subnet := range f.Subnets {
		if subnet.Addr().Is6() {
			six++
		} else if subnet.IsValid() {
			four++
		}
	}
	if four > 1 || six > 1 {
		list = append(list, "firewall.subnets: there is one range of IPv4 and one of IPv6 at most")
	}
	return list
}
