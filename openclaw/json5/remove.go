package json5

// remove takes item k out of a container, with the comments that belong to it and the comma.
func (d *Document) remove(at, k int) []splice {
	b := d.open(at)
	h, t := b.head(k), b.tail(k)
	switch {
	case len(b.kids) == 1 && b.bare(h, t):
		return []splice{{b.opening() + 1, b.closing(), ""}}
	case b.commaLater(k), k > 0 && b.commaLater(k-1):
		return b.removeWithLeadingComma(k, h, t)
	case h.own && t.closed:
		return b.withPreviousComma(k, b.removeLines(h, t))
	case h.own:
		return []splice{{h.inline, d.blanks(b.nodes[b.kids[k]].comma + 1), ""}}
	case k == 0:
		return b.removeFirst(h, t)
	}
	return b.removeInline(k, t)
}

// bare says whether nothing but white space is left in the container once its only item has gone.
func (b box) bare(h head, t tail) bool {
	rest := append(pieces(b.src, b.opening()+1, h.start), pieces(b.src, t.end, b.closing())...)
	for _, p := range rest {
		if p.comment() {
			return false
		}
	}
	return true
}

// withPreviousComma adds the removal of the comma before the last item where the container ends without one.
func (b box) withPreviousComma(k int, s splice) []splice {
	if k == 0 || k < len(b.kids)-1 || b.nodes[b.kids[k]].comma >= 0 {
		return []splice{s}
	}
	comma := b.nodes[b.kids[k-1]].comma
	return []splice{{comma, comma + 1, ""}, s}
}

// removeLines takes whole lines: from the beginning of the first comment above to the end of the item's line.
func (b box) removeLines(h head, t tail) splice {
	end := b.blanks(t.end)
	width := breakWidth(b.src, end)
	if width == 0 { // the closing bracket follows in the same line
		if h.after {
			return splice{h.line, end, b.lineIndent(b.opening())}
		}
		return splice{h.brk, t.end, ""}
	}
	return b.oneBlankLine(splice{h.line, end + width, ""})
}

// oneBlankLine lets a removal between two blank lines take one of them along, and a removal at an end of the container
// the blank line that would then stand beside the bracket.
func (b box) oneBlankLine(s splice) splice {
	before := s.start - 1
	if before >= 0 && b.src[before] == '\n' && before > 0 && b.src[before-1] == '\r' {
		before--
	}
	blankBefore := before >= 0 && b.blankLineEndsAt(before)
	next := b.blanks(s.end)
	if width := breakWidth(b.src, next); width > 0 && (blankBefore || b.onlyBracketBefore(before)) {
		s.end = next + width
	} else if next == b.closing() && blankBefore {
		s.start = before
		for s.start > 0 && (b.src[s.start-1] == ' ' || b.src[s.start-1] == '\t') {
			s.start--
		}
	}
	return s
}

// blankLineEndsAt says whether the line whose break is at i holds nothing but blanks.
func (d *Document) blankLineEndsAt(i int) bool {
	for i--; i >= 0 && (d.src[i] == ' ' || d.src[i] == '\t'); i-- {
	}
	return i >= 0 && (d.src[i] == '\n' || d.src[i] == '\r')
}

// onlyBracketBefore says whether the container's opening bracket ends the line whose break is at i.
func (b box) onlyBracketBefore(i int) bool {
	return i > b.opening() && b.blanks(b.opening()+1) == i
}

// removeFirst takes an item that follows the opening bracket in its line.
func (b box) removeFirst(h head, t tail) []splice {
	if !t.closed {
		return []splice{{h.start, b.blanks(b.nodes[b.kids[0]].comma + 1), ""}}
	}
	start := h.start
	if b.blanks(b.opening()+1) == start {
		start = b.opening() + 1
	}
	return []splice{{start, t.end, ""}}
}

// removeInline takes an item that follows another one in its line.
func (b box) removeInline(k int, t tail) []splice {
	before, n := b.nodes[b.kids[k-1]].comma, b.nodes[b.kids[k]]
	end := t.end
	if n.comma < 0 {
		return []splice{{before, max(end, n.end), ""}}
	}
	return []splice{{before + 1, max(end, n.comma+1), ""}}
}

// removeWithLeadingComma takes an item where commas begin lines: with the comma before it, or behind it for the first.
func (b box) removeWithLeadingComma(k int, h head, t tail) []splice {
	n := b.nodes[b.kids[k]]
	if k == 0 {
		list := []splice{{h.start, max(n.end, t.end), ""}}
		gap := splice{n.comma, b.blanks(n.comma + 1), ""}
		for _, p := range pieces(b.src, list[0].end, n.comma) {
			if p.comment() {
				return append(list, gap)
			}
		}
		return []splice{{h.start, gap.end, ""}}
	}
	before := b.nodes[b.kids[k-1]]
	if !b.commaLater(k - 1) {
		return []splice{{h.start, max(n.end, n.comma+1), ""}}
	}
	lead := b.headAt(before.end, before.comma)
	end := max(n.end, t.end)
	if n.comma >= 0 && !b.commaLater(k) { // the comma behind takes the place of the one before
		end = n.end
		return []splice{{before.comma, before.comma + 1, ""}, {h.start, end, ""}}
	}
	next := b.blanks(end)
	switch {
	case !lead.after:
		return []splice{{lead.brk, end, ""}}
	case breakWidth(b.src, next) == 0: // the line break ends somebody else's comment
		return []splice{{lead.start, end, ""}}
	}
	return []splice{{lead.brk, next, ""}} // blanks left behind would become part of that comment
}
