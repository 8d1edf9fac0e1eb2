package forwarder

import (
	"context"
	"errors"
	"net"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Failure is why a client got nothing, or not all.
type Failure int

// The failures of a connection. In UDP there is nobody to tell: there each is
// a run of datagrams that went nowhere.
const (
	Refused        Failure = iota // the sandbox refused
	TimedOut                      // it did not answer
	NoWay                         // there is no way to it: no network, no route
	NoSandbox                     // no sandbox of that agent runs
	NoneNamed                     // several agents have sandboxes and none was named
	EngineUnknown                 // the engine does not answer, so nothing is known
	NoDescriptors                 // this process had none left, so that a client had to wait, perhaps for nothing
	Barred                        // the client is a container
	ContainerEnded                // the container's run ended under a connection
	OtherFailure                  // none of those
	failureKinds
)

func (f Failure) String() string {
	return [...]string{"refused", "timeout", "unreachable", "no_sandbox", "ambiguous", "engine_unknown",
		"no_descriptors", "barred", "container_ended", "other"}[f]
}

// Failures has a count for each kind.
type Failures [failureKinds]uint64

// tally counts what a port met since it was opened. It is all atomics: loops
// and carriers add without a lock, and a reader may see one count of a moment
// later than another.
type tally struct {
	reached                   []atomic.Uint64 // by way: direct, then the dialers in their order
	failures                  [failureKinds]atomic.Uint64
	datagramsIn, datagramsOut atomic.Uint64
}

func (t *tally) fail(kind Failure) { t.failures[kind].Add(1) }

// reachedBy is how many connections each way has made.
func (f *Forwarder) reachedBy(t *tally) map[string]uint64 {
	all := map[string]uint64{wayDirect: t.reached[0].Load()}
	for i, dialer := range f.carriers.dialers {
		all[dialer.Way()] += t.reached[i+1].Load()
	}
	return all
}

func (t *tally) failed() (all Failures) {
	for kind := range t.failures {
		all[kind] = t.failures[kind].Load()
	}
	return all
}

// failureOf is the kind of a state in which nothing is dialled.
func failureOf(state State) Failure {
	switch state {
	case Waiting:
		return NoSandbox
	case Ambiguous:
		return NoneNamed
	case Unknown:
		return EngineUnknown
	case Unreachable:
		return NoWay
	}
	return OtherFailure
}

// failureBy is the kind of an error that dialling met.
func failureBy(err error) Failure {
	var timed net.Error
	switch {
	case errors.Is(err, unix.ECONNREFUSED):
		return Refused
	case errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.ENOPROTOOPT):
		return NoWay
	case shortage(err):
		return NoDescriptors
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timed) && timed.Timeout():
		return TimedOut
	}
	return OtherFailure
}

// Limit is how many connections there may be at once.
func (f *Forwarder) Limit() int64 { return f.limit }
