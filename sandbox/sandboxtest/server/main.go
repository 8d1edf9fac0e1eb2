// Command server is what runs inside the stand-in sandbox of the tests. On
// each address of its arguments it greets every connection with the
// container's host name and a line feed, then sends back what it reads, and
// closes once the other side has. With "-dial ADDRESS" it is a client instead
// and prints the first line that it gets, or the error.
package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"os"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "-dial" {
		fmt.Println(dial(os.Args[2]))
		return
	}
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

func dial(addr string) string {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err.Error()
	}
	return line
}
