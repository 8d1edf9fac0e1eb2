package json5

import (
	"errors"
	"fmt"
)

// Verb says what an Operation does.
type Verb uint8

// The verbs.
const (
	Set    Verb = iota // put Value at Path, with the objects around it where they are missing
	Unset              // remove what is at Path
	Insert             // put Value before element Index of the array at Path
	Append             // put Value behind the last element of the array at Path, which may be missing
	Move               // take what is at Path to the path To
)

// String names the verb.
func (v Verb) String() string { return [...]string{"set", "unset", "insert", "append", "move"}[v] }

// Operation is one edit.
type Operation struct {
	Verb  Verb
	Path  Path
	To    Path  // Move: where to; its last step is a name not yet there, or the index the element is to have at last
	Index int   // Insert: 0 puts the value first, the array's length puts it last
	Value Value // Set, Insert, Append
}

func (o Operation) String() string {
	if o.Verb == Move {
		return fmt.Sprintf("move %s to %s", o.Path, o.To)
	}
	return fmt.Sprintf("%s %s", o.Verb, o.Path)
}

// Set puts a value at a path. Where the value is there already, the same document is returned.
func (d *Document) Set(path Path, value Value) (*Document, error) {
	return d.Apply(Operation{Verb: Set, Path: path, Value: value})
}

// Unset removes the member or element at a path, with the comments that belong to it.
func (d *Document) Unset(path Path) (*Document, error) {
	return d.Apply(Operation{Verb: Unset, Path: path})
}

// Insert puts a value before the element at index of the array at a path.
func (d *Document) Insert(path Path, index int, value Value) (*Document, error) {
	return d.Apply(Operation{Verb: Insert, Path: path, Index: index, Value: value})
}

// Append puts a value at the end of the array at a path, which is made if it is missing.
func (d *Document) Append(path Path, value Value) (*Document, error) {
	return d.Apply(Operation{Verb: Append, Path: path, Value: value})
}

// Move takes a member or element elsewhere, as it is written and with its comments.
func (d *Document) Move(from, to Path) (*Document, error) {
	return d.Apply(Operation{Verb: Move, Path: from, To: to})
}

// Apply does one operation and proves it. The document itself stays as it is; a new one is returned, or the same one
// where nothing had to change. Errors: *NotFoundError, *DuplicateKeyError, *AmbiguousError, *KindError,
// *OperationError, and *SyntaxError where the result would nest too deeply.
func (d *Document) Apply(o Operation) (*Document, error) {
	if err := writable(o.Value); err != nil {
		return nil, err
	}
	after, err := d.perform(o)
	if err != nil || after == d {
		return after, err
	}
	return after, d.prove(o, after)
}

// perform does the operation without proof.
func (d *Document) perform(o Operation) (*Document, error) {
	switch o.Verb {
	case Set:
		return d.set(o.Path, o.Value)
	case Unset:
		return d.unset(o.Path)
	case Insert:
		return d.insertElement(o)
	case Append:
		return d.appendElement(o)
	case Move:
		return d.move(o.Path, o.To)
	}
	return nil, &OperationError{Reason: "there is no such operation"}
}

// splice makes the new document; the splices are in order and do not overlap.
func (d *Document) splice(list []splice) (*Document, error) {
	size := len(d.src)
	for _, s := range list {
		size += len(s.text)
	}
	out, from := make([]byte, 0, size), 0
	for _, s := range list {
		if s.start < from || s.end < s.start {
			return nil, &CheckError{Operation: "splice", Reason: "two changes overlap"}
		}
		out = append(append(out, d.src[from:s.start]...), s.text...)
		from = s.end
	}
	after, err := Parse(append(out, d.src[from:]...))
	var syntax *SyntaxError
	if errors.As(err, &syntax) && syntax.Reason != tooDeep {
		return nil, &CheckError{Operation: "edit", Reason: "the new text cannot be read: " + err.Error()}
	}
	return after, err
}

