package json5

import (
	"strconv"
	"strings"
)

// Path leads from the root of a document to a value.
type Path []Step

// Step is one step of a Path: a name, an index, or a selector.
type Step struct {
	kind  stepKind
	name  string   // nameStep
	index int      // indexStep
	field []string // matchStep: names that lead from the element to the value compared
	want  string   // matchStep
	exact bool     // matchStep: only a string may match
}

type stepKind uint8

const (
	nameStep stepKind = iota
	indexStep
	matchStep
)

// Key is a step to the member of that name.
func Key(name string) Step { return Step{kind: nameStep, name: name} }

// Index is a step to the element at that place, counted from 0.
func Index(i int) Step { return Step{kind: indexStep, index: i} }

// Match is a step to the one element, an object, in which the string under field equals want.
func Match(want string, field ...string) Step {
	return Step{kind: matchStep, field: field, want: want, exact: true}
}

// ParsePath reads a path as people write it: names between dots, `["odd.name"]`, `[0]`, and `[id=mox]` for the one
// element whose member id is mox; the part before the = may be a path of names, as in `[match.peer.id="!room:host"]`.
// An empty text is the whole document. The error is a *PathError.
func ParsePath(text string) (Path, error) {
	r := &pathReader{text: text}
	var path Path
	for r.pos < len(text) {
		step, err := r.step(len(path) == 0)
		if err != nil {
			return nil, err
		}
		path = append(path, step)
	}
	return path, nil
}

// String writes the path so that ParsePath reads it again.
func (p Path) String() string {
	var out strings.Builder
	for i, s := range p {
		if s.kind == nameStep && bareName(s.name) {
			if i > 0 {
				out.WriteByte('.')
			}
			out.WriteString(s.name)
			continue
		}
		out.WriteString(s.String())
	}
	return out.String()
}

// String writes one step: a bare name, or what stands between brackets with these.
func (s Step) String() string {
	switch s.kind {
	case indexStep:
		return "[" + strconv.Itoa(s.index) + "]"
	case matchStep:
		names := make(Path, len(s.field))
		for i, f := range s.field {
			names[i] = Key(f)
		}
		want := s.want
		if s.exact && (!bareName(want) || ParseValue(want).Kind != String) || !bareName(want) {
			want = quote(want, '"')
		}
		return "[" + names.String() + "=" + want + "]"
	}
	if bareName(s.name) {
		return s.name
	}
	return "[" + quote(s.name, '"') + "]"
}

// Then is the path with further steps; p itself stays as it is.
func (p Path) Then(steps ...Step) Path {
	return append(p[:len(p):len(p)], steps...)
}

// bareName says whether a name needs no brackets and quotes in a path.
func bareName(name string) bool {
	for _, r := range name {
		if strings.ContainsRune(".[]=\"'\\", r) || r <= ' ' || hidden(r) || spaceWidth([]byte(string(r)), 0) > 0 {
			return false
		}
	}
	return name != "" && invalidUTF8([]byte(name)) < 0
}

type pathReader struct {
	text string
	pos  int
}

func (r *pathReader) fail(reason string) error { return &PathError{Path: r.text, Reason: reason} }

func (r *pathReader) step(first bool) (Step, error) {
	switch {
	case r.text[r.pos] == '[':
		return r.bracket()
	case r.text[r.pos] == '.' && !first:
		if r.pos++; r.pos < len(r.text) && r.text[r.pos] == '[' {
			return Step{}, r.fail("a dot before a bracket is one too many")
		}
	case !first:
		return Step{}, r.fail("a dot is missing behind a bracket")
	}
	name, err := r.name()
	return Key(name), err
}

// name reads a bare name.
func (r *pathReader) name() (string, error) {
	start := r.pos
	for r.pos < len(r.text) && !strings.ContainsRune(".[]=\"'", rune(r.text[r.pos])) {
		r.pos++
	}
	name := r.text[start:r.pos]
	switch {
	case name == "":
		return "", r.fail("a name is missing in it")
	case !bareName(name):
		return "", r.fail(`a name with blanks or odd characters is written ["like this"]`)
	}
	return name, nil
}

// quoted reads a string between quotes.
func (r *pathReader) quoted() (string, error) {
	p := &parser{src: []byte(r.text), pos: r.pos}
	if err := p.quoted(); err != nil {
		return "", r.fail("a quoted name in it is not closed or not valid")
	}
	raw := r.text[r.pos:p.pos]
	r.pos = p.pos
	return unquote([]byte(raw)), nil
}

func (r *pathReader) quoteAhead() bool {
	return r.pos < len(r.text) && (r.text[r.pos] == '"' || r.text[r.pos] == '\'')
}

// bracket reads an index, a quoted name or a selector.
func (r *pathReader) bracket() (Step, error) {
	r.pos++
	if step, ok := r.number(); ok {
		return step, nil
	}
	field, err := r.field()
	if err != nil {
		return Step{}, err
	}
	if len(field) == 1 && field[0].quoted && r.accept(']') {
		return Key(field[0].name), nil
	}
	if !r.accept('=') {
		return Step{}, r.fail(`brackets hold an index, a quoted name, or a selector such as [id=mox]`)
	}
	step := Step{kind: matchStep}
	for _, f := range field {
		step.field = append(step.field, f.name)
	}
	if step.want, step.exact, err = r.want(); err != nil {
		return Step{}, err
	}
	if !r.accept(']') {
		return Step{}, r.fail("a closing bracket is missing")
	}
	return step, nil
}

func (r *pathReader) accept(c byte) bool {
	if r.pos < len(r.text) && r.text[r.pos] == c {
		r.pos++
		return true
	}
	return false
}

// number reads an index with its closing bracket, if one stands here.
func (r *pathReader) number() (Step, bool) {
	end := strings.IndexByte(r.text[r.pos:], ']')
	if end <= 0 {
		return Step{}, false
	}
	digits := r.text[r.pos : r.pos+end]
	i, err := strconv.Atoi(digits)
	if err != nil || strings.Trim(digits, "0123456789") != "" {
		return Step{}, false
	}
	r.pos += end + 1
	return Index(i), true
}

type fieldName struct {
	name   string
	quoted bool
}

// field reads the names before the = of a selector.
func (r *pathReader) field() ([]fieldName, error) {
	var list []fieldName
	for {
		quoted := r.quoteAhead()
		read := r.name
		if quoted {
			read = r.quoted
		}
		name, err := read()
		if err != nil {
			return nil, err
		}
		if list = append(list, fieldName{name, quoted}); !r.accept('.') {
			return list, nil
		}
	}
}

// want reads what the selected element must hold: quoted, or everything up to the bracket.
func (r *pathReader) want() (text string, exact bool, err error) {
	if r.quoteAhead() {
		text, err = r.quoted()
		return text, true, err
	}
	end := strings.IndexByte(r.text[r.pos:], ']')
	if end < 0 {
		return "", false, r.fail("a closing bracket is missing")
	}
	text = r.text[r.pos : r.pos+end]
	r.pos += end
	return text, false, nil
}

// AsIndex gives the index that a step means, if it is an index.
func (s Step) AsIndex() (int, bool) { return s.index, s.kind == indexStep }

// AsKey gives the name that a step means, if it is a name.
func (s Step) AsKey() (string, bool) { return s.name, s.kind == nameStep }
