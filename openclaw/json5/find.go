package json5

import (
	"bytes"
	"strconv"
	"strings"
)

// Get finds the one value at a path. Errors: *NotFoundError, *DuplicateKeyError, *AmbiguousError, *KindError.
func (d *Document) Get(path Path) (Node, error) {
	at, used, err := d.walk(path)
	if err != nil {
		return Node{}, err
	}
	if used < len(path) {
		return Node{}, d.missing(path, used, at)
	}
	return Node{d, at}, nil
}

// walk goes along the path as far as it exists: at is the last value reached, used the number of steps taken.
func (d *Document) walk(path Path) (at, used int, err error) {
	for ; used < len(path); used++ {
		next, err := d.follow(path, used, at)
		if err != nil {
			return at, used, err
		}
		if next < 0 {
			return at, used, nil
		}
		at = next
	}
	return at, used, nil
}

// follow takes the path's step number i from a value; next is -1 where there is nothing.
func (d *Document) follow(path Path, i, at int) (next int, err error) {
	step, kind := path[i], d.nodes[at].kind
	if step.kind == nameStep && kind == Array {
		index, ok := plainIndex(step.name)
		if !ok {
			return -1, &KindError{Path: path[:i].String(), Want: "an object (elements are reached by [0] or [id=...])", Have: kind}
		}
		step = Index(index)
	}
	switch {
	case step.kind == nameStep && kind != Object:
		return -1, &KindError{Path: path[:i].String(), Want: "an object", Have: kind}
	case step.kind != nameStep && kind != Array:
		return -1, &KindError{Path: path[:i].String(), Want: "an array", Have: kind}
	case step.kind == nameStep:
		return d.member(path[:i+1], at)
	case step.kind == indexStep:
		return d.element(at, step.index), nil
	}
	return d.match(path[:i+1], at)
}

// plainIndex reads a bare name as an index, for paths such as list.0.
func plainIndex(name string) (int, bool) {
	i, err := strconv.Atoi(name)
	return i, err == nil && strings.Trim(name, "0123456789") == ""
}

// member finds the one member with the name of the path's last step.
func (d *Document) member(path Path, at int) (int, error) {
	found := d.named(at, path[len(path)-1].name)
	switch len(found) {
	case 0:
		return -1, nil
	case 1:
		return found[0], nil
	}
	return -1, &DuplicateKeyError{Path: path.String(), Key: path[len(path)-1].name, Lines: d.lines(found)}
}

// named lists the members of that name.
func (d *Document) named(at int, name string) []int {
	var found []int
	for c := at + 1; c < d.nodes[at].next; c = d.nodes[c].next {
		if d.keyIs(c, name) {
			found = append(found, c)
		}
	}
	return found
}

// keyIs compares a member's name without decoding it where it has no escapes.
func (d *Document) keyIs(at int, name string) bool {
	raw := d.src[d.nodes[at].keyStart:d.nodes[at].keyEnd]
	if raw[0] == '"' || raw[0] == '\'' {
		raw = raw[1 : len(raw)-1]
	}
	return string(raw) == name || bytes.IndexByte(raw, '\\') >= 0 && d.key(at) == name
}

func (d *Document) lines(nodes []int) []int {
	list := make([]int, len(nodes))
	for i, at := range nodes {
		start := d.nodes[at].start
		if d.nodes[at].keyStart >= 0 {
			start = d.nodes[at].keyStart
		}
		list[i], _ = position(d.src, start)
	}
	return list
}

// element is the child at an index, -1 where there is none.
func (d *Document) element(at, index int) int {
	i := 0
	for c := at + 1; c < d.nodes[at].next; c = d.nodes[c].next {
		if i == index {
			return c
		}
		i++
	}
	return -1
}

// match finds the one element that the selector at the end of the path means.
func (d *Document) match(path Path, at int) (int, error) {
	step := path[len(path)-1]
	var found []int
	for c := at + 1; c < d.nodes[at].next; c = d.nodes[c].next {
		fields := d.fields(c, step.field)
		for _, f := range fields {
			if !d.meant(f, step) {
				continue
			}
			if len(fields) > 1 {
				return -1, &DuplicateKeyError{Path: path.String(), Key: strings.Join(step.field, "."), Lines: d.lines(fields)}
			}
			found = append(found, c)
		}
	}
	switch len(found) {
	case 0:
		return -1, nil
	case 1:
		return found[0], nil
	}
	return -1, &AmbiguousError{Path: path[:len(path)-1].String(), Selector: step.String(), Lines: d.lines(found)}
}

// fields lists the values to which a chain of names leads, more than one where names are there twice.
func (d *Document) fields(at int, names []string) []int {
	if len(names) == 1 && d.nodes[at].kind == Object {
		return d.named(at, names[0])
	}
	list := []int{at}
	for _, name := range names {
		var next []int
		for _, c := range list {
			if d.nodes[c].kind == Object {
				next = append(next, d.named(c, name)...)
			}
		}
		list = next
	}
	return list
}

// meant says whether a value is what a selector wants.
func (d *Document) meant(at int, step Step) bool {
	switch d.nodes[at].kind {
	case Array, Object:
		return false
	case String:
		return unquote(d.src[d.nodes[at].start:d.nodes[at].end]) == step.want
	}
	return !step.exact && ParseValue(step.want).Equal(d.value(at))
}

// missing builds the error for a step that leads nowhere.
func (d *Document) missing(path Path, i, at int) error {
	e := &NotFoundError{Path: path.String(), Within: path[:i].String()}
	switch step := path[i]; step.kind {
	case nameStep:
		e.Missing = "key " + strconv.Quote(step.name)
		e.Nearest = Nearest(step.name, d.keys(at))
	case indexStep:
		e.Missing = "element " + step.String() + " (it has " + strconv.Itoa(d.count(at)) + ")"
	case matchStep:
		e.Missing = "element " + step.String()
		e.Nearest = Nearest(step.want, d.candidates(at, step.field))
	}
	return e
}

// keys lists the names of an object's members.
func (d *Document) keys(at int) []string {
	var list []string
	if d.nodes[at].kind == Object {
		for _, c := range d.children(at) {
			list = append(list, d.key(c))
		}
	}
	return list
}

// candidates lists the strings that a selector by this field could want.
func (d *Document) candidates(at int, field []string) []string {
	var list []string
	for _, c := range d.children(at) {
		for _, f := range d.fields(c, field) {
			if d.nodes[f].kind == String {
				list = append(list, Node{d, f}.Value().Text)
			}
		}
	}
	return list
}
