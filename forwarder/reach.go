package forwarder

import (
	"net/netip"
	"slices"
)

// Addresses lists where a forward of this policy would listen on this host
// now, and which of these addresses Home leaves out. For Any it lists what the
// wildcard stands for.
func Addresses(bind Bind) (all, beyond []netip.Addr, err error) {
	host, err := hostAddrs()
	if err != nil {
		return nil, nil, err
	}
	if bind == 0 {
		bind = Home
	}
	for _, a := range host {
		reach := a.reach()
		if !loopbackOf(a.addr) || (bind&Any == 0 && reach&bind == 0) {
			continue
		}
		all = append(all, a.addr)
		if reach&Home == 0 {
			beyond = append(beyond, a.addr)
		}
	}
	return all, beyond, nil
}

// Sandboxes lists those that run, on every host whose engine answers; known is
// false where one does not.
func (f *Forwarder) Sandboxes() (list []Sandbox, known bool) {
	w := f.world.Load()
	return slices.Clone(w.sandboxes), w.knowsAll()
}
