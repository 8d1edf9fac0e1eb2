package openclaw

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"github.com/githabideri/fraktalia/openclaw/json5"
)

// commentReader looks for secrets in comments: in lines that somebody has taken out of use, and in older values beside
// those in use. Prose cannot be told from them for sure; what may be a secret is hidden.
type commentReader struct {
	text  []byte
	found []span
	word  *regexp.Regexp // a word or a string, and the colon or equals sign behind it
	plain *regexp.Regexp // what is a value and no secret

	// What goes on in the next line: depth counts the open brackets of an array or object under a secret's name, and
	// value says that such a name's value has not come yet.
	depth int
	value bool
}

// comments adds what the document's comments hold.
func (f *finder) comments(doc *json5.Document) {
	r := commentReader{
		text:  doc.Bytes(),
		word:  regexp.MustCompile(`^(?:"((?:[^"\\]|\\.)*)"?|'((?:[^'\\]|\\.)*)'?|([\pL\pN_$][\pL\pN_$.-]*(?:'[\pL\pN]+)*))(\s*[:=]\s*)?`),
		plain: regexp.MustCompile(`^(?:-?[0-9][0-9._]*|true|false|null)\s*(?:[,}\]]|$)`),
	}
	last := 0
	for _, c := range doc.Comments() {
		if len(bytes.TrimSpace(r.text[last:c[0]])) > 0 {
			r.depth, r.value = 0, false // what is out of use ends with its comments
		}
		last = c[1]
		at := span{c[0], c[1]}
		within := slices.ContainsFunc(f.full, func(s span) bool { return s.holds(at) })
		beside := slices.ContainsFunc(f.named, r.lineOf(at).meets)
		for _, line := range r.lines(at) {
			r.line(line, within, within || beside)
		}
	}
	f.found = append(f.found, r.found...)
}

// lineOf is a comment's line, or lines, from end to end.
func (r *commentReader) lineOf(at span) span {
	line := span{bytes.LastIndexByte(r.text[:at.start], '\n') + 1, len(r.text)}
	if end := bytes.IndexByte(r.text[at.end:], '\n'); end >= 0 {
		line.end = at.end + end
	}
	return line
}

// lines are a comment's lines, without what begins and ends it.
func (r *commentReader) lines(at span) []span {
	if r.text[at.start+1] == '*' {
		at.end -= len("*/")
	}
	var list []span
	for start := at.start + len("//"); start <= at.end; {
		end := at.end
		if i := bytes.IndexByte(r.text[start:at.end], '\n'); i >= 0 {
			end = start + i
		}
		list = append(list, span{start, end})
		start = end + 1
	}
	return list
}

// line looks through one line. Within says that every name in it is a secret's, quoted that every string is one.
func (r *commentReader) line(line span, within, quoted bool) {
	for i := line.start; i < line.end; {
		m := r.word.FindSubmatchIndex(r.text[i:line.end])
		if m == nil {
			r.bracket(r.text[i])
			i++
			continue
		}
		from, isText := i, m[6] < 0
		name := strings.Trim(string(r.text[i:i+m[1]]), "\"' \t:=.-")
		i += m[1]
		switch {
		case m[8] >= 0:
			sign := strings.TrimSpace(string(r.text[from+m[8] : i]))
			i = r.assigned(name, span{i, line.end}, sign == "=" && (within || r.depth > 0), sign == ":")
		case isText && (r.value || quoted || r.depth > 0):
			r.hide(span{from, i}, name)
			r.value = false
		default:
			r.value, quoted = false, quoted || !isText && SecretName(name)
		}
	}
}

// assigned looks at what is assigned to a name, and gives where to go on. Every says that whatever the name is, it is a
// secret's; code that it may be a number or the like, which are none.
func (r *commentReader) assigned(name string, rest span, every, code bool) int {
	secret := SecretName(name)
	r.value = secret && rest.start == rest.end
	if rest.start == rest.end {
		return rest.end
	}
	switch c := r.text[rest.start]; {
	case c == '[' || c == '{':
		if r.depth == 0 && (secret || strings.EqualFold(name, "env")) {
			r.depth = 1
			return rest.start + 1
		}
	case c == '"' || c == '\'':
		r.value = secret
	case (secret || every) && !(code && r.plain.Match(r.text[rest.start:rest.end])):
		bare := strings.TrimRight(string(r.text[rest.start:rest.end]), " \t\r,")
		r.hide(span{rest.start, rest.start + len(bare)}, bare)
		return rest.end
	}
	return rest.start
}

func (r *commentReader) hide(at span, content string) {
	if content != "" && !reference(content) {
		r.found = append(r.found, at)
	}
}

// bracket counts what is open.
func (r *commentReader) bracket(c byte) {
	switch {
	case r.depth == 0:
	case c == '[' || c == '{':
		r.depth++
	case c == ']' || c == '}':
		r.depth--
	}
}
