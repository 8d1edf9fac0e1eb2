package isolation

import (
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
)

// advertise has a machine call itself a router, for everywhere and for a
// network of its own, to all on its link.
const advertise = `python3 -I -c '
import socket, time
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58); s.setsockopt(41, 18, 255); s.setsockopt(41, 17, socket.if_nametoindex("eth0"))
prefix = bytes([3, 4, 64, 0xc0]) + (3600).to_bytes(4, "big") * 2 + bytes(4) + socket.inet_pton(socket.AF_INET6, "2a02:bbbb::")
for i in range(5):
    s.sendto(bytes([134, 0, 0, 0, 64, 0, 7, 8]) + bytes(8) + prefix, ("ff02::1", 0))
    time.sleep(0.2)
'`

// A sandbox that calls itself a router is believed neither by the machine nor
// by another sandbox.
func TestNobodyTakesASandboxForARouter(t *testing.T) {
	if !sandboxtest.InOwnNetwork(t) {
		return
	}
	w := newWorld(t)
	w.must("apply")
	image := sandboxtest.Image(t)
	liar := sandboxtest.Start(t, sandboxtest.Sandbox{Image: image, Agent: "mox", Network: "fraktalia", Listen: []string{":9005"}})
	other := sandboxtest.Start(t, sandboxtest.Sandbox{Image: image, Agent: "max", Network: "fraktalia", Listen: []string{":9005"}})
	if out, err := w.inside(liar, advertise); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	believed := func(routes string) bool {
		return strings.Contains(routes, "2a02:bbbb") || strings.Contains(routes, "proto ra")
	}
	routes, err := w.inside(other, "ip -6 route; ip -6 addr show dev eth0")
	if err != nil || believed(routes) {
		t.Errorf("another sandbox believes it: %v\n%s", err, routes)
	}
	if routes := w.sh("ip -6 route; ip -6 addr"); believed(routes) {
		t.Errorf("this machine believes it:\n%s", routes)
	}
	// With the rules away it is: the kernels believe whom they hear.
	w.must("remove", "--force")
	w.inside(liar, advertise)
	if routes, err = w.inside(other, "ip -6 route"); err != nil || !believed(routes) {
		t.Errorf("without rules nobody believes it either, so this proves nothing: %v\n%s", err, routes)
	}
}
