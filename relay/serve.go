package relay

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/hashicorp/yamux"
	"golang.org/x/sync/errgroup"
)

const (
	// dialLimit bounds one connection attempt; on a loopback only a listener
	// whose queue is full takes any time.
	dialLimit = 3 * time.Second
	// askLimit bounds the wait for the port of a stream.
	askLimit = 10 * time.Second
)

// Serve is the program inside the sandbox: it makes the connections that the
// other end of link asks for, until link ends.
func Serve(link io.ReadWriteCloser) error {
	if _, err := io.WriteString(link, hello); err != nil {
		return err
	}
	config := settings(os.Stderr)
	config.EnableKeepAlive = false // it asks nothing of the other end, whose going shows as the link's end
	mux, err := yamux.Server(link, config)
	if err != nil {
		return fmt.Errorf("relay: %w", err)
	}
	buffers := newBuffers()
	for {
		stream, err := mux.AcceptStream()
		if err != nil {
			return nil // the other end has gone; connections end with the process
		}
		go serve(&Conn{stream: stream, buffers: buffers})
	}
}

// serve makes one connection and carries it.
func serve(client *Conn) {
	defer client.Close()
	client.SetLinger(0) // until it has ended well
	client.stream.SetReadDeadline(time.Now().Add(askLimit))
	var port [2]byte
	if _, err := io.ReadFull(client.stream, port[:]); err != nil {
		return
	}
	client.stream.SetReadDeadline(time.Time{})
	service, err := dial(int(binary.BigEndian.Uint16(port[:])))
	if _, failed := client.stream.Write([]byte{answer(err)}); err != nil || failed != nil {
		if service != nil {
			service.Close()
		}
		return
	}
	carry(client, service)
}

// dial connects to a port of the loopback.
func dial(port int) (*net.TCPConn, error) {
	dialer := net.Dialer{Timeout: dialLimit}
	var errs []error
	for _, host := range []string{"127.0.0.1", "::1"} {
		conn, err := dialer.DialContext(context.Background(), "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err == nil {
			return conn.(*net.TCPConn), nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

func answer(err error) byte {
	var late net.Error
	switch {
	case err == nil:
		return connected
	case errors.As(err, &late) && late.Timeout():
		return timedOut
	case errors.Is(err, syscall.ECONNREFUSED):
		return refused
	}
	return failed
}

// carry copies both directions and passes ends and resets on.
func carry(client *Conn, service *net.TCPConn) {
	defer service.Close()
	service.SetLinger(0)
	cut := func() {
		service.Close()
		client.Close()
	}
	var group errgroup.Group
	group.Go(func() error { return copyTo(service, client, cut) })
	group.Go(func() error { return copyTo(client, service, cut) })
	if group.Wait() == nil {
		client.SetLinger(-1)
		service.SetLinger(-1)
	}
}

// halfCloser can end one direction.
type halfCloser interface {
	io.Writer
	CloseWrite() error
}

// copyTo copies one direction, and ends it. An error cuts the connection.
func copyTo(to halfCloser, from io.Reader, cut func()) error {
	// Hidden behind plain interfaces: the fast path between two sockets is
	// not for this.
	_, err := io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, make([]byte, chunk))
	if err == nil {
		err = to.CloseWrite()
	}
	if err != nil {
		cut()
	}
	return err
}
