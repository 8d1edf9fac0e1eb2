// Package reply holds what a command answers: paragraphs, tables, code, lists.
// The values know neither a room nor a terminal; HTML and Text are their two
// renderings. The package sends nothing and decides nothing.
package reply

import (
	"fmt"
	"io"
	"strings"
)

// Answer is the outcome of a command that went well.
type Answer struct {
	// Doc is what people read.
	Doc Doc
	// Data is the same for programs (`--json`); nil where there is no table.
	Data any
	// Undo is the command line that takes the act back, "" where none does.
	Undo string
	// Private says that the record of commands keeps the first block of Doc only:
	// what follows may be a secret of somebody's.
	Private bool
	// Unwell says that what was looked at is not well: the command itself did what
	// it should, but a shell's exit status is 1.
	Unwell bool
	// Waits says that nothing is done yet: an owner has to say yes first.
	Waits bool
}

// File is something to hand over beside the text, e.g. a build log.
type File struct {
	// Name is what the file is called where it lands, e.g. "build.log".
	Name string
	// Type is its media type, e.g. "text/plain".
	Type string
	// Size is its length in bytes: servers want to know before.
	Size int64
	Body io.Reader
	// Width and Height are those of a picture, in pixels; 0 for other files.
	Width, Height int
}

// IsPicture says that the file can be looked at where it lands, e.g. between
// the messages of a room.
func (f File) IsPicture() bool {
	return strings.HasPrefix(f.Type, "image/") && f.Width > 0 && f.Height > 0
}

// Doc is an answer's text, block below block.
type Doc []Block

// Block is one piece of a Doc: Paragraph, Heading, Table, Code, List or Lines.
type Block interface {
	html(*strings.Builder)
	text(*strings.Builder)
}

// Span is a piece of a line with a look of its own.
type Span struct {
	text string
	kind spanKind
	href string
}

type spanKind int

const (
	plainSpan spanKind = iota
	monoSpan
	boldSpan
	linkSpan
)

// Mono is text in a fixed-width font: a command, a name to be typed.
func Mono(format string, args ...any) Span { return span(monoSpan, format, args) }

// Bold is text with weight.
func Bold(format string, args ...any) Span { return span(boldSpan, format, args) }

// Link is text that can be clicked.
func Link(href, text string) Span { return Span{text: text, kind: linkSpan, href: href} }

func span(kind spanKind, format string, args []any) Span {
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	return Span{text: format, kind: kind}
}

// Line is one line of text: strings, Spans, and anything fmt can print.
type Line []any

// Paragraph is a line of text with space around it.
type Paragraph struct{ Line Line }

// P makes a Paragraph of strings and Spans.
func P(parts ...any) Paragraph { return Paragraph{Line: parts} }

// Heading is a short title.
type Heading struct{ Line Line }

// H makes a Heading of strings and Spans.
func H(parts ...any) Heading { return Heading{Line: parts} }

// Table has a head and rows. A cell is a Line, a string, a Span, or Lines, which
// stand below one another in it.
type Table struct {
	Head []string
	Rows [][]any
}

// Code is text to be shown letter by letter.
type Code struct {
	// Language is the highlighter's name of it, e.g. "diff"; "" for none.
	Language string
	Text     string
}

// List is a bulleted list of Lines.
type List struct{ Items []Line }

// Lines are lines below one another, without bullets: a card.
type Lines struct{ Items []Line }

// Say is the Doc of one paragraph.
func Say(parts ...any) Doc { return Doc{P(parts...)} }

// Sayf is the Doc of one formatted sentence.
func Sayf(format string, args ...any) Doc { return Say(fmt.Sprintf(format, args...)) }
