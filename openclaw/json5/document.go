// Package json5 edits JSON5 texts without touching a byte that it was not asked to touch.
//
// A Document is the text as it stands plus the offsets of its values; nothing is ever printed again from a tree. An edit
// is a handful of splices, written in the style of its neighbours, and each one is proved before it is handed out: the
// asked change is applied to the old value by code of its own, the new text is read again, and both must be equal, as
// must all bytes outside of the edit (see check.go). What cannot be proved is refused.
//
// The grammar is that of npm json5@2.2.3, quirks included. Texts that are not UTF-8 or nest deeper than MaxDepth are
// refused. The package owns no files and knows nothing of OpenClaw.
package json5

import "iter"

// MaxDepth is the deepest nesting of arrays and objects that Parse accepts.
const MaxDepth = 1000

// Kind says what a value is.
type Kind uint8

// The kinds of JSON5 values.
const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

// String names the kind as people say it.
func (k Kind) String() string {
	return [...]string{"null", "boolean", "number", "string", "array", "object"}[k]
}

// node is one value: offsets into the text only. Nodes lie in the order of the text, so the first child of a container
// is the node behind it, and next leads to the following sibling.
type node struct {
	kind     Kind
	keyStart int // the member's key with its quotes; -1 for an array element and the root
	keyEnd   int
	start    int
	end      int
	comma    int // the comma behind the value, -1 without one
	next     int // the first node behind this one's subtree
	parent   int // -1 for the root
}

// Document is a parsed text. It is immutable: edits give a new Document. The text must not be changed by its owner
// while the Document is in use.
type Document struct {
	src    []byte
	nodes  []node
	strict bool
}

// Bytes is the whole text, comments, byte order mark and all. It must not be changed.
func (d *Document) Bytes() []byte { return d.src }

// Strict says whether the text is plain JSON: no comment, no trailing comma, no unquoted key or the like.
func (d *Document) Strict() bool { return d.strict }

// Root is the document's one value.
func (d *Document) Root() Node { return Node{d, 0} }

// Node is one value within a Document.
type Node struct {
	doc *Document
	at  int
}

// Kind says what the value is.
func (n Node) Kind() Kind { return n.doc.nodes[n.at].kind }

// Span is where the value stands: byte offsets, the end exclusive.
func (n Node) Span() (start, end int) { return n.doc.nodes[n.at].start, n.doc.nodes[n.at].end }

// Raw is the value as it is written.
func (n Node) Raw() []byte {
	start, end := n.Span()
	return n.doc.src[start:end]
}

// Line is the line, counted from 1, on which the value begins.
func (n Node) Line() int {
	line, _ := position(n.doc.src, n.doc.nodes[n.at].start)
	return line
}

// Key is the member's name with escapes resolved, and empty for elements and the root.
func (n Node) Key() string { return n.doc.key(n.at) }

// Value reads the value with everything in it.
func (n Node) Value() Value { return n.doc.value(n.at) }

// Text is the content of a string; ok is false for any other kind.
func (n Node) Text() (text string, ok bool) {
	if n.Kind() != String {
		return "", false
	}
	return unquote(n.Raw()), true
}

// Len counts the members or elements.
func (n Node) Len() int { return n.doc.count(n.at) }

// Children walks the members or elements in the order of the text, members of the same name included.
func (n Node) Children() iter.Seq[Node] {
	return func(yield func(Node) bool) {
		for _, c := range n.doc.children(n.at) {
			if !yield(Node{n.doc, c}) {
				return
			}
		}
	}
}

// Path leads from the root to the node, by names and indexes only.
func (n Node) Path() Path {
	var reversed []Step
	for at := n.at; n.doc.nodes[at].parent >= 0; at = n.doc.nodes[at].parent {
		if n.doc.nodes[at].keyStart >= 0 {
			reversed = append(reversed, Key(n.doc.key(at)))
			continue
		}
		reversed = append(reversed, Index(n.doc.position(at)))
	}
	path := make(Path, 0, len(reversed))
	for i := len(reversed) - 1; i >= 0; i-- {
		path = append(path, reversed[i])
	}
	return path
}

// children lists the nodes of a container's members or elements.
func (d *Document) children(at int) []int {
	list := make([]int, 0, d.count(at))
	for c := at + 1; c < d.nodes[at].next; c = d.nodes[c].next {
		list = append(list, c)
	}
	return list
}

// position is a node's place among its siblings.
func (d *Document) position(at int) int {
	i := 0
	for c := d.nodes[at].parent + 1; c != at; c = d.nodes[c].next {
		i++
	}
	return i
}

// key is the decoded name of a member, empty for what has none.
func (d *Document) key(at int) string {
	n := d.nodes[at]
	if n.keyStart < 0 {
		return ""
	}
	return decodeKey(d.src[n.keyStart:n.keyEnd])
}

// Document is the text that the node belongs to.
func (n Node) Document() *Document { return n.doc }

// Comments lists where the comments stand: their byte offsets, the end exclusive.
func (d *Document) Comments() [][2]int {
	var list [][2]int
	for i := 0; i < len(d.src); {
		end := i + 1
		switch d.src[i] {
		case '"', '\'':
			end = stringEnd(d.src, i)
		case '/': // outside of strings it begins nothing else
			if end = blockCommentEnd(d.src, i); d.src[i+1] == '/' {
				end = lineCommentEnd(d.src, i)
			}
			list = append(list, [2]int{i, end})
		}
		i = end
	}
	return list
}

// stringEnd is where the string at i ends; it is known to end.
func stringEnd(src []byte, i int) int {
	mark := src[i]
	for i++; src[i] != mark; i++ {
		if src[i] == '\\' {
			i++
		}
	}
	return i + 1
}
