package json5

// splice replaces [start, end) of a text.
type splice struct {
	start, end int
	text       string
}

// box is a container with its items at hand.
type box struct {
	*Document
	at   int
	kids []int
}

func (d *Document) open(at int) box { return box{d, at, d.children(at)} }

// itemStart is where a member's key or an element begins.
func (d *Document) itemStart(at int) int {
	if d.nodes[at].keyStart >= 0 {
		return d.nodes[at].keyStart
	}
	return d.nodes[at].start
}

func (b box) opening() int { return b.nodes[b.at].start }

func (b box) closing() int { return b.nodes[b.at].end - 1 }

// start is where item k begins; for the one behind the last it is the closing bracket.
func (b box) start(k int) int {
	if k == len(b.kids) {
		return b.closing()
	}
	return b.itemStart(b.kids[k])
}

// gapStart is where the white space and comments before item k begin.
func (b box) gapStart(k int) int {
	if k == 0 {
		return b.opening() + 1
	}
	before := b.nodes[b.kids[k-1]]
	if before.comma >= 0 {
		return before.comma + 1
	}
	return before.end
}

// head is what stands before an item and belongs to it: comments on its line and, where the item begins a line, those
// in the lines directly above.
type head struct {
	start  int  // of the first comment that belongs to the item, or of the item
	inline int  // the same without the comments in the lines above
	own    bool // the item begins a line
	line   int  // where the line begins that start is in; only if own
	brk    int  // where the line break before that line begins; only if own
	after  bool // that break ends a // comment of somebody else
}

func (b box) head(k int) head { return b.headAt(b.gapStart(k), b.start(k)) }

// headAt reads the gap [from, to) backwards.
func (d *Document) headAt(from, to int) head {
	gap := pieces(d.src, from, to)
	h := head{start: to, inline: to, line: -1}
	i := len(gap) - 1
	for ; i >= 0 && gap[i].kind != lineBreak; i-- {
		if gap[i].comment() {
			h.start, h.inline = gap[i].start, gap[i].start
		}
	}
	for i >= 0 {
		h.own, h.line, h.brk = true, gap[i].end, gap[i].start
		i--
		first, next := -1, i
		for ; next >= 0 && gap[next].kind != lineBreak; next-- {
			if gap[next].comment() {
				first = next
			}
		}
		h.after = i >= 0 && gap[i].kind == lineComment
		if first < 0 || next < 0 { // a blank line, or a comment that shares its line with what was before
			break
		}
		h.start, i = gap[first].start, next
	}
	return h
}

// tail is what stands behind an item and belongs to it: its comma and the comments of its line.
type tail struct {
	end    int
	closed bool // nothing follows in this line but perhaps the closing bracket
	line   bool // it ends with a // comment
}

// commaLater says whether the comma of item k stands in a later line than its value.
func (b box) commaLater(k int) bool {
	n := b.nodes[b.kids[k]]
	if n.comma < 0 {
		return false
	}
	for _, t := range pieces(b.src, n.end, n.comma) {
		if t.kind == lineBreak {
			return true
		}
	}
	return false
}

func (b box) tail(k int) tail {
	from, limit := b.gapStart(k+1), b.start(k+1)
	if b.commaLater(k) {
		from, limit = b.nodes[b.kids[k]].end, b.nodes[b.kids[k]].comma
	}
	t := tail{end: from}
	for _, p := range pieces(b.src, from, limit) {
		if p.kind == lineBreak {
			t.closed = true
			return t
		}
		if p.comment() {
			t.end, t.line = p.end, p.kind == lineComment
		}
	}
	if k == len(b.kids)-1 {
		t.closed = true
		return t
	}
	return tail{end: from}
}

// spread says whether the container has its items in lines of their own: whether a line break precedes the first one.
func (b box) spread() bool {
	return len(b.kids) > 0 && b.head(0).own
}

// lineIndent is the white space at the beginning of the line that holds an offset.
func (d *Document) lineIndent(offset int) string {
	start := offset
	for start > 0 && !(d.src[start-1] == '\n' || d.src[start-1] == '\r') {
		start--
	}
	if start == 0 && len(d.src) > 2 && string(d.src[:3]) == "\xEF\xBB\xBF" {
		start = 3
	}
	end := start
	for end < offset && (d.src[end] == ' ' || d.src[end] == '\t') {
		end++
	}
	return string(d.src[start:end])
}

// blanks passes over white space that holds no line break.
func (d *Document) blanks(i int) int {
	for i < len(d.src) && breakWidth(d.src, i) == 0 && spaceWidth(d.src, i) > 0 {
		i += spaceWidth(d.src, i)
	}
	return i
}

// newline is the line break used nearest before an offset, else the first one of the text.
func (d *Document) newline(offset int) string {
	for i := offset - 1; i >= 0; i-- {
		if nl := d.breakEnding(i); nl != "" {
			return nl
		}
	}
	for i := offset; i < len(d.src); i++ {
		if d.src[i] == '\n' || d.src[i] == '\r' {
			return string(d.src[i : i+breakWidth(d.src, i)])
		}
	}
	return "\n"
}

// breakEnding is the line break whose last byte is at i, empty if there is none.
func (d *Document) breakEnding(i int) string {
	switch {
	case d.src[i] == '\n' && i > 0 && d.src[i-1] == '\r':
		return "\r\n"
	case d.src[i] == '\n':
		return "\n"
	case d.src[i] == '\r' && (i+1 == len(d.src) || d.src[i+1] != '\n'):
		return "\r"
	}
	return ""
}
