package relay_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/relay"
)

// hostile is a far end that says the right first word, then what it likes.
func hostile(t *testing.T, say func(io.ReadWriter)) *relay.Session {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() { far.Close() })
	go func() {
		io.WriteString(far, "fraktalia-relay 1\n")
		go io.Copy(io.Discard, far)
		say(far)
	}()
	s, err := relay.Open(t.Context(), near)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// frame is a header of yamux, with bytes behind it.
func frame(kind, flags byte, stream byte, length uint32, body ...byte) []byte {
	return append([]byte{0, kind, 0, flags, 0, 0, 0, stream, byte(length >> 24), byte(length >> 16), byte(length >> 8), byte(length)}, body...)
}

func TestAHostileFarEndIsCutOff(t *testing.T) {
	for name, said := range map[string][]byte{
		"opens a stream":              frame(1, 1, 2, 0),
		"opens a stream with data":    frame(0, 1, 2, 1, 'x'),
		"pings":                       frame(2, 1, 0, 7),
		"announces a giant":           frame(0, 0, 1, 1<<31),
		"announces one byte too much": frame(0, 0, 1, 256<<10+1),
		"raises the window to wrap":   frame(1, 0, 1, 1<<32-1),
		"another version":             append([]byte{9}, frame(0, 0, 1, 0)[1:]...),
		"another type":                frame(4, 0, 1, 0),
		"text":                        []byte("HTTP/1.1 400 Bad Request\r\n"),
		"after a good frame":          append(frame(0, 0, 9, 3, 'a', 'b', 'c'), frame(2, 1, 0, 7)...),
	} {
		t.Run(name, func(t *testing.T) {
			s := hostile(t, func(far io.ReadWriter) {
				for _, b := range said { // in the smallest pieces
					far.Write([]byte{b})
				}
			})
			until(t, "the session has ended", s.Ended)
		})
	}
}

// It may send as much as it likes to streams that nobody reads or that are
// not there: this end keeps a window of it.
func TestAFloodIsNotKept(t *testing.T) {
	body := bytes.Repeat([]byte{1}, 200<<10)
	flooded := make(chan bool)
	s := hostile(t, func(far io.ReadWriter) {
		for range 500 {
			if _, err := far.Write(frame(0, 0, 77, uint32(len(body)), body...)); err != nil {
				break
			}
		}
		close(flooded)
	})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	<-flooded
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 10<<20 {
		t.Errorf("%d bytes are kept", grown)
	}
	if s.Ended() {
		t.Error("frames of a stream that has just gone are nothing bad")
	}
}

func TestAStrangerIsToldFromARelay(t *testing.T) {
	for _, said := range []string{"OCI runtime exec failed: exec failed: no such file", "fraktalia-relay 9\n", "x"} {
		near, far := net.Pipe()
		go func() { io.WriteString(far, said); far.Close() }()
		var stranger *relay.StrangerError
		if _, err := relay.Open(t.Context(), near); !errors.As(err, &stranger) || !strings.HasPrefix(said, stranger.Said) {
			t.Errorf("%q: %v", said, err)
		}
	}
}

// until waits for a condition that must come true.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never came true: %s", what)
		}
	}
}
