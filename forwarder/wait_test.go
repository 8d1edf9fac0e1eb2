package forwarder

import (
	"io"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
)

// A connection whose closing never returns does not keep the program from
// ending.
func TestWaitingForWhatNeverClosesEnds(t *testing.T) {
	log := logrus.New()
	log.SetOutput(io.Discard)
	f := New(Options{Log: logrus.NewEntry(log)})
	f.carriers.endLimit = time.Millisecond
	never := make(chan struct{})
	f.carriers.done.Go(func() { <-never })
	waited := make(chan struct{})
	go func() { f.carriers.wait(0); close(waited) }()
	select {
	case <-waited:
	case <-time.After(20 * time.Second):
		t.Error("it waits on")
	}
	close(never)
}
