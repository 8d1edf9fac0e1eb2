package json5

import (
	"bytes"
	"strings"
)

// style is how the text around a place is written, so that what is added there looks the same. It is read off the
// neighbours, never off the file as a whole: siblings first, then the nearest thing of the kind before the place.
type style struct {
	nl       string
	unit     string // one level of indentation
	keyMark  byte   // the quote around keys; 0 where they have none
	keyQuote byte   // the quote around keys that cannot do without
	textMark byte   // the quote around strings
	colon    string // between key and value
	comma    string // between items of one line
	pad      string // inside the brackets of an object of one line
	trailing bool   // lists in several lines end with a comma
	json     bool   // the text is plain JSON and is to stay so
	habit    [3]layoutHabit
}

// layoutHabit says how the nearest list of a class is laid out.
type layoutHabit uint8

const (
	habitUnknown layoutHabit = iota
	habitInline
	habitLines
)

// The classes of lists that have habits of their own.
const (
	objects = iota
	plainArrays
	nestedArrays
)

// styleAt reads the style for items of a container.
func (d *Document) styleAt(at int) style {
	b := d.open(at)
	s := style{nl: d.newline(d.nodes[at].start), json: d.strict, unit: d.unitAt(at)}
	if len(b.kids) > 0 {
		s.nl = d.newline(b.start(len(b.kids) - 1))
	}
	s.marks(b)
	s.colon = d.colonAt(b)
	s.comma, s.pad = ",", ""
	if strings.HasSuffix(s.colon, " ") {
		s.comma, s.pad = ", ", " "
	}
	s.habits(d, at)
	if b.spread() {
		s.trailing = d.nodes[b.kids[len(b.kids)-1]].comma >= 0
	}
	return s
}

// marks finds the quotes of keys and strings: the container's majority, else those used last before it. Whether keys go
// without quotes is read only off those that could.
func (s *style) marks(b box) {
	plain, quoted, texts := map[byte]int{}, map[byte]int{}, map[byte]int{}
	for _, c := range b.kids {
		if mark, ok := b.plainKeyMark(c); ok {
			plain[mark]++
		}
		if mark := b.quoteOfKey(c); mark != 0 {
			quoted[mark]++
		}
		if b.nodes[c].kind == String {
			texts[b.src[b.nodes[c].start]]++
		}
	}
	last := len(b.nodes)
	if len(b.kids) == 0 {
		last = b.at + 1
	}
	var ok bool
	if s.keyMark, ok = most(plain); !ok {
		s.keyMark = b.lastMark(last, b.plainKeyMark, '"')
	}
	if s.textMark, ok = most(texts); !ok {
		s.textMark = b.lastMark(last, b.textMarkOf, max(s.keyMark, '"'))
	}
	if s.keyQuote, ok = most(quoted); !ok {
		s.keyQuote = s.textMark
	}
}

// plainKeyMark is the quote of a key that could do without one.
func (d *Document) plainKeyMark(at int) (mark byte, ok bool) {
	return d.quoteOfKey(at), d.nodes[at].keyStart >= 0 && plainIdentifier(d.key(at))
}

// textMarkOf is the quote of a string.
func (d *Document) textMarkOf(at int) (mark byte, ok bool) {
	return d.src[d.nodes[at].start], d.nodes[at].kind == String
}

// quoteOfKey is the quote around a member's key, 0 where it has none.
func (d *Document) quoteOfKey(at int) byte {
	if n := d.nodes[at]; n.keyStart >= 0 && (d.src[n.keyStart] == '"' || d.src[n.keyStart] == '\'') {
		return d.src[n.keyStart]
	}
	return 0
}

// lastMark asks the nodes before a place, the nearest first.
func (d *Document) lastMark(before int, mark func(at int) (byte, bool), fallback byte) byte {
	for c := before - 1; c >= 0; c-- {
		if m, ok := mark(c); ok {
			return m
		}
	}
	return fallback
}

// most is the mark that was counted most often; of equals the plainer one, in the order ", ', none.
func most(counts map[byte]int) (byte, bool) {
	best, found := byte(0), 0
	for _, mark := range []byte{'"', '\'', 0} {
		if counts[mark] > found {
			best, found = mark, counts[mark]
		}
	}
	return best, found > 0
}

// unitAt is one level of indentation: that of the container's own items, else of the nearest container around it.
func (d *Document) unitAt(at int) string {
	for c := at; c >= 0; c = d.nodes[c].parent {
		if unit := d.unitOf(c); unit != "" {
			return unit
		}
	}
	for c := range d.nodes {
		if unit := d.unitOf(c); unit != "" {
			return unit
		}
	}
	return "  "
}

func (d *Document) unitOf(at int) string {
	first := at + 1
	if d.nodes[at].kind < Array || first == d.nodes[at].next {
		return ""
	}
	start := d.itemStart(first)
	if !bytes.ContainsAny(d.src[d.nodes[at].start:start], "\n\r") {
		return ""
	}
	outer, inner := d.lineIndent(d.nodes[at].start), d.lineIndent(start)
	if strings.HasPrefix(inner, outer) {
		return inner[len(outer):]
	}
	return ""
}

// colonAt is what stands between key and value: as with the last sibling, else with the member nearest before.
func (d *Document) colonAt(b box) string {
	before := b.at + 1
	if len(b.kids) > 0 {
		before = b.kids[len(b.kids)-1] + 1
	}
	for c := before - 1; c >= 0; c-- {
		n := d.nodes[c]
		if n.keyStart < 0 {
			continue
		}
		between := string(d.src[n.keyEnd:n.start])
		if strings.Trim(between, " :") == "" && len(between) <= 3 {
			return between
		}
		return ": "
	}
	return ": "
}

// habits notes how the nearest lists of each class are laid out, those before the place first.
func (s *style) habits(d *Document, at int) {
	left := len(s.habit)
	note := func(c int) bool {
		class, ok := d.class(c)
		if !ok || s.habit[class] != habitUnknown {
			return left > 0
		}
		left--
		s.habit[class] = habitInline
		if b := d.open(c); b.spread() {
			s.habit[class] = habitLines
			s.trailing = s.trailing || d.nodes[b.kids[len(b.kids)-1]].comma >= 0
		} else if class == objects {
			s.padOf(d, c)
		}
		return left > 0
	}
	for c := at; c >= 0 && note(c); c-- {
	}
	for c := at + 1; c < len(d.nodes) && note(c); c++ {
	}
}

// padOf copies the blank inside the brackets of an object of one line.
func (s *style) padOf(d *Document, at int) {
	s.pad = ""
	if d.src[d.nodes[at].start+1] == ' ' {
		s.pad = " "
	}
}

// class sorts a list that is not empty.
func (d *Document) class(at int) (class int, ok bool) {
	n := d.nodes[at]
	switch {
	case n.kind < Array || n.next == at+1:
		return 0, false
	case n.kind == Object:
		return objects, true
	}
	for c := at + 1; c < n.next; c = d.nodes[c].next {
		if d.nodes[c].kind >= Array {
			return nestedArrays, true
		}
	}
	return plainArrays, true
}

// classOf sorts a value.
func classOf(v Value) int {
	if v.Kind == Object {
		return objects
	}
	for _, item := range v.Items {
		if item.Kind >= Array {
			return nestedArrays
		}
	}
	return plainArrays
}
