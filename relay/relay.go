// Package relay reaches the loopback of a sandbox: services that listen on
// 127.0.0.1 alone, and containers without any network.
//
// A small program inside the container (Serve; built from relay/program) talks
// over its standard input and output with this end (Session, Pool), and makes
// connections to 127.0.0.1 and ::1 there, to nothing else. Many connections
// share the one stream (github.com/hashicorp/yamux). Ends pass both ways, and
// so do resets.
//
// The far end is as untrusted as the sandbox: this end answers no request of
// it, takes no connection from it and holds no more for it than a window a
// connection. It knows no engine: who starts the program hands over its
// streams.
package relay

import (
	"errors"
	"fmt"
	"io"
	"log"
	"time"

	"github.com/hashicorp/yamux"
)

// Program is where the program is in an image.
const Program = "/usr/local/bin/fraktalia-relay"

// hello is the first that the program writes. Its number changes when the two
// ends would not understand each other.
const (
	name  = "fraktalia-relay "
	hello = name + "1\n"
)

// The protocol. Each connection is a yamux stream. This end writes the port,
// two bytes, and the program answers with one of these; then both write
// chunks, each after its length in two bytes. Length 0 is the orderly end of
// a direction. A stream that ends without one was reset: yamux by itself
// cannot tell the two apart, nor end one direction for longer than a time limit.
const (
	connected byte = iota
	refused
	timedOut
	failed
)

const (
	lengthSize = 2
	// chunk is the most that one write carries.
	chunk = 32 << 10
	// window is how much of a connection may be on its way, or held here for a
	// reader that is slow.
	window = 256 << 10
	// mostStreams bounds the connections to one sandbox, and with the window
	// the memory that a hostile one can take.
	mostStreams = 512
	// stallLimit is how long the other end may take nothing at all.
	stallLimit = 10 * time.Second
	// closeLimit is how long a stream that was closed on this side may stay.
	closeLimit = 10 * time.Second
)

// Errors of a connection that the program could not make.
var (
	ErrRefused  = errors.New("connection refused on 127.0.0.1 and ::1")
	ErrTimedOut = errors.New("no answer on 127.0.0.1 and ::1")
	ErrFailed   = errors.New("the relay could not connect")
	// ErrFull says that a sandbox has as many connections as it may.
	ErrFull = fmt.Errorf("%d connections are open through the relay already", mostStreams)
)

// settings are those of both ends.
func settings(logs io.Writer) *yamux.Config {
	c := yamux.DefaultConfig()
	c.MaxStreamWindowSize = window
	c.ConnectionWriteTimeout = stallLimit
	c.StreamOpenTimeout = stallLimit
	c.StreamCloseTimeout = closeLimit
	c.LogOutput = nil
	c.Logger = log.New(logs, "", 0)
	return c
}
