// Package shell carries command lines from the machine's own shell to the
// running program, over a Unix socket that only its owner can open, and
// brings the answers back. It holds the two ends and their wire format; it
// knows no command.
//
// The wire format is one JSON object a line in both directions.
package shell

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// request begins a connection.
type request struct {
	Args []string `json:"args"`
}

// answer is what the client says later on.
type answer struct {
	Yes bool `json:"yes"`
	// Choice is the number of the answer that was picked, from 1; 0 is none.
	Choice int `json:"choice,omitempty"`
	// File says what became of a file; "" where the answer is to a question.
	File fate `json:"file,omitempty"`
}

// fate is what became of a file that was handed over.
type fate string

const (
	kept fate = "kept"
	lost fate = "lost"
)

// kind says what a message of the server is.
type kind string

const (
	progressKind kind = "progress" // Text replaces the last progress
	askKind      kind = "ask"      // Text is a question; the client answers
	chooseKind   kind = "choose"   // Text is a question with Choices answers; the client picks one
	secretKind   kind = "secret"   // Text is to be shown and not kept
	fileKind     kind = "file"     // Name and Data; the client says what became of it
	doneKind     kind = "done"     // Text is the answer; the last message
	failedKind   kind = "failed"   // Text is why not; the last message
)

// message is one line of the server.
type message struct {
	Kind kind   `json:"kind"`
	Text string `json:"text,omitempty"`
	Name string `json:"name,omitempty"`
	Data []byte `json:"data,omitempty"`
	// Choices is how many answers there are to choose from.
	Choices int `json:"choices,omitempty"`
	// Unwell says of an answer that what it tells is not well.
	Unwell bool `json:"unwell,omitempty"`
}

// lines writes JSON lines from several goroutines.
type lines struct {
	mu     sync.Mutex
	out    io.Writer
	broken error // a line was cut off: nothing can follow
}

func (l *lines) write(value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode a message: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken == nil {
		_, l.broken = l.out.Write(append(text, '\n'))
	}
	return l.broken
}
