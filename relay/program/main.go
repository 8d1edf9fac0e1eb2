// Command program is fraktalia-relay, which runs inside a sandbox: Fraktalia
// starts it there and asks it over its standard input for connections to the
// sandbox's loopback. See package relay.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/githabideri/fraktalia/relay"
)

func main() {
	if len(os.Args) > 1 {
		fmt.Fprintln(os.Stderr, "fraktalia-relay is started by Fraktalia; it takes no arguments.")
		os.Exit(2)
	}
	if err := relay.Serve(standard{os.Stdin, os.Stdout}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// standard are the program's standard streams as one.
type standard struct {
	io.ReadCloser
	io.WriteCloser
}

// Close closes both.
func (s standard) Close() error {
	s.WriteCloser.Close()
	return s.ReadCloser.Close()
}
