package json5

import (
	"math/rand"
	"strings"
)

// randomText writes a random document with comments, blank lines and styles mixed as no person would.
func randomText(random *rand.Rand) string {
	g := generator{Rand: random, nl: "\n"}
	switch random.Intn(8) {
	case 0:
		g.nl = "\r\n"
	case 1:
		g.tidy = true
	case 2:
		g.tidy, g.nl = true, "\r\n"
	}
	text := g.gap() + g.value(0) + g.gap()
	if random.Intn(12) == 0 {
		return "\uFEFF" + text
	}
	return text
}

type generator struct {
	*rand.Rand
	nl   string
	tidy bool // plain JSON with two blanks of indentation
}

func (g generator) pick(list ...string) string { return list[g.Intn(len(list))] }

// gap is white space and comments.
func (g generator) gap() string {
	if g.tidy {
		return ""
	}
	var out strings.Builder
	for range g.Intn(4) {
		out.WriteString(g.pick("", "", " ", "  ", "\t", g.nl, g.nl+"  ", g.nl+g.nl, "// c"+g.nl, "//"+g.nl+"  ", "/* d */", "/*"+g.nl+"*/", " // e, {\"'"+g.nl, "\u00A0"))
	}
	return out.String()
}

func (g generator) value(depth int) string {
	if depth < 5 && g.Intn(3) > 0 {
		return g.container(depth)
	}
	if g.tidy {
		return g.pick("null", "true", "0", "-1.5e3", `"x"`, `"a b"`, `"\u00e9 // no"`, "{}", "[]")
	}
	return g.pick("null", "true", "false", "0", "-1.5e3", "+0x1F", ".5", "5.", "NaN", "-Infinity", `"x"`, "'y'", `'it"s'`, `"// no"`, `'/* no */'`, "'a\\"+g.nl+"b'", `"\ud83d"`, "{}", "[]", "[ ]", "{"+g.gap()+"}", "["+g.gap()+"]")
}

func (g generator) container(depth int) string {
	object, n := g.Intn(2) == 0, g.Intn(5)
	opening, closing := "[", "]"
	if object {
		opening, closing = "{", "}"
	}
	items := make([]string, n)
	for i := range items {
		if object {
			items[i] = g.key(i) + g.gap() + ":" + g.pick(" ", "", g.gap())
		}
		items[i] += g.value(depth + 1)
	}
	if g.tidy {
		return g.tidied(opening, closing, items, depth)
	}
	var out strings.Builder
	out.WriteString(opening)
	for i, item := range items {
		out.WriteString(g.gap() + item + g.gap())
		if i < n-1 || g.Intn(2) == 0 {
			out.WriteString(",")
		}
	}
	return out.String() + g.gap() + closing
}

func (g generator) tidied(opening, closing string, items []string, depth int) string {
	if len(items) == 0 {
		return opening + closing
	}
	indent := g.nl + strings.Repeat("  ", depth)
	return opening + indent + "  " + strings.Join(items, ","+indent+"  ") + indent + closing
}

// key gives names that are rarely there twice.
func (g generator) key(i int) string {
	name := string(rune('a' + i))
	if g.Intn(400) == 0 {
		name = "a"
	}
	if g.tidy {
		return `"` + name + `"`
	}
	return g.pick(name, `"`+name+`"`, `'`+name+`'`, `"`+name+` b"`, `'\u006`+string("123456789"[i])+`z'`)
}
