// Command server is what runs inside the stand-in sandbox of the tests. On
// each address of its arguments it greets every connection with the
// container's host name and a line feed, then sends back what it reads, and
// closes once the other side has.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"os"
)

func main() {
	name, err := os.Hostname()
	if err != nil {
		log.Fatal(err)
	}
	ended := make(chan error)
	for _, addr := range os.Args[1:] {
		listener, err := net.Listen("tcp", addr)
		if err != nil {
			log.Fatal(err)
		}
		go func() { ended <- serve(listener, name) }()
	}
	log.Fatal(<-ended)
}

func serve(listener net.Listener, name string) error {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			fmt.Fprintln(conn, name)
			io.Copy(conn, conn)
		}()
	}
}
