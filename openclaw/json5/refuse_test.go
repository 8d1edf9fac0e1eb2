package json5

import (
	"strings"
	"testing"
)

// TestSyntaxErrors wants the place and a plain sentence.
func TestSyntaxErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"{\n  a: 1\n  b: 2\n}", "line 3, column 3: found 'b', where a comma or '}' should be"},
		{"{\r\n  a: 1\r  b: 2\n}", "line 3, column 3: found 'b', where a comma or '}' should be"},
		{"{ü: x}", "line 1, column 5: found 'x', where a value should be (is it a string that lacks its quotes?)"},
		{"{a: tru}", "line 1, column 5: found 't', where a value should be (is it a string that lacks its quotes?)"},
		{"[1, 2", "line 1, column 6: the file ends before the '[' opened in line 1 is closed"},
		{"{a: 'x\n'}", "line 1, column 5: this string is not closed in its line"},
		{"/* x", "line 1, column 1: this comment is never closed"},
		{"", "line 1, column 1: the file is empty: no value in it"},
		{"{a: 1} x", "line 1, column 8: found 'x' behind the end of the document"},
		{"{\"a\": \"\xff\"}", "line 1, column 8: the text is not UTF-8 (byte 0xFF)"},
		{strings.Repeat("[", 1001), "line 1, column 1001: nested deeper than 1000 levels"},
	} {
		_, err := Parse([]byte(c.text))
		if err == nil || err.Error() != c.want {
			t.Errorf("%.40q:\n got  %v\n want %s", c.text, err, c.want)
		}
	}
	if _, err := Parse([]byte(strings.Repeat("[", 1000) + strings.Repeat("]", 1000))); err != nil {
		t.Errorf("depth 1000: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct{ text, op, want string }{
		{`{a: {image: 1}}`, `unset a.imag`, `a has no key "imag"; did you mean image?`},
		{`{a: 1, 'a': 2}`, `set a 3`, `a: the key "a" is there 2 times (lines 1, 1); remove all but one first`},
		{"{b: {x: 1},\n \"\\u0062\": {x: 2}}", `set b.x 3`, `b: the key "b" is there 2 times (lines 1, 2); remove all but one first`},
		{`{l: [{id: "m"}, {id: "m"}]}`, `set l[id=m].x 1`, `l: [id=m] matches 2 elements; use an index such as [0]`},
		{`{l: [{id: "a", id: "m"}]}`, `set l[id=m].x 1`, `l[id=m]: the key "id" is there 2 times (lines 1, 1); remove all but one first`},
		{`{l: [{id: "mox"}]}`, `set l[id=mix].x 1`, `l has no element [id=mix]; did you mean mox?`},
		{`{l: [1]}`, `set l[1] 2`, `l has no element [1] (it has 1)`},
		{`{a: "x"}`, `set a.b 1`, `a is of kind string, not an object`},
		{`{a: {}}`, `append a 1`, `a is of kind object, not an array`},
		{`{a: [1]}`, `insert a 2 1`, `a: there is no place 2 in it: it has 1 elements`},
		{`{a: {b: 1}}`, `move a a.c`, `a: it cannot be moved into itself`},
		{`{a: 1, b: 2}`, `move a b`, `b: there is something already`},
		{`[1]`, `unset `, `the whole document cannot be removed`},
		{strings.Repeat("[", 999) + strings.Repeat("]", 999), `append  ` + `[[]]`, ``},
	} {
		doc, err := Parse([]byte(c.text))
		if err != nil {
			t.Fatal(err)
		}
		_, err = doc.Apply(parseOp(t, c.op))
		if c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want) {
			t.Errorf("%.60s, %s:\n got  %v\n want %s", c.text, c.op, err, c.want)
		}
	}
	deep, err := Parse([]byte(`{a: 1}`))
	if err != nil {
		t.Fatal(err)
	}
	value := StringValue("x")
	for range 1000 {
		value = ArrayValue(value)
	}
	if _, err := deep.Set(Path{Key("a")}, value); err == nil || !strings.Contains(err.Error(), "nested deeper") {
		t.Errorf("a value that nests too deeply: %v", err)
	}
	if _, err := deep.Set(Path{Key("a")}, StringValue("\xff")); err == nil {
		t.Error("a string that is not UTF-8 was accepted")
	}
}

func TestPaths(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", ""}, {"a.b", "a.b"}, {`a["b"]`, "a.b"}, {`["odd.key"].x`, `["odd.key"].x`}, {"a[0][1].b", "a[0][1].b"}, {"[0]", "[0]"},
		{`l[id=mox].x`, `l[id=mox].x`}, {`l[id="a b"]`, `l[id="a b"]`}, {`l['id'='8']`, `l[id="8"]`}, {`l[port=8]`, `l[port=8]`},
		{`b[match.peer.id="!r:host.org"]`, `b[match.peer.id="!r:host.org"]`}, {`groups["!r:host.org"]`, `groups["!r:host.org"]`}, {"a-b_c.ü!@:x", "a-b_c.ü!@:x"},
	} {
		p, err := ParsePath(c.text)
		if err != nil || p.String() != c.want {
			t.Errorf("%s: %s, %v", c.text, p, err)
		}
		if again, err := ParsePath(p.String()); err != nil || again.String() != p.String() {
			t.Errorf("%s does not read back: %v", p, err)
		}
	}
	for _, text := range []string{".", "a.", ".a", "a..b", "a[", "a[]", "a[b]", "a[0", "a[0]b", "a]", "a b", `a["b]`, "a[id=", "a[=x]", "a.[0]", "a[-1]", "a\x00"} {
		if p, err := ParsePath(text); err == nil {
			t.Errorf("%q was read as %s", text, p)
		}
	}
}

func TestParseValue(t *testing.T) {
	for text, want := range map[string]string{
		"8g": `"8g"`, "8": "8", "true": "true", "null": "null", "NaN": "null", "-Infinity": "null", "0x10": "16", "'x'": `"x"`, "": `""`,
		"hello world": `"hello world"`, "[1, 'a',]": `[1,"a"]`, "{a: 1, // c\n}": `{"a":1}`, "{a": `"{a"`, "5.": "5", "1e3": "1e3", "12345678901234567890": "12345678901234567890",
		"{a: 1, b: 2, a: 3}": `{"a":3,"b":2}`, "'\u202e'": `"\u202e"`, `"\ud800"`: `"\ud800"`, "1e400": "null", "-0": "-0", "1e21": "1e21", ".5": "0.5",
	} {
		if got := string(ParseValue(text).JSON("")); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}
