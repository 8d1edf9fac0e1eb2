package command

import (
	"fmt"

	"github.com/githabideri/fraktalia/reply"
)

// Problem is an error made for people: one plain sentence that says what to
// do. Every other error is an internal one, which people see as a reference
// into the log.
type Problem struct {
	Sentence string
	// Detail is shown below the sentence, e.g. the end of a log; may be empty.
	Detail reply.Doc
	// Usage says that the line was written wrongly.
	Usage bool
	// Private says that the record of commands does not keep Detail.
	Private bool
	// Cause is for the log; nil where the sentence says all.
	Cause error
}

func (p *Problem) Error() string { return p.Sentence }
func (p *Problem) Unwrap() error { return p.Cause }

// Sorry makes a Problem of a sentence.
func Sorry(format string, args ...any) error {
	return &Problem{Sentence: fmt.Sprintf(format, args...)}
}

// Because makes a Problem whose cause goes to the log.
func Because(cause error, format string, args ...any) error {
	return &Problem{Sentence: fmt.Sprintf(format, args...), Cause: cause}
}
