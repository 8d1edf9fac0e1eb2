package remote

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/crypto/ssh"
)

// link is one ssh connection.
type link struct {
	client *ssh.Client
	dead   atomic.Bool
}

// connect makes the connection, within its limit.
func (o Options) connect(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	config, done, err := o.clientConfig()
	if err != nil {
		return nil, err
	}
	defer done()
	dialer := net.Dialer{KeepAlive: aliveEvery}
	conn, err := dialer.DialContext(ctx, "tcp", o.Address)
	if err != nil {
		return nil, &UnreachableError{Host: o.Name, Address: o.Address, Err: err}
	}
	l := &link{}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	ours, channels, requests, err := ssh.NewClientConn(&noted{conn, l}, o.Address, config)
	if !stop() && err == nil {
		ours.Close()
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, o.refusal(err)
	}
	l.client = ssh.NewClient(ours, channels, requests)
	return l, nil
}

// watch asks for signs of life until the connection ends.
func (l *link) watch(log *logrus.Entry) {
	ended := make(chan error, 1)
	go func() { ended <- l.client.Wait() }()
	ticker := time.NewTicker(aliveEvery)
	defer ticker.Stop()
	for {
		select {
		case err := <-ended:
			l.dead.Store(true)
			log.WithError(err).Warn("the ssh connection has ended")
			return
		case <-ticker.C:
			l.ask()
		}
	}
}

// ask ends the connection if the machine does not answer in time.
func (l *link) ask() {
	late := time.AfterFunc(aliveEvery, l.end)
	defer late.Stop()
	l.client.SendRequest("keepalive@openssh.com", true, nil) // an error shows as the connection's end
}

func (l *link) end() {
	l.dead.Store(true)
	l.client.Close()
}

// noted notes the end of the connection before the ssh library hears of it,
// which shows it to every channel as an orderly end.
type noted struct {
	net.Conn
	link *link
}

func (n *noted) Read(buffer []byte) (int, error) {
	got, err := n.Conn.Read(buffer)
	if err != nil {
		n.link.dead.Store(true)
	}
	return got, err
}

// Conn is one connection that goes over the link. Its CloseWrite ends what it
// sends.
type Conn struct {
	net.Conn
	link *link
}

// ErrLost says that the ssh connection was lost, and this one with it.
var ErrLost = errors.New("the ssh connection was lost")

// Read reads; the end of the ssh connection is an error, not an end of what is
// read.
func (c *Conn) Read(buffer []byte) (int, error) {
	n, err := c.Conn.Read(buffer)
	if err != nil && c.link.dead.Load() {
		err = ErrLost
	}
	return n, err
}

// CloseWrite tells the other side that nothing more comes.
func (c *Conn) CloseWrite() error {
	return c.Conn.(interface{ CloseWrite() error }).CloseWrite()
}
