package relay

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/yamux"
)

// Session is this end of one running relay program.
type Session struct {
	mux     *yamux.Session
	buffers *sync.Pool
	began   time.Time
}

// StrangerError says that what was started is not the relay, or one of
// another version.
type StrangerError struct {
	Said    string // the first that it wrote
	Err     error  // why there was not more
	Missing bool   // the image has no relay, or an old one; false: something else went wrong
}

// Link are a program's streams. One that has a method Missing, which says
// whether there was no such program to start, makes StrangerError tell.
type Link = io.ReadWriteCloser

func (e *StrangerError) Error() string {
	return fmt.Sprintf("no relay of this version answers: it said %.60q (%v)", e.Said, e.Err)
}

func (e *StrangerError) Unwrap() error { return e.Err }

// Open begins to talk with a program over its streams, which the session owns
// from here on and closes with an error, too. Error: *StrangerError, or the
// context's.
func Open(ctx context.Context, link Link) (*Session, error) {
	give := context.AfterFunc(ctx, func() { link.Close() })
	said := make([]byte, len(hello))
	n, err := io.ReadFull(link, said)
	if !give() {
		return nil, context.Cause(ctx)
	}
	if err != nil || string(said) != hello {
		link.Close()
		return nil, &StrangerError{Said: string(said[:n]), Err: err, Missing: missing(link, string(said[:n]))}
	}
	mux, err := yamux.Client(&guard{ReadWriteCloser: link}, settings(io.Discard))
	if err != nil {
		link.Close()
		return nil, fmt.Errorf("relay: %w", err)
	}
	return &Session{mux: mux, buffers: newBuffers(), began: time.Now()}, nil
}

func missing(link Link, said string) bool {
	asked, ok := link.(interface{ Missing() bool })
	return strings.HasPrefix(said, name) || ok && asked.Missing()
}

// Dial connects to a port of the sandbox's loopback. Errors: ErrRefused,
// ErrTimedOut, ErrFailed, ErrFull, the context's, or that the session has ended.
func (s *Session) Dial(ctx context.Context, port int) (*Conn, error) {
	if s.mux.NumStreams() >= mostStreams {
		return nil, ErrFull
	}
	stream, err := s.mux.OpenStream()
	if err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	give := context.AfterFunc(ctx, func() { stream.SetDeadline(time.Unix(1, 0)) })
	err = ask(stream, port)
	if !give() {
		err = context.Cause(ctx)
	}
	if err != nil {
		stream.Close()
		return nil, err
	}
	return &Conn{stream: stream, buffers: s.buffers}, nil
}

// ask asks the program for a connection.
func ask(stream *yamux.Stream, port int) error {
	if _, err := stream.Write(binary.BigEndian.AppendUint16(nil, uint16(port))); err != nil {
		return fmt.Errorf("relay: %w", err)
	}
	var answer [1]byte
	if _, err := io.ReadFull(stream, answer[:]); err != nil {
		return fmt.Errorf("relay: %w", err)
	}
	switch answer[0] {
	case connected:
		return nil
	case refused:
		return ErrRefused
	case timedOut:
		return ErrTimedOut
	}
	return ErrFailed
}

// Close ends the session: its connections are reset, and the program ends.
func (s *Session) Close() error { return s.mux.Close() }

// Ended says whether the session is over, by whichever end.
func (s *Session) Ended() bool { return s.mux.IsClosed() }

// answered says whether an error is the program's own answer: the session is
// well.
func answered(err error) bool {
	return errors.Is(err, ErrRefused) || errors.Is(err, ErrTimedOut) || errors.Is(err, ErrFailed) || errors.Is(err, ErrFull)
}
