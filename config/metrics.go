package config

import (
	"fmt"
	"net/netip"
)

// Metrics is where counts are told to a collector.
type Metrics struct {
	Listen string `yaml:"listen"`
}

// checkMetrics lists what is wrong with the address: nobody is asked for a
// password there, so it has to be of this machine alone.
func (c *Config) checkMetrics() []string {
	if c.Metrics.Listen == "" {
		return nil
	}
	at, err := netip.ParseAddrPort(c.Metrics.Listen)
	switch {
	case err != nil || at.Port() == 0:
		return []string{fmt.Sprintf("metrics.listen: %q is no address and port such as 127.0.0.1:9464", c.Metrics.Listen)}
	case !at.Addr().Unmap().IsLoopback():
		return []string{fmt.Sprintf("metrics.listen: %q can be reached from other machines, and nobody is asked for a password there; write 127.0.0.1:%d", c.Metrics.Listen, at.Port())}
	case c.Forwards.Range.Contains(int(at.Port())):
		return []string{fmt.Sprintf("metrics.listen: port %d is in forwards.range (%s); take another", at.Port(), c.Forwards.Range)}
	}
	return nil
}