func (d *Document) set(path Path, value Value) (*Document, error) {
	at, used, err := d.walk(path)
	if err != nil {
		return nil, err
	}
	if used < len(path) {
		return d.addMember(path, used, at, value)
	}
	if d.value(at).Equal(value) {
		return d, nil
	}
	if after := d.reconcile(Node{d, at}.Path(), value); after != nil && d.prove(Operation{Verb: Set, Path: path, Value: value}, after) == nil {
		return after, nil
	}
	return d.splice([]splice{d.replacement(at, value)})
}

// replacement writes a value in the place of another one.
func (d *Document) replacement(at int, value Value) splice {
	n := d.nodes[at]
	r, p := renderer{Document: d}, place{lines: true}
	if n.parent < 0 {
		r.style = d.styleAt(at)
	} else {
		r.style = d.styleAt(n.parent)
		p.indent = d.lineIndent(d.itemStart(at))
		p.lines = d.open(n.parent).head(d.position(at)).own || d.nodes[at].kind == value.Kind && d.open(at).spread()
	}
	if n.kind == String {
		r.textMark = d.src[n.start]
	}
	return splice{n.start, n.end, r.value(value, p, at)}
}

// addMember adds what is missing of a path: the steps from used on must be names.
func (d *Document) addMember(path Path, used, at int, value Value) (*Document, error) {
	for _, s := range path[used:] {
		if s.kind != nameStep || d.nodes[at].kind != Object {
			return nil, d.missing(path, used, at)
		}
	}
	for i := len(path) - 1; i > used; i-- {
		value = ObjectValue(Member{path[i].name, value})
	}
	count := d.count(at)
	return d.splice(d.insert(at, count, func(r renderer, p place, model int) entry {
		return entry{body: r.member(path[used].name, value, p, r.modelFor(model, value))}
	}))
}

func (d *Document) unset(path Path) (*Document, error) {
	if len(path) == 0 {
		return nil, &OperationError{Reason: "the whole document cannot be removed"}
	}
	n, err := d.Get(path)
	if err != nil {
		return nil, err
	}
	return d.splice(d.remove(d.nodes[n.at].parent, d.position(n.at)))
}

func (d *Document) insertElement(o Operation) (*Document, error) {
	n, err := d.Get(o.Path)
	if err != nil {
		return nil, err
	}
	if n.Kind() != Array {
		return nil, &KindError{Path: o.Path.String(), Want: "an array", Have: n.Kind()}
	}
	if o.Index < 0 || o.Index > n.Len() {
		return nil, &OperationError{o.Path.String(), fmt.Sprintf("there is no place %d in it: it has %d elements", o.Index, n.Len())}
	}
	return d.splice(d.insertValue(n.at, o.Index, o.Value))
}

func (d *Document) insertValue(at, k int, value Value) []splice {
	return d.insert(at, k, func(r renderer, p place, model int) entry {
		return entry{body: r.value(value, p, model)}
	})
}

func (d *Document) appendElement(o Operation) (*Document, error) {
	at, used, err := d.walk(o.Path)
	if err != nil {
		return nil, err
	}
	if used < len(o.Path) {
		return d.addMember(o.Path, used, at, ArrayValue(o.Value))
	}
	if kind := d.nodes[at].kind; kind != Array {
		return nil, &KindError{Path: o.Path.String(), Want: "an array", Have: kind}
	}
	return d.splice(d.insertValue(at, d.count(at), o.Value))
}

// writable refuses values that JSON5 cannot say.
func writable(v Value) error {
	switch v.Kind {
	case String:
		return writableText(v.Text)
	case Number:
		if doc, err := Parse([]byte(v.Text)); v.Text != "" && (err != nil || !doc.value(0).Equal(v)) {
			return &OperationError{Reason: fmt.Sprintf("%q is not how the number %v is written", v.Text, v.Number)}
		}
	}
	for _, item := range v.Items {
		if err := writable(item); err != nil {
			return err
		}
	}
	for _, m := range v.Members {
		if err := writableText(m.Key); err != nil {
			return err
		}
		if err := writable(m.Value); err != nil {
			return err
		}
	}
	return nil
}

// writableText refuses strings that are neither UTF-8 nor lone surrogates as unescape gives them.
func writableText(s string) error {
	if unquote([]byte(quote(s, '"'))) != s {
		return &OperationError{Reason: fmt.Sprintf("the text %q is not UTF-8", s)}
	}
	return nil
}
