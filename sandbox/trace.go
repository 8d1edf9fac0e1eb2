package sandbox

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// trace is the part of BuildKit's moby.buildkit.v1.StatusResponse that people
// want to see. Everything else in the message (transfer figures, warnings,
// the graph's edges) is skipped, whatever a newer engine adds to it.
type trace struct {
	vertexes []traceVertex
	logs     []traceLog
}

// traceVertex is the state of one step. BuildKit sends it again at every
// change: announced, started, completed.
type traceVertex struct {
	digest    string
	name      string // "[2/7] RUN apt-get update", "exporting to image"
	cached    bool
	started   time.Time // zero until it has
	completed time.Time
	failure   string // why it failed, in BuildKit's words
}

// traceLog is a piece of what a step wrote, cut anywhere.
type traceLog struct {
	digest string
	text   []byte
}

// decodeTrace reads one moby.buildkit.trace message. The field numbers are
// those of BuildKit's control.proto, which are frozen: engines 20.10 and 28
// agree on them.
func decodeTrace(message []byte) (trace, error) {
	var t trace
	err := eachField(message, func(f field) error {
		switch f.number {
		case 1:
			vertex, err := decodeVertex(f.bytes)
			t.vertexes = append(t.vertexes, vertex)
			return err
		case 3:
			log, err := decodeLog(f.bytes)
			t.logs = append(t.logs, log)
			return err
		}
		return nil
	})
	if err != nil {
		return trace{}, fmt.Errorf("decode BuildKit's trace: %w", err)
	}
	return t, nil
}

func decodeVertex(message []byte) (traceVertex, error) {
	var v traceVertex
	err := eachField(message, func(f field) (err error) {
		switch f.number {
		case 1:
			v.digest = string(f.bytes)
		case 3:
			v.name = string(f.bytes)
		case 4:
			v.cached = f.varint != 0
		case 5:
			v.started, err = decodeTime(f.bytes)
		case 6:
			v.completed, err = decodeTime(f.bytes)
		case 7:
			v.failure = string(f.bytes)
		}
		return err
	})
	return v, err
}

func decodeLog(message []byte) (traceLog, error) {
	var l traceLog
	err := eachField(message, func(f field) error {
		switch f.number {
		case 1:
			l.digest = string(f.bytes)
		case 4:
			l.text = f.bytes
		}
		return nil
	})
	return l, err
}

// decodeTime reads a google.protobuf.Timestamp.
func decodeTime(message []byte) (time.Time, error) {
	var seconds, nanos int64
	err := eachField(message, func(f field) error {
		switch f.number {
		case 1:
			seconds = int64(f.varint)
		case 2:
			nanos = int64(f.varint)
		}
		return nil
	})
	return time.Unix(seconds, nanos), err
}

// field is one field of a protobuf message; bytes or varint is set, by its
// wire type. bytes points into the message.
type field struct {
	number protowire.Number
	bytes  []byte
	varint uint64
}

// eachField hands every field of a message to visit, in order. A field of a
// wire type that the trace does not use is passed over.
func eachField(message []byte, visit func(field) error) error {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		f := field{number: number}
		switch kind {
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(message)
		case protowire.VarintType:
			f.varint, n = protowire.ConsumeVarint(message)
		default:
			n = protowire.ConsumeFieldValue(number, kind, message)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		if err := visit(f); err != nil {
			return err
		}
	}
	return nil
}
