package json5

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// value reads a node and what is in it.
func (d *Document) value(at int) Value {
	if d.nodes[at].next == at+1 {
		return decoder{d, string(d.src[d.nodes[at].start:d.nodes[at].end]), d.nodes[at].start}.value(at)
	}
	return decoder{d, string(d.src), 0}.value(at)
}

// decoder reads values out of one copy of the text, so that strings without escapes cost nothing.
type decoder struct {
	*Document
	text string
	base int // the offset at which text begins
}

func (d decoder) raw(start, end int) string { return d.text[start-d.base : end-d.base] }

func (d decoder) value(at int) Value {
	n := &d.nodes[at]
	v := Value{Kind: n.kind}
	switch n.kind {
	case Bool:
		v.Bool = d.src[n.start] == 't'
	case Number:
		v.Text = d.raw(n.start, n.end)
		v.Number = decodeNumber(v.Text)
	case String:
		v.Text = d.content(n.start, n.end)
	case Array:
		v.Items = make([]Value, 0, d.count(at))
		for c := at + 1; c < n.next; c = d.nodes[c].next {
			v.Items = append(v.Items, d.value(c))
		}
	case Object:
		v.Members = make([]Member, 0, d.count(at))
		for c := at + 1; c < n.next; c = d.nodes[c].next {
			v.Members = append(v.Members, Member{d.name(c), d.value(c)})
		}
	}
	return v
}

// count is the number of a container's members or elements.
func (d *Document) count(at int) int {
	n := 0
	for c := at + 1; c < d.nodes[at].next; c = d.nodes[c].next {
		n++
	}
	return n
}

// content is what stands between quotes.
func (d decoder) content(start, end int) string {
	inner := d.raw(start+1, end-1)
	if strings.IndexByte(inner, '\\') < 0 {
		return inner
	}
	return unescape([]byte(inner))
}

func (d decoder) name(at int) string {
	start, end := d.nodes[at].keyStart, d.nodes[at].keyEnd
	if d.src[start] == '"' || d.src[start] == '\'' {
		return d.content(start, end)
	}
	if name := d.raw(start, end); strings.IndexByte(name, '\\') < 0 {
		return name
	}
	return d.key(at)
}

// decodeNumber gives the value of a number that the parser has accepted.
func decodeNumber(text string) float64 {
	body, negative := text, strings.HasPrefix(text, "-")
	if negative || strings.HasPrefix(text, "+") {
		body = text[1:]
	}
	var f float64
	switch {
	case body == "Infinity":
		f = math.Inf(1)
	case body == "NaN":
		return math.NaN()
	case len(body) > 1 && body[1]|0x20 == 'x':
		f, _ = strconv.ParseFloat(body+"p0", 64) // the only error left is overflow, which gives Infinity as it should
	default:
		f, _ = strconv.ParseFloat(body, 64)
	}
	if negative {
		return math.Copysign(f, -1)
	}
	return f
}

// decodeKey resolves a member's name, quoted or not.
func decodeKey(raw []byte) string {
	if raw[0] == '"' || raw[0] == '\'' {
		return unquote(raw)
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw)
	}
	return unescape(raw)
}

// unquote gives the content of a string that the parser has accepted.
func unquote(raw []byte) string {
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return string(inner)
	}
	return unescape(inner)
}

func unescape(raw []byte) string {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); {
		if raw[i] != '\\' {
			out = append(out, raw[i])
			i++
			continue
		}
		i++
		if width := breakWidth(raw, i); width > 0 {
			i += width
			continue
		}
		switch c := raw[i]; c {
		case 'u':
			out = appendUnit(out, hexRune(string(raw[i+1:i+5])))
			i += 5
		case 'x':
			out = appendUnit(out, hexRune(string(raw[i+1:i+3])))
			i += 3
		default:
			out = append(out, simpleEscape(c))
			i++
		}
	}
	return string(out)
}

// simpleEscape is what a backslash makes of one byte; the first byte of a longer character stands for itself.
func simpleEscape(c byte) byte {
	if i := strings.IndexByte("bfnrtv0", c); i >= 0 {
		return "\b\f\n\r\t\v\x00"[i]
	}
	return c
}

// appendUnit adds one UTF-16 code unit, and makes one character of two surrogate halves that meet.
func appendUnit(out []byte, unit rune) []byte {
	if !utf16.IsSurrogate(unit) {
		return utf8.AppendRune(out, unit)
	}
	if n := len(out); unit >= 0xDC00 && n >= 3 && out[n-3] == 0xED && out[n-2] >= 0xA0 && out[n-2] < 0xB0 {
		high := 0xD000 | rune(out[n-2]&0x3F)<<6 | rune(out[n-1]&0x3F)
		return utf8.AppendRune(out[:n-3], utf16.DecodeRune(high, unit))
	}
	return append(out, 0xE0|byte(unit>>12), 0x80|byte(unit>>6&0x3F), 0x80|byte(unit&0x3F))
}

// quote writes a string between the given quotes, plain JSON where those are double. Characters that cannot be seen, or
// that turn the direction of the text around them, are escaped.
func quote(text string, mark byte) string {
	out := make([]byte, 0, len(text)+2)
	out = append(out, mark)
	for i := 0; i < len(text); {
		r, width := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && width == 1:
			unit, n := surrogateAt(text, i)
			out, width = appendHex(out, unit), n
		case r == rune(mark) || r == '\\':
			out = append(out, '\\', byte(r))
		case strings.ContainsRune("\b\f\n\r\t", r):
			out = append(out, '\\', "btn.fr"[r-'\b'])
		case hidden(r):
			out = appendHex(out, r)
		default:
			out = append(out, text[i:i+width]...)
		}
		i += width
	}
	return string(append(out, mark))
}

// surrogateAt reads half a surrogate pair; any other byte that is not UTF-8 becomes U+FFFD.
func surrogateAt(text string, i int) (unit rune, width int) {
	if i+2 < len(text) && text[i] == 0xED && text[i+1] >= 0xA0 && text[i+1] <= 0xBF && text[i+2]&0xC0 == 0x80 {
		return 0xD000 | rune(text[i+1]&0x3F)<<6 | rune(text[i+2]&0x3F), 3
	}
	return utf8.RuneError, 1
}

func appendHex(out []byte, unit rune) []byte {
	const digits = "0123456789abcdef"
	return append(out, '\\', 'u', digits[unit>>12&15], digits[unit>>8&15], digits[unit>>4&15], digits[unit&15])
}

// hidden names the characters that are escaped in what this package writes.
func hidden(r rune) bool {
	return r < 0x20 || r >= 0x7F && r < 0xA0 || r == 0xFEFF ||
		r == 0x2028 || r == 0x2029 || r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069
}
