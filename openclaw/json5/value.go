package json5

import (
	"bytes"
	"math"
	"strconv"
	"strings"
)

// Value is a JSON5 value by itself, without the text it stood in. Objects keep the order of their members, and members
// of the same name. Strings are UTF-8, except that half a surrogate pair, which JSON5 can say by \uD800, is kept as the
// three bytes UTF-8 would use for it.
type Value struct {
	Kind    Kind
	Bool    bool
	Number  float64
	Text    string // a string's content; a number as it is to be written
	Items   []Value
	Members []Member
}

// Member is a name and its value.
type Member struct {
	Key   string
	Value Value
}

// StringValue is a string.
func StringValue(s string) Value { return Value{Kind: String, Text: s} }

// BoolValue is true or false.
func BoolValue(b bool) Value { return Value{Kind: Bool, Bool: b} }

// NumberValue is a number, written in the shortest form.
func NumberValue(f float64) Value { return Value{Kind: Number, Number: f, Text: formatNumber(f)} }

// ArrayValue is an array of the given elements.
func ArrayValue(items ...Value) Value { return Value{Kind: Array, Items: items} }

// ObjectValue is an object of the given members.
func ObjectValue(members ...Member) Value { return Value{Kind: Object, Members: members} }

// ParseValue reads what a person typed as a value: what parses as JSON5 is that value, anything else a string.
func ParseValue(text string) Value {
	doc, err := Parse([]byte(text))
	if err != nil {
		return StringValue(strings.ToValidUTF8(text, "\uFFFD"))
	}
	return doc.Root().Value()
}

// Equal says whether two values are the same: kinds, contents, order and duplicates. Numbers compare by their value
// and sign, NaN being equal to itself, not by the way they are written.
func (v Value) Equal(w Value) bool {
	if v.Kind != w.Kind || len(v.Items) != len(w.Items) || len(v.Members) != len(w.Members) {
		return false
	}
	for i := range v.Items {
		if !v.Items[i].Equal(w.Items[i]) {
			return false
		}
	}
	for i := range v.Members {
		if v.Members[i].Key != w.Members[i].Key || !v.Members[i].Value.Equal(w.Members[i].Value) {
			return false
		}
	}
	switch v.Kind {
	case Bool:
		return v.Bool == w.Bool
	case Number:
		return math.Float64bits(v.Number) == math.Float64bits(w.Number) || v.Number != v.Number && w.Number != w.Number
	case String:
		return v.Text == w.Text
	}
	return true
}

// Member finds a member by name; of several, the last, as readers of JSON do.
func (v Value) Member(key string) (Value, bool) {
	for i := len(v.Members) - 1; i >= 0; i-- {
		if v.Members[i].Key == key {
			return v.Members[i].Value, true
		}
	}
	return Value{}, false
}

// JSON writes the value as plain JSON, indented by indent, or on one line where that is empty. NaN and Infinity become
// null, and of members of the same name the last one stands in the place of the first.
func (v Value) JSON(indent string) []byte {
	var out bytes.Buffer
	w := jsonWriter{&out, indent}
	w.value(v, "\n")
	return out.Bytes()
}

type jsonWriter struct {
	out    *bytes.Buffer
	indent string
}

func (w jsonWriter) value(v Value, nl string) {
	switch v.Kind {
	case Null:
		w.out.WriteString("null")
	case Bool:
		w.out.WriteString(strconv.FormatBool(v.Bool))
	case Number:
		w.out.WriteString(jsonNumber(v))
	case String:
		w.out.WriteString(quote(v.Text, '"'))
	case Array:
		w.list('[', ']', len(v.Items), nl, func(i int, nl string) { w.value(v.Items[i], nl) })
	case Object:
		members := lastOfEach(v.Members)
		w.list('{', '}', len(members), nl, func(i int, nl string) {
			w.out.WriteString(quote(members[i].Key, '"') + ":")
			if w.indent != "" {
				w.out.WriteByte(' ')
			}
			w.value(members[i].Value, nl)
		})
	}
}

func (w jsonWriter) list(opening, closing byte, n int, nl string, item func(i int, nl string)) {
	w.out.WriteByte(opening)
	inner := nl + w.indent
	for i := range n {
		if i > 0 {
			w.out.WriteByte(',')
		}
		if w.indent != "" {
			w.out.WriteString(inner)
		}
		item(i, inner)
	}
	if n > 0 && w.indent != "" {
		w.out.WriteString(nl)
	}
	w.out.WriteByte(closing)
}

// lastOfEach does with duplicate names what JavaScript does.
func lastOfEach(members []Member) []Member {
	seen := make(map[string]int, len(members))
	list := make([]Member, 0, len(members))
	for _, m := range members {
		if i, ok := seen[m.Key]; ok {
			list[i].Value = m.Value
			continue
		}
		seen[m.Key] = len(list)
		list = append(list, m)
	}
	return list
}

// jsonNumber writes a number in plain JSON: as it was written, where that is JSON, so that long integers stay whole.
func jsonNumber(v Value) string {
	if math.IsNaN(v.Number) || math.IsInf(v.Number, 0) {
		return "null"
	}
	if doc, err := Parse([]byte(v.Text)); err == nil && doc.strict && doc.nodes[0].kind == Number && doc.nodes[0].end == len(v.Text) {
		return v.Text
	}
	return formatNumber(v.Number)
}

// formatNumber writes a number as JavaScript would, save that -0 keeps its sign.
func formatNumber(f float64) string {
	switch size := math.Abs(f); {
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case size != 0 && (size < 1e-6 || size >= 1e21):
		return strconv.FormatFloat(f, 'e', -1, 64)
	default:
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
}
