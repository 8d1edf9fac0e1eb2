// Command target is the service in the container that all forwarders of the
// benchmark lead to. The first byte of a connection says what it wants: "b"
// bytes without end, "e" everything sent back, "o" one byte sent back and the
// connection closed by the service, "n" the container's name and then as "e";
// faults.go has what is wanted where forwarders are tried for faults.
// A second address serves HTTP/2 and websockets.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"os"
)

const bulkBuffer = 256 << 10

func main() {
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	if len(os.Args) > 2 {
		go func() { log.Fatal(web(os.Args[2])) }()
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go serve(conn.(*net.TCPConn))
	}
}

func serve(conn *net.TCPConn) {
	defer conn.Close()
	wish := make([]byte, 1)
	if _, err := io.ReadFull(conn, wish); err != nil {
		return
	}
	switch wish[0] {
	case 'b':
		buffer := make([]byte, bulkBuffer)
		for {
			if _, err := conn.Write(buffer); err != nil {
				return
			}
		}
	case 'e':
		echo(conn)
	case 'n':
		name, _ := os.Hostname()
		fmt.Fprintln(conn, name)
		echo(conn)
	case 'o':
		conn.Write(wish)
	default:
		misbehave(conn, wish[0])
	}
}

// echo is no io.Copy: that would take a pipe's two descriptors for each of
// the many connections that idle.
func echo(conn net.Conn) {
	buffer := make([]byte, 4<<10)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		if _, err := conn.Write(buffer[:n]); err != nil {
			return
		}
	}
}
