package json5

import "unicode/utf8"

// triviaKind says what stands between two tokens.
type triviaKind uint8

const (
	space triviaKind = iota
	lineBreak
	lineComment
	blockComment
)

// trivia is one piece of the text that carries no value.
type trivia struct {
	kind       triviaKind
	start, end int
}

func (t trivia) comment() bool { return t.kind == lineComment || t.kind == blockComment }

// spaceWidth is the width of the white-space character at i, line breaks included, and 0 where there is none.
func spaceWidth(src []byte, i int) int {
	switch c := src[i]; {
	case c == ' ' || c >= '\t' && c <= '\r':
		return 1
	case c < utf8.RuneSelf:
		return 0
	}
	r, width := utf8.DecodeRune(src[i:])
	switch r {
	case 0xA0, 0xFEFF, 0x2028, 0x2029, 0x1680, 0x202F, 0x205F, 0x3000:
		return width
	}
	if r >= 0x2000 && r <= 0x200A {
		return width
	}
	return 0
}

// breakWidth is the width of the line break at i (LF, CR LF, CR, and the two of Unicode, which end a // comment too).
func breakWidth(src []byte, i int) int {
	switch src[i] {
	case '\n':
		return 1
	case '\r':
		if i+1 < len(src) && src[i+1] == '\n' {
			return 2
		}
		return 1
	case 0xE2:
		if i+2 < len(src) && src[i+1] == 0x80 && (src[i+2] == 0xA8 || src[i+2] == 0xA9) {
			return 3
		}
	}
	return 0
}

// lineCommentEnd is where the // comment at i ends: before its line break, or at the end of the text.
func lineCommentEnd(src []byte, i int) int {
	for i < len(src) && breakWidth(src, i) == 0 {
		i++
	}
	return i
}

// blockCommentEnd is where the /* comment at i ends, or -1 if it never does.
func blockCommentEnd(src []byte, i int) int {
	for i += 2; i+1 < len(src); i++ {
		if src[i] == '*' && src[i+1] == '/' {
			return i + 2
		}
	}
	return -1
}

// pieces splits [from, to), which must hold nothing but white space and comments, commas being passed over.
func pieces(src []byte, from, to int) []trivia {
	var list []trivia
	for i := from; i < to; {
		t := trivia{space, i, i}
		switch {
		case src[i] == ',':
			i++
			continue
		case breakWidth(src, i) > 0:
			t.kind, t.end = lineBreak, i+breakWidth(src, i)
		case src[i] == '/' && src[i+1] == '/':
			t.kind, t.end = lineComment, lineCommentEnd(src, i)
		case src[i] == '/':
			t.kind, t.end = blockComment, blockCommentEnd(src, i)
		default:
			t.end = spaceRunEnd(src, i, to)
		}
		list = append(list, t)
		i = t.end
	}
	return list
}

// spaceRunEnd is the end of the white space at i, line breaks not included.
func spaceRunEnd(src []byte, i, to int) int {
	for start := i; i < to; {
		width := spaceWidth(src, i)
		if width == 0 || breakWidth(src, i) > 0 {
			return max(i, start+1)
		}
		i += width
	}
	return i
}

// skip passes over white space and comments; bad is the start of an endless comment or a lone slash, else -1.
func skip(src []byte, i int) (next, bad int) {
	for i < len(src) {
		if width := spaceWidth(src, i); width > 0 {
			i += width
			continue
		}
		if src[i] != '/' {
			return i, -1
		}
		if i+1 < len(src) && src[i+1] == '/' {
			i = lineCommentEnd(src, i)
			continue
		}
		if i+1 >= len(src) || src[i+1] != '*' {
			return i, i
		}
		end := blockCommentEnd(src, i)
		if end < 0 {
			return i, i
		}
		i = end
	}
	return i, -1
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isHex(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

// identifierStart says whether r may begin an unquoted key.
func identifierStart(r rune) bool {
	if r < utf8.RuneSelf {
		return r == '$' || r == '_' || r|0x20 >= 'a' && r|0x20 <= 'z'
	}
	return inTable(idStart, r)
}

// identifierPart says whether r may stand inside an unquoted key.
func identifierPart(r rune) bool {
	if r < utf8.RuneSelf {
		return identifierStart(r) || r >= '0' && r <= '9'
	}
	return r == 0x200C || r == 0x200D || inTable(idContinue, r)
}

// inTable looks r up in one of the tables of ident_table.go.
func inTable(table string, r rune) bool {
	low, high := 0, len(table)/12
	for low < high {
		middle := (low + high) / 2
		first, last := hexRune(table[middle*12:middle*12+6]), hexRune(table[middle*12+6:middle*12+12])
		switch {
		case r < first:
			high = middle
		case r > last:
			low = middle + 1
		default:
			return true
		}
	}
	return false
}

// hexRune reads hex digits that are known to be such.
func hexRune(digits string) rune {
	var r rune
	for i := 0; i < len(digits); i++ {
		c := digits[i]
		if isDigit(c) {
			r = r<<4 | rune(c-'0')
		} else {
			r = r<<4 | rune(c|0x20-'a'+10)
		}
	}
	return r
}
