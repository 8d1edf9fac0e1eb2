package json5

import "strings"

// longestLine is the width beyond which a list is written in several lines where that is possible at all.
const longestLine = 110

// place is where a value is to be written.
type place struct {
	indent string // of the line that the value begins in
	lines  bool   // the value may take several lines
}

// renderer writes values in a style.
type renderer struct {
	*Document
	style
}

// member writes a key and its value.
func (r renderer) member(key string, v Value, p place, model int) string {
	return r.key(key) + r.colon + r.value(v, p, model)
}

// key writes a member's name, without quotes only where the neighbours have none and the name needs none.
func (r renderer) key(name string) string {
	if r.keyMark == 0 && plainIdentifier(name) {
		return name
	}
	if r.keyMark == 0 {
		return quote(name, r.keyQuote)
	}
	return quote(name, r.keyMark)
}

func plainIdentifier(name string) bool {
	for i, r := range name {
		if r > 0x7F || !identifierPart(r) || i == 0 && !identifierStart(r) {
			return false
		}
	}
	return name != ""
}

// value writes a value. The model is a node whose layout is to be copied where it has one to show, or -1.
func (r renderer) value(v Value, p place, model int) string {
	switch v.Kind {
	case Null:
		return "null"
	case Bool:
		if v.Bool {
			return "true"
		}
		return "false"
	case Number:
		return r.number(v)
	case String:
		return quote(v.Text, r.textMark)
	}
	if len(v.Items)+len(v.Members) == 0 {
		return map[Kind]string{Array: "[]", Object: "{}"}[v.Kind]
	}
	if model >= 0 && r.nodes[model].kind == v.Kind {
		r.marks(r.open(model))
	}
	if !r.spreads(v, p, model) {
		return r.inline(v, model)
	}
	return r.spreadOut(v, p, model)
}

// number writes a number as it was given. A plain JSON text stays one wherever the number can be said in it.
func (r renderer) number(v Value) string {
	if v.Text == "" {
		return formatNumber(v.Number)
	}
	if r.json {
		if text := jsonNumber(v); text != "null" {
			return text
		}
	}
	return v.Text
}

// spreads decides between one line and several.
func (r renderer) spreads(v Value, p place, model int) bool {
	if !p.lines {
		return false
	}
	if model >= 0 && r.nodes[model].kind == v.Kind && r.nodes[model].next > model+1 {
		if r.open(model).spread() {
			return true
		}
	} else if habit := r.habit[classOf(v)]; habit == habitLines {
		return true
	} else if habit == habitUnknown && classOf(v) != plainArrays {
		return true
	}
	return len(p.indent)+len(r.inline(v, model)) > longestLine
}

func (r renderer) inline(v Value, model int) string {
	var items []string
	for i, item := range v.Items {
		items = append(items, r.value(item, place{}, r.modelItem(model, i)))
	}
	for _, m := range v.Members {
		items = append(items, r.member(m.Key, m.Value, place{}, r.modelMember(model, m.Key)))
	}
	if v.Kind == Array {
		return "[" + strings.Join(items, r.comma) + "]"
	}
	return "{" + r.pad + strings.Join(items, r.comma) + r.pad + "}"
}

func (r renderer) spreadOut(v Value, p place, model int) string {
	inner := place{p.indent + r.unit, true}
	var items []string
	for i, item := range v.Items {
		items = append(items, r.value(item, inner, r.modelItem(model, i)))
	}
	for _, m := range v.Members {
		items = append(items, r.member(m.Key, m.Value, inner, r.modelMember(model, m.Key)))
	}
	opening, closing := "[", "]"
	if v.Kind == Object {
		opening, closing = "{", "}"
	}
	if r.trailing {
		closing = "," + r.nl + p.indent + closing
	} else {
		closing = r.nl + p.indent + closing
	}
	return opening + r.nl + inner.indent + strings.Join(items, ","+r.nl+inner.indent) + closing
}

// modelItem is the element whose layout element i should copy: the one in its place, else the first.
func (r renderer) modelItem(model, i int) int {
	if model < 0 || r.nodes[model].kind != Array {
		return -1
	}
	if c := r.element(model, i); c >= 0 {
		return c
	}
	return r.element(model, 0)
}

// modelMember is the member of the same name in the model.
func (r renderer) modelMember(model int, key string) int {
	if model < 0 || r.nodes[model].kind != Object {
		return -1
	}
	if found := r.named(model, key); len(found) > 0 {
		return found[0]
	}
	return -1
}
