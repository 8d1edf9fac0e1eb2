package json5

import (
	"fmt"
	"unicode/utf8"
)

// tooDeep is the reason for refusing what nests deeper than MaxDepth.
const tooDeep = "nested deeper than 1000 levels"

// Parse reads a text. The error is a *SyntaxError.
func Parse(src []byte) (*Document, error) {
	p := &parser{src: src, nodes: make([]node, 0, 8+len(src)/12), strict: true}
	if i := invalidUTF8(src); i >= 0 {
		return nil, p.fail(i, "the text is not UTF-8 (byte 0x%02X)", src[i])
	}
	if err := p.document(); err != nil {
		return nil, err
	}
	return &Document{src: src, nodes: p.nodes, strict: p.strict}, nil
}

// invalidUTF8 is the offset of the first byte that is not UTF-8, or -1.
func invalidUTF8(src []byte) int {
	if utf8.Valid(src) {
		return -1
	}
	for i := 0; i < len(src); {
		r, width := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && width <= 1 {
			return i
		}
		i += width
	}
	return -1
}

// parser walks the text once. It remembers offsets only; strict turns false at the first thing that is not plain JSON.
type parser struct {
	src    []byte
	pos    int
	depth  int
	nodes  []node
	strict bool
}

func (p *parser) fail(offset int, format string, args ...any) error {
	line, column := position(p.src, offset)
	return &SyntaxError{Line: line, Column: column, Offset: offset, Reason: fmt.Sprintf(format, args...)}
}

func (p *parser) document() error {
	if err := p.skip(); err != nil {
		return err
	}
	if p.pos == len(p.src) {
		return p.fail(p.pos, "the file is empty: no value in it")
	}
	if err := p.value(-1, -1, -1); err != nil {
		return err
	}
	if err := p.skip(); err != nil {
		return err
	}
	if p.pos < len(p.src) {
		return p.fail(p.pos, "found %s behind the end of the document", show(p.src, p.pos))
	}
	return nil
}

// skip passes over white space and comments.
func (p *parser) skip() error {
	from := p.pos
	next, bad := skip(p.src, p.pos)
	if bad >= 0 {
		if bad+1 < len(p.src) && p.src[bad+1] == '*' {
			return p.fail(bad, "this comment is never closed")
		}
		return p.fail(bad, "found '/', which begins no comment here")
	}
	p.pos = next
	for i := from; p.strict && i < next; i++ {
		c := p.src[i]
		p.strict = c == ' ' || c == '\n' || c == '\r' || c == '\t'
	}
	return nil
}

// value reads one value and notes it; the key's offsets are those of the member it belongs to.
func (p *parser) value(keyStart, keyEnd, parent int) error {
	if p.pos == len(p.src) {
		return p.fail(p.pos, "the file ends where a value should be")
	}
	at := len(p.nodes)
	p.nodes = append(p.nodes, node{keyStart: keyStart, keyEnd: keyEnd, start: p.pos, comma: -1, parent: parent})
	kind, err := p.body(at)
	if err != nil {
		return err
	}
	n := &p.nodes[at]
	n.kind, n.end, n.next = kind, p.pos, len(p.nodes)
	return nil
}

func (p *parser) body(at int) (Kind, error) {
	switch c := p.src[p.pos]; c {
	case '{':
		return Object, p.container(at, '}', p.member)
	case '[':
		return Array, p.container(at, ']', p.element)
	case '"', '\'':
		return String, p.quoted()
	case 'n':
		return Null, p.word("null")
	case 't':
		return Bool, p.word("true")
	case 'f':
		return Bool, p.word("false")
	default:
		return Number, p.number()
	}
}

// container reads members or elements up to the closing bracket.
func (p *parser) container(at int, closing byte, item func(parent int) error) error {
	open := p.pos
	if p.depth++; p.depth > MaxDepth {
		return p.fail(open, tooDeep)
	}
	p.pos++
	last := -1
	for {
		if err := p.skip(); err != nil {
			return err
		}
		if p.pos == len(p.src) {
			line, _ := position(p.src, open)
			return p.fail(p.pos, "the file ends before the %s opened in line %d is closed", show(p.src, open), line)
		}
		if p.src[p.pos] == closing {
			p.strict = p.strict && (last < 0 || p.nodes[last].comma < 0)
			p.pos, p.depth = p.pos+1, p.depth-1
			return nil
		}
		if last >= 0 && p.nodes[last].comma < 0 {
			return p.fail(p.pos, "found %s, where a comma or '%c' should be", show(p.src, p.pos), closing)
		}
		last = len(p.nodes)
		if err := item(at); err != nil {
			return err
		}
		if err := p.comma(last); err != nil {
			return err
		}
	}
}

// comma notes the comma behind an item, if there is one.
func (p *parser) comma(item int) error {
	if err := p.skip(); err != nil {
		return err
	}
	if p.pos < len(p.src) && p.src[p.pos] == ',' {
		p.nodes[item].comma = p.pos
		p.pos++
	}
	return nil
}

func (p *parser) element(parent int) error {
	if p.src[p.pos] == ',' {
		return p.fail(p.pos, "found a comma where a value should be")
	}
	return p.value(-1, -1, parent)
}

func (p *parser) member(parent int) error {
	start := p.pos
	if err := p.memberName(); err != nil {
		return err
	}
	end := p.pos
	if err := p.skip(); err != nil {
		return err
	}
	if p.pos == len(p.src) || p.src[p.pos] != ':' {
		return p.fail(p.pos, "found %s, where the ':' behind the key should be", show(p.src, p.pos))
	}
	p.pos++
	if err := p.skip(); err != nil {
		return err
	}
	return p.value(start, end, parent)
}

func (p *parser) memberName() error {
	switch p.src[p.pos] {
	case '"', '\'':
		return p.quoted()
	default:
		p.strict = false
		return p.identifier()
	}
}

// identifier reads an unquoted key.
func (p *parser) identifier() error {
	start := p.pos
	for p.pos < len(p.src) {
		at := p.pos
		r, width := utf8.DecodeRune(p.src[p.pos:])
		if r == '\\' {
			if p.pos++; p.pos == len(p.src) || p.src[p.pos] != 'u' {
				return p.fail(at, "only \\uXXXX may follow a backslash in an unquoted key")
			}
			if err := p.hexDigits(4); err != nil {
				return err
			}
			r, width = hexRune(string(p.src[p.pos-4:p.pos])), 0
		}
		ok := identifierPart(r)
		if at == start {
			ok = identifierStart(r)
		}
		if !ok && (at == start || width == 0) {
			return p.fail(at, "found %s, where a key or '}' should be", show(p.src, at))
		}
		if !ok {
			return nil
		}
		p.pos += width
	}
	return nil
}

func (p *parser) word(word string) error {
	for i := range len(word) {
		if p.pos+i >= len(p.src) || p.src[p.pos+i] != word[i] {
			return p.fail(p.pos, "found %s, where a value should be (is it a string that lacks its quotes?)", show(p.src, p.pos))
		}
	}
	p.pos += len(word)
	return nil
}
