package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"
)

// Port is where Listen listens, on TCP and UDP.
const Port = 4243

// Listen answers on Port until ctx ends or life is over: TCP connections are
// taken and closed, datagrams sent back.
func Listen(ctx context.Context, life time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, life)
	defer cancel()
	address := ":" + strconv.Itoa(Port)
	streams, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	datagrams, err := net.ListenPacket("udp", address)
	if err != nil {
		return errors.Join(fmt.Errorf("listen: %w", err), streams.Close())
	}
	defer context.AfterFunc(ctx, func() { streams.Close(); datagrams.Close() })()
	var group sync.WaitGroup
	group.Go(func() { accept(streams) })
	group.Go(func() { echo(datagrams) })
	group.Wait()
	return nil
}

func accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			io.Copy(conn, conn)
		}()
	}
}

func echo(conn net.PacketConn) {
	buffer := make([]byte, 2048)
	for {
		n, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		conn.WriteTo(buffer[:n], from)
	}
}
