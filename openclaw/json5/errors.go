package json5

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// SyntaxError says where a text stops being JSON5, and why. Line and Column count from 1, columns in characters.
type SyntaxError struct {
	Line, Column int
	Offset       int    // in bytes
	Reason       string // what is wrong, without the place
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Reason)
}

// PathError says why the text of a path cannot be read.
type PathError struct {
	Path   string
	Reason string
}

func (e *PathError) Error() string {
	return fmt.Sprintf("the path %q is not valid: %s", e.Path, e.Reason)
}

// NotFoundError says that a path leads nowhere: Within is the part that exists, Missing the first step that does not,
// and Nearest holds the names there that resemble it, the closest first.
type NotFoundError struct {
	Path    string
	Within  string
	Missing string
	Nearest []string
}

func (e *NotFoundError) Error() string {
	where := "the document"
	if e.Within != "" {
		where = e.Within
	}
	text := fmt.Sprintf("%s has no %s", where, e.Missing)
	if len(e.Nearest) > 0 {
		text += "; did you mean " + strings.Join(e.Nearest, " or ") + "?"
	}
	return text
}

// DuplicateKeyError says that a name on the path is there more than once in its object: programs differ in which one
// they take, so no edit of it can be right.
type DuplicateKeyError struct {
	Path  string
	Key   string
	Lines []int
}

func (e *DuplicateKeyError) Error() string {
	lines := make([]string, len(e.Lines))
	for i, l := range e.Lines {
		lines[i] = strconv.Itoa(l)
	}
	return fmt.Sprintf("%s: the key %q is there %d times (lines %s); remove all but one first",
		e.Path, e.Key, len(e.Lines), strings.Join(lines, ", "))
}

// AmbiguousError says that a selector matches more than one element.
type AmbiguousError struct {
	Path     string
	Selector string
	Lines    []int
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("%s: %s matches %d elements; use an index such as [0]", e.Path, e.Selector, len(e.Lines))
}

// KindError says that a value on the path is of another kind than the path or the operation needs.
type KindError struct {
	Path string
	Want string // such as "an array"
	Have Kind
}

func (e *KindError) Error() string {
	where := "the document"
	if e.Path != "" {
		where = e.Path
	}
	return fmt.Sprintf("%s is of kind %s, not %s", where, e.Have, e.Want)
}

// OperationError says why an operation makes no sense on this document.
type OperationError struct {
	Path   string
	Reason string
}

func (e *OperationError) Error() string {
	if e.Path == "" {
		return e.Reason
	}
	return e.Path + ": " + e.Reason
}

// CheckError says that the self-check found an edit to be something else than what was asked; nothing was changed. It
// is a bug of this package that did no harm.
type CheckError struct {
	Operation string
	Reason    string
}

func (e *CheckError) Error() string {
	return fmt.Sprintf("%s: refused, because the result would not be exactly the asked change (%s)", e.Operation, e.Reason)
}

// position turns a byte offset into line and column. A line ends with LF, CR LF or a lone CR.
func position(src []byte, offset int) (line, column int) {
	line, start := 1, 0
	for i := 0; i < offset && i < len(src); i++ {
		if src[i] == '\n' || src[i] == '\r' && !(i+1 < len(src) && src[i+1] == '\n') {
			line, start = line+1, i+1
		}
	}
	if start > offset {
		start = offset
	}
	return line, 1 + utf8.RuneCount(src[start:min(offset, len(src))])
}

// show quotes what stands at an offset, for error sentences.
func show(src []byte, offset int) string {
	if offset >= len(src) {
		return "the end of the file"
	}
	r, _ := utf8.DecodeRune(src[offset:])
	return strconv.QuoteRune(r)
}
