// Command tcpproxy is inetaf/tcpproxy as a program, for the benchmark. It is
// a module of its own so that the project does not depend on its peer.
package main

import (
	"log"
	"os"

	"github.com/inetaf/tcpproxy"
)

func main() {
	var proxy tcpproxy.Proxy
	proxy.AddRoute(os.Args[1], tcpproxy.To(os.Args[2]))
	log.Fatal(proxy.Run())
}
