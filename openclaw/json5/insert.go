package json5

import "strings"

// entry is an item as it is to be written: the comments in the lines above, the item, and the comments behind it.
type entry struct {
	above  []string
	body   string
	behind string
	open   bool // what is behind ends with a // comment
}

// plain says whether the entry fits into a line with others.
func (e entry) plain() bool { return len(e.above) == 0 && !e.open }

// text joins the entry, with a comma behind the item where asked.
func (e entry) text(nl, indent string, comma bool) string {
	var out strings.Builder
	for _, line := range e.above {
		out.WriteString(line + nl + indent)
	}
	out.WriteString(e.body)
	if comma {
		out.WriteByte(',')
	}
	if e.behind != "" {
		out.WriteString(" " + e.behind)
	}
	return out.String()
}

// insertion gathers what is known about the place between two items of a container.
type insertion struct {
	box
	style
	k      int // the place: before item k
	sample int // the item whose layout is copied
	place
}

// insert writes an entry before item k of a container; write makes it once the place is known.
func (d *Document) insert(at, k int, write func(r renderer, p place, model int) entry) []splice {
	in := insertion{box: d.open(at), style: d.styleAt(at), k: k, sample: max(0, k-1)}
	if len(in.kids) == 0 {
		return in.intoEmpty(write)
	}
	h := in.head(in.sample)
	comma := in.leadingComma()
	in.place = place{d.lineIndent(in.start(in.sample)), h.own || comma >= 0}
	e := write(renderer{d, in.style}, in.place, in.kids[in.sample])
	switch {
	case comma >= 0:
		return in.beforeComma(comma, e)
	case k == 0:
		return in.beforeFirst(h, e)
	case in.nodes[in.kids[k-1]].comma >= 0:
		return in.behindComma(h, e)
	}
	return in.behindLast(h, e)
}

// separator stands between an item and its comma's next one: a line break with indentation, or the blank of a line.
func (in insertion) separator(own bool) string {
	if own {
		return in.nl + in.indent
	}
	if len(in.kids) > 1 {
		from := in.nodes[in.kids[0]].comma + 1
		if between := in.src[from:in.start(1)]; len(strings.Trim(string(between), " \t")) == 0 {
			return string(between)
		}
		return " "
	}
	return strings.TrimPrefix(in.style.comma, ",")
}

// beforeFirst puts the entry before the first item and the comments that belong to that one.
func (in insertion) beforeFirst(h head, e entry) []splice {
	at := h.start
	sep := in.separator(h.own)
	if !h.own && !e.plain() {
		sep = in.nl + in.indent
	}
	return []splice{{at, at, e.text(in.nl, in.indent, true) + sep}}
}

// behindComma puts the entry behind the comma of the item before, and the comments of that one's line.
func (in insertion) behindComma(h head, e entry) []splice {
	t := in.tail(in.k - 1)
	own := h.own || t.line || !e.plain()
	text := in.separator(own) + e.text(in.nl, in.indent, true)
	return []splice{in.put(t.end, text, e)}
}

// behindLast puts the entry behind an item that has no comma, and the comma where it belongs.
func (in insertion) behindLast(h head, e entry) []splice {
	t := in.tail(in.k - 1)
	end := in.nodes[in.kids[in.k-1]].end
	own := h.own || t.line || !e.plain()
	text := in.separator(own) + e.text(in.nl, in.indent, false)
	if own && t.end > end {
		return []splice{{end, end, ","}, in.put(t.end, text, e)}
	}
	return []splice{in.put(t.end, ","+text, e)}
}

// put writes text at an offset. Where the entry ends with a // comment, nothing of what follows may become part of it.
func (in insertion) put(at int, text string, e entry) splice {
	if !e.open {
		return splice{at, at, text}
	}
	next := in.blanks(at)
	if next < len(in.src) && breakWidth(in.src, next) > 0 {
		return splice{at, next, text}
	}
	return splice{at, at, text + in.nl + in.indent}
}

// leadingComma finds the comma of the item before the place, or of the one before that where it has none, if it begins
// a line; -1 where the commas stand behind their items.
func (in insertion) leadingComma() int {
	k := in.sample
	if in.nodes[in.kids[k]].comma < 0 {
		k--
	}
	if k >= 0 && in.commaLater(k) {
		return in.nodes[in.kids[k]].comma
	}
	return -1
}

// beforeComma writes the entry in the style that begins lines with commas.
func (in insertion) beforeComma(comma int, e entry) []splice {
	blank := string(in.src[comma+1 : in.blanks(comma+1)])
	lead := in.nl + in.lineIndent(comma) + ","
	if in.k == 0 {
		at := in.head(0).start
		return []splice{{at, at, e.text(in.nl, in.indent, false) + lead + blank}}
	}
	return []splice{in.put(in.tail(in.k-1).end, lead+blank+e.text(in.nl, in.indent, false), e)}
}

// intoEmpty writes the only item of a container that has none, but may hold comments.
func (in insertion) intoEmpty(write func(r renderer, p place, model int) entry) []splice {
	open, closing := in.opening()+1, in.closing()
	gap := pieces(in.src, open, closing)
	base := in.lineIndent(in.opening())
	in.place = place{base + in.unit, true}
	e := write(renderer{in.Document, in.style}, in.place, -1)
	comments, broken := false, false
	for _, t := range gap {
		comments, broken = comments || t.comment(), broken || t.kind == lineBreak
	}
	comma := in.trailing
	if comments {
		return in.besideComments(gap, base, e)
	}
	if !broken && e.plain() && !in.spreadsOut(e) {
		e = write(renderer{in.Document, in.style}, place{base, false}, -1)
		pad := ""
		if in.nodes[in.at].kind == Object {
			pad = in.pad
		}
		return []splice{{open, closing, pad + e.text(in.nl, base, false) + pad}}
	}
	return []splice{{open, closing, in.nl + in.indent + e.text(in.nl, in.indent, comma) + in.nl + base}}
}

// spreadsOut decides for an empty container without comments whether its first item gets a line of its own.
func (in insertion) spreadsOut(e entry) bool {
	parent := in.nodes[in.at].parent
	if parent >= 0 {
		outer := in.open(parent)
		if h := outer.head(in.position(in.at)); !h.own && !outer.spread() {
			return false
		}
	}
	class := objects
	if in.nodes[in.at].kind == Array {
		class = plainArrays
		if e.body[0] == '{' || e.body[0] == '[' {
			class = nestedArrays
		}
	}
	switch in.habit[class] {
	case habitInline:
		return len(in.indent)+len(e.body) > longestLine
	case habitLines:
		return true
	}
	return class != plainArrays
}

// besideComments writes the first item into a container that holds comments: behind those in the line of the opening
// bracket, which speak of the container, and before those in lines of their own, so that a later removal of the item
// does not take them along.
func (in insertion) besideComments(gap []trivia, base string, e entry) []splice {
	at, indent, broken := in.opening()+1, in.indent, false
	for i, t := range gap {
		if t.comment() && !broken {
			at = t.end
		}
		if t.comment() && broken {
			if i > 0 && gap[i-1].kind == space {
				indent = in.lineIndent(t.start)
			}
			break
		}
		broken = broken || t.kind == lineBreak
	}
	text, next := in.nl+indent+e.text(in.nl, indent, in.trailing), in.blanks(at)
	if breakWidth(in.src, next) == 0 {
		return []splice{{at, next, text + in.nl + base}}
	}
	return []splice{in.put(at, text, e)}
}
