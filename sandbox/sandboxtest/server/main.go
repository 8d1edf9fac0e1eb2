// Command server is what runs inside the stand-in sandbox of the tests. On
// each address of its arguments it greets every connection with the
// container's host name and a line feed, then sends back what it reads, and
// closes once the other side has. On "udp:ADDRESS" it sends every datagram
// back with the host name and a blank before it. With "-dial ADDRESS" it is a
// client instead and prints the first line that it gets, or the error; with
// "-dial udp:ADDRESS" the answer to one datagram. "-forge SENDER ADDRESS" sends a datagram with a
// sender that is not its own.
package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "-dial" {
		fmt.Println(dial(os.Args[2]))
		return
	}
	if len(os.Args) == 4 && os.Args[1] == "-forge" {
		fmt.Println(forge(os.Args[2], os.Args[3]))
		return
	}
	name, err := os.Hostname()
	if err != nil {
		log.Fatal(err)
	}
	ended := make(chan error)
	for _, addr := range os.Args[1:] {
		if udp, ok := strings.CutPrefix(addr, "udp:"); ok {
			conn, err := net.ListenPacket("udp", udp)
			if err != nil {
				log.Fatal(err)
			}
			go func() { ended <- answer(conn, name) }()
			continue
		}
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

func answer(conn net.PacketConn, name string) error {
	datagram := make([]byte, 64<<10)
	for {
		n, from, err := conn.ReadFrom(datagram)
		if err != nil {
			return err
		}
		conn.WriteTo(append([]byte(name+" "), datagram[:n]...), from)
	}
}

func dial(addr string) string {
	if udp, ok := strings.CutPrefix(addr, "udp:"); ok {
		return ask(udp)
	}
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

func ask(addr string) string {
	conn, err := net.Dial("udp", addr)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte("hello")); err != nil {
		return err.Error()
	}
	got := make([]byte, 1024)
	n, err := conn.Read(got)
	if err != nil {
		return err.Error()
	}
	return string(got[:n])
}

// forge writes the headers of IPv4 and UDP itself; the kernel fills in what
// it must, and UDP needs no checksum.
func forge(sender, addr string) string {
	from, to := netip.MustParseAddr(sender).As4(), netip.MustParseAddrPort(addr)
	target := to.Addr().As4()
	text := []byte("forged")
	packet := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, syscall.IPPROTO_UDP, 0, 0}
	packet = append(append(packet, from[:]...), target[:]...)
	packet = binary.BigEndian.AppendUint16(packet, 5000)
	packet = binary.BigEndian.AppendUint16(packet, to.Port())
	packet = binary.BigEndian.AppendUint16(packet, uint16(8+len(text)))
	packet = append(append(packet, 0, 0), text...)
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_RAW)
	if err != nil {
		return err.Error()
	}
	if err := syscall.Sendto(fd, packet, 0, &syscall.SockaddrInet4{Addr: target}); err != nil {
		return err.Error()
	}
	return "sent"
}
