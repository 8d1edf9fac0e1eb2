package json5

import (
	"bytes"
	"math"
	"slices"
)

// prove refuses an edit that is not exactly what was asked: the new text must hold the value that model.go computes,
// every byte outside of the edited place must be as it was, no comment may be gone but those that go with what was
// removed, and a plain JSON text must stay one.
func (d *Document) prove(o Operation, after *Document) error {
	refuse := func(reason string) error { return &CheckError{Operation: o.String(), Reason: reason} }
	want, ok := modelApply(d.value(0), o)
	if !ok {
		return refuse("the operation does not fit the old value")
	}
	if !after.value(0).Equal(want) {
		return refuse("the new value is not the asked one")
	}
	if d.strict && !after.strict && o.Verb != Move && !beyondJSON(o.Value) {
		return refuse("the text was plain JSON and would not be any more")
	}
	places, err := d.places(o)
	if err != nil {
		return refuse(err.Error())
	}
	if !untouched(d.src, after.src, places) {
		return refuse("bytes outside of the edit would change")
	}
	return d.commentsKept(o, after, places, refuse)
}

// beyondJSON says whether plain JSON cannot say a value.
func beyondJSON(v Value) bool {
	for _, item := range v.Items {
		if beyondJSON(item) {
			return true
		}
	}
	for _, m := range v.Members {
		if beyondJSON(m.Value) {
			return true
		}
	}
	return v.Kind == Number && (math.IsNaN(v.Number) || math.IsInf(v.Number, 0))
}

// extent is a part of the text within which an operation may change bytes.
type extent struct{ start, end int }

// places gives the extents of an operation on the old text, in order.
func (d *Document) places(o Operation) ([]extent, error) {
	switch o.Verb {
	case Unset:
		n, err := d.Get(o.Path)
		if err != nil {
			return nil, err
		}
		return []extent{d.around(n.at)}, nil
	case Move:
		return d.movePlaces(o)
	}
	at, used, err := d.walk(o.Path)
	if err != nil {
		return nil, err
	}
	n := d.nodes[at]
	kids := d.children(at)
	switch {
	case used == len(o.Path) && o.Verb == Set:
		return []extent{{n.start, n.end}}, nil
	case o.Verb == Insert:
		return []extent{d.between(at, kids, o.Index)}, nil
	}
	return []extent{d.between(at, kids, len(kids))}, nil
}

// between reaches from the end of the child before place k to the beginning of the one behind it.
func (d *Document) between(at int, kids []int, k int) extent {
	e := extent{d.nodes[at].start + 1, d.nodes[at].end - 1}
	if k > 0 {
		e.start = d.nodes[kids[k-1]].end
	}
	if k < len(kids) {
		e.end = d.itemStart(kids[k])
	}
	return e
}

// around reaches from the sibling before a node to the one behind it.
func (d *Document) around(at int) extent {
	parent := d.nodes[at].parent
	kids, k := d.children(parent), d.position(at)
	e := d.between(parent, kids, k)
	e.end = d.between(parent, kids, k+1).end
	return e
}

func (d *Document) movePlaces(o Operation) ([]extent, error) {
	n, err := d.Get(o.Path)
	if err != nil {
		return nil, err
	}
	into, err := d.Get(o.To[:len(o.To)-1])
	if err != nil {
		return nil, err
	}
	source := d.around(n.at)
	target := extent{d.nodes[into.at].start + 1, d.nodes[into.at].end - 1}
	switch {
	case target.start <= source.start && source.end <= target.end:
		return []extent{target}, nil
	case source.start <= target.start && target.end <= source.end:
		return []extent{source}, nil
	case source.start < target.start:
		return []extent{source, target}, nil
	}
	return []extent{target, source}, nil
}

// untouched compares everything outside of the extents: what is before the first, what is behind the last, and what is
// between two.
func untouched(before, after []byte, places []extent) bool {
	first, last := places[0], places[len(places)-1]
	behind := before[last.end:]
	if len(after) < first.start+len(behind) || !bytes.HasPrefix(after, before[:first.start]) || !bytes.HasSuffix(after, behind) {
		return false
	}
	if len(places) == 1 {
		return true
	}
	middle := before[first.end:last.start]
	return bytes.Contains(after[first.start:len(after)-len(behind)], middle)
}

// commentsKept compares the comments of both texts. Setting a value may drop those within the old value, removing those
// around the item; adding and moving may drop none.
func (d *Document) commentsKept(o Operation, after *Document, places []extent, refuse func(string) error) error {
	spans := d.commentSpans()
	was, is := d.texts(spans), after.texts(after.commentSpans())
	if o.Verb == Move {
		if !slices.Equal(slices.Sorted(slices.Values(was)), slices.Sorted(slices.Values(is))) {
			return refuse("a comment would be lost")
		}
		return nil
	}
	before, behind := countBefore(spans, places[0].start), len(was)-countBefore(spans, places[0].end)
	if before+behind > len(is) {
		return refuse("a comment would be lost")
	}
	inWas, inIs := was[before:len(was)-behind], is[before:len(is)-behind]
	if !slices.Equal(was[:before], is[:before]) || !slices.Equal(was[len(was)-behind:], is[len(is)-behind:]) {
		return refuse("a comment would change")
	}
	mayGo := o.Verb == Unset || o.Verb == Set
	if mayGo {
		_, err := d.Get(o.Path) // where there was nothing yet, nothing may go
		mayGo = err == nil
	}
	if mayGo && subsequence(inIs, inWas) || slices.Equal(inIs, inWas) {
		return nil
	}
	return refuse("a comment would be lost")
}

// subsequence says whether some is what is left of all when elements are dropped.
func subsequence(some, all []string) bool {
	i := 0
	for _, text := range all {
		if i < len(some) && some[i] == text {
			i++
		}
	}
	return i == len(some)
}

// countBefore counts the comments that begin before an offset.
func countBefore(spans []trivia, offset int) int {
	count := 0
	for _, at := range spans {
		if at.start < offset {
			count++
		}
	}
	return count
}

// texts lists what the comments say.
func (d *Document) texts(spans []trivia) []string {
	list := make([]string, 0, len(spans))
	for _, c := range spans {
		list = append(list, string(d.src[c.start:c.end]))
	}
	return list
}

// commentSpans finds all comments of the text.
func (d *Document) commentSpans() []trivia {
	var list []trivia
	for i := 0; i < len(d.src); {
		switch d.src[i] {
		case '"', '\'':
			i = d.stringEnd(i)
		case '/':
			t := trivia{lineComment, i, 0}
			if t.end = lineCommentEnd(d.src, i); d.src[i+1] == '*' {
				t = trivia{blockComment, i, blockCommentEnd(d.src, i)}
			}
			list = append(list, t)
			i = t.end
		default:
			i++
		}
	}
	return list
}
