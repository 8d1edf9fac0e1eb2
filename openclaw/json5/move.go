package json5

import "strings"

// move takes an item elsewhere: a new name in its object, another place in its array, or another container.
func (d *Document) move(from, to Path) (*Document, error) {
	if len(from) == 0 || len(to) == 0 {
		return nil, &OperationError{Reason: "the whole document cannot be moved, and nothing can take its place"}
	}
	n, err := d.Get(from)
	if err != nil {
		return nil, err
	}
	into, err := d.Get(to[:len(to)-1])
	if err != nil {
		return nil, err
	}
	if into.at >= n.at && into.at < d.nodes[n.at].next {
		return nil, &OperationError{from.String(), "it cannot be moved into itself"}
	}
	last, err := d.target(n, into, to)
	if err != nil {
		return nil, err
	}
	same := into.at == d.nodes[n.at].parent
	switch {
	case same && last.kind == nameStep:
		return d.rename(n.at, last.name)
	case same && last.index == d.position(n.at):
		return d, nil
	}
	return d.carry(n.at, into.at, last)
}

// target checks the last step of the path that something is to be moved to.
func (d *Document) target(n, into Node, to Path) (Step, error) {
	last := to[len(to)-1]
	if into.Kind() == Array && last.kind == nameStep {
		if i, ok := plainIndex(last.name); ok {
			last = Index(i)
		}
	}
	switch {
	case last.kind == nameStep && into.Kind() == Object:
		found := d.named(into.at, last.name)
		if len(found) > 1 || len(found) == 1 && found[0] != n.at {
			return last, &OperationError{to.String(), "there is something already"}
		}
		return last, nil
	case last.kind == indexStep && into.Kind() == Array:
		room := into.Len()
		if d.nodes[n.at].parent == into.at {
			room--
		}
		if last.index > room {
			return last, d.missing(to, len(to)-1, into.at)
		}
		return last, nil
	}
	want := "an object"
	if last.kind != nameStep {
		want = "an array (and the last step an index)"
	}
	return last, &KindError{Path: to[:len(to)-1].String(), Want: want, Have: into.Kind()}
}

// rename changes nothing but a member's key, which keeps its quotes where the new name allows it.
func (d *Document) rename(at int, name string) (*Document, error) {
	if d.key(at) == name {
		return d, nil
	}
	if err := writableText(name); err != nil {
		return nil, err
	}
	n := d.nodes[at]
	r := renderer{d, d.styleAt(n.parent)}
	if r.keyMark = d.quoteOfKey(at); r.keyMark != 0 {
		r.keyQuote = r.keyMark
	}
	return d.splice([]splice{{n.keyStart, n.keyEnd, r.key(name)}})
}

// carry removes the item and writes it again in another container, as it was written.
func (d *Document) carry(at, into int, last Step) (*Document, error) {
	b := d.open(d.nodes[at].parent)
	k := d.position(at)
	cut := d.remove(b.at, k)
	lifted := b.lift(k, cut)
	path := Node{d, into}.Path()
	source := Node{d, at}.Path()
	without, err := d.splice(cut)
	if err != nil {
		return nil, err
	}
	target, err := without.Get(shifted(path, source))
	if err != nil {
		return nil, err
	}
	where := last.index
	if last.kind == nameStep {
		where = target.Len()
	}
	return without.splice(without.insert(target.at, where, func(r renderer, p place, _ int) entry {
		return lifted.entry(r, p, last)
	}))
}

// shifted is the path after an element before it, in an array on it, has gone.
func shifted(path, gone Path) Path {
	i := len(gone) - 1
	if gone[i].kind != indexStep || len(path) <= i || path[i].kind != indexStep || path[i].index <= gone[i].index {
		return path
	}
	for j := range i {
		if path[j].kind != gone[j].kind || path[j].name != gone[j].name || path[j].index != gone[j].index {
			return path
		}
	}
	out := append(Path{}, path...)
	out[i].index--
	return out
}

// lifted is an item taken out of its place.
type lifted struct {
	above  []string
	value  []trivia // the value's pieces: everything but line breaks counts as space here
	src    []byte
	behind string
	open   bool
	indent string
}

// lift copies an item with all comments that its removal, the cut, would take away.
func (b box) lift(k int, cut []splice) lifted {
	n := b.nodes[b.kids[k]]
	l := lifted{src: b.src, indent: b.lineIndent(b.start(k)), value: b.breaks(b.kids[k])}
	var behind []string
	for _, c := range b.commentSpans() {
		text := string(b.src[c.start:c.end])
		switch taken := within(c, cut); {
		case taken && c.start < n.start:
			l.above = append(l.above, text)
		case taken && c.start >= n.end:
			behind = append(behind, text)
		}
	}
	for i := len(behind) - 2; i >= 0; i-- {
		if strings.HasPrefix(behind[i], "//") { // nothing can follow it in its line
			l.above, behind = append(l.above, behind[:i+1]...), behind[i+1:]
			break
		}
	}
	l.behind = strings.Join(behind, " ")
	l.open = len(behind) > 0 && strings.HasPrefix(behind[len(behind)-1], "//")
	return l
}

// within says whether a comment lies in one of the splices.
func within(c trivia, list []splice) bool {
	for _, s := range list {
		if s.start <= c.start && c.end <= s.end {
			return true
		}
	}
	return false
}

// breaks cuts a value into pieces that end before the indentation of each of its lines. Line breaks within strings and
// comments are no place to cut.
func (d *Document) breaks(at int) []trivia {
	n := d.nodes[at]
	list := []trivia{{start: n.start, end: n.end}}
	for i := n.start; i < n.end; {
		switch c := d.src[i]; {
		case c == '"' || c == '\'':
			i = d.stringEnd(i)
		case c == '/' && d.src[i+1] == '/':
			i = lineCommentEnd(d.src, i)
		case c == '/':
			i = blockCommentEnd(d.src, i)
		case breakWidth(d.src, i) > 0:
			i += breakWidth(d.src, i)
			list[len(list)-1].end = i
			list = append(list, trivia{start: i, end: n.end})
		default:
			i++
		}
	}
	return list
}

// stringEnd is the end of the string that begins at i.
func (d *Document) stringEnd(i int) int {
	mark := d.src[i]
	for i++; d.src[i] != mark; i++ {
		if d.src[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// entry writes the lifted item for its new place: its lines get the indentation of that place instead of the old one.
func (l lifted) entry(r renderer, p place, last Step) entry {
	var body strings.Builder
	if last.kind == nameStep {
		body.WriteString(r.key(last.name) + r.colon)
	}
	for i, piece := range l.value {
		line := string(l.src[piece.start:piece.end])
		if rest, ok := strings.CutPrefix(line, l.indent); i > 0 && ok {
			line = p.indent + rest
		}
		body.WriteString(line)
	}
	return entry{above: l.above, body: body.String(), behind: l.behind, open: l.open}
}
