package json5

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// edit is one line of a table: the operation in words, and what it must make of the text.
type edit struct {
	name, before, op, after string
}

// parseOp reads "set PATH VALUE", "unset PATH", "insert PATH INDEX VALUE", "append PATH VALUE", "move PATH PATH".
func parseOp(t *testing.T, text string) Operation {
	t.Helper()
	words := strings.SplitN(text, " ", 3)
	path, err := ParsePath(words[1])
	if err != nil {
		t.Fatal(err)
	}
	o := Operation{Path: path}
	switch words[0] {
	case "set":
		o.Verb, o.Value = Set, ParseValue(words[2])
	case "append":
		o.Verb, o.Value = Append, ParseValue(words[2])
	case "insert":
		rest := strings.SplitN(words[2], " ", 2)
		o.Verb, o.Index, o.Value = Insert, int(ParseValue(rest[0]).Number), ParseValue(rest[1])
	case "move":
		o.Verb = Move
		if o.To, err = ParsePath(words[2]); err != nil {
			t.Fatal(err)
		}
	case "unset":
		o.Verb = Unset
	default:
		t.Fatalf("unknown operation %q", text)
	}
	return o
}

func runEdits(t *testing.T, edits []edit) {
	for _, e := range edits {
		t.Run(e.name, func(t *testing.T) {
			doc, err := Parse([]byte(e.before))
			if err != nil {
				t.Fatal(err)
			}
			after, err := doc.Apply(parseOp(t, e.op))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(e.after, string(after.Bytes())); diff != "" {
				t.Errorf("%s (-want +got):\n%s", e.op, diff)
			}
		})
	}
}

func TestSet(t *testing.T) {
	runEdits(t, []edit{
		{"keeps quotes", `{a: 'x', b: "y"}`, `set a it's`, `{a: 'it\'s', b: "y"}`},
		{"keeps everything around", "{ // c\r\n\ta :\t1 , /* d */\r\n}\r\n", `set a 2`, "{ // c\r\n\ta :\t2 , /* d */\r\n}\r\n"},
		{"byte order mark", "\uFEFF{\"a\": 1}", `set a true`, "\uFEFF{\"a\": true}"},
		{"same value", `{a: 0x10}`, `set a 16`, `{a: 0x10}`},
		{"root", "// c\n1 // d\n", `set  {a: 1}`, "// c\n{\n  \"a\": 1\n} // d\n"},
		{"new member in lines", "{\n  \"a\": 1\n}\n", `set b x`, "{\n  \"a\": 1,\n  \"b\": \"x\"\n}\n"},
		{"new member, trailing comma", "{\n\ta: 1, // one\n}\n", `set b x`, "{\n\ta: 1, // one\n\tb: \"x\",\n}\n"},
		{"new member behind a comment", "{\n  a: 1 // one\n}\n", `set b 2`, "{\n  a: 1, // one\n  b: 2\n}\n"},
		{"new member in a line", `{ a: 1 }`, `set b 2`, `{ a: 1, b: 2 }`},
		{"minified", `{"a":{"b":1}}`, `set a.c 2`, `{"a":{"b":1,"c":2}}`},
		{"missing objects", "{\n  \"a\": {}\n}\n", `set a.b.c 8g`, "{\n  \"a\": {\n    \"b\": {\n      \"c\": \"8g\"\n    }\n  }\n}\n"},
		{"key that needs quotes", "{\n  a: 'x',\n}\n", `set ["odd.key"] 1`, "{\n  a: 'x',\n  'odd.key': 1,\n}\n"},
		{"commented-out entry stays at the end", "{\n  a: 1,\n  // b: 2,\n}\n", `set c 3`, "{\n  a: 1,\n  c: 3,\n  // b: 2,\n}\n"},
		{"commas first", "{ a: 1\n, b: 2\n}", `set c 3`, "{ a: 1\n, b: 2\n, c: 3\n}"},
		{"empty object with a comment", "{\n  a: {\n    // none yet\n  },\n}\n", `set a.b 1`, "{\n  a: {\n    b: 1,\n    // none yet\n  },\n}\n"},
		{"plain JSON stays plain", `{"a": 1}`, `set a 0x10`, `{"a": 16}`},
		{"array becomes object", "{\n  a: [1],\n}\n", `set a {x: 1}`, "{\n  a: {\n    x: 1,\n  },\n}\n"},
		{"selector", `{list: [{id: "mox", n: 1}, {id: "max", n: 1}]}`, `set list[id=max].n 2`, `{list: [{id: "mox", n: 1}, {id: "max", n: 2}]}`},
	})
}

// TestSetKeepsWhatStays sets lists over lists: what is in both keeps its comments.
func TestSetKeepsWhatStays(t *testing.T) {
	runEdits(t, []edit{
		{"array", "[\n  'a', // one\n  'b', // two\n  'c', // three\n]", `set  ['a', 'x', 'c', 'd']`, "[\n  'a', // one\n  'x',\n  'c', // three\n  'd',\n]"},
		{"object", "{\n  // about a\n  a: 1,\n  b: { x: 1, /* deep */ y: 2 },\n  c: 3,\n}", `set  {a: 1, n: true, b: {x: 1, y: 5}}`, "{\n  // about a\n  a: 1,\n  n: true,\n  b: { x: 1, /* deep */ y: 5 },\n}"},
		{"elements by their id", "[\n  { id: 'a', n: 1 }, // a\n  { id: 'b', n: 1 }, // b\n]", `set  [{id: "b", n: 2}]`, "[\n  { id: 'b', n: 2 }, // b\n]"},
		{"another order", "{ a: 1, /* c */ b: 2 }", `set  {b: 2, a: 1}`, "{ b: 2, a: 1 }"},
		{"nothing in common", "[1, /* c */ 2]", `set  [3]`, "[3]"},
	})
}

func TestUnset(t *testing.T) {
	runEdits(t, []edit{
		{"its own comments go", "{\n  a: 1,\n\n  // about b\n  // more\n  b: 2, // same line\n  c: 3,\n}\n", `unset b`, "{\n  a: 1,\n\n  c: 3,\n}\n"},
		{"comments of others stay", "{\n  // section\n\n  a: 1, // one\n  b: 2,\n  // dangling\n}\n", `unset b`, "{\n  // section\n\n  a: 1, // one\n  // dangling\n}\n"},
		{"last without comma", "{\n  \"a\": 1, // one\n  \"b\": 2\n}\n", `unset b`, "{\n  \"a\": 1 // one\n}\n"},
		{"last before the bracket", "{\n  a: 1, // one\n  b: 2 }\n", `unset b`, "{\n  a: 1 // one\n}\n"},
		{"in a line, middle", `[1, 2, 3]`, `unset [1]`, `[1, 3]`},
		{"in a line, first", `[ 1, 2 ]`, `unset [0]`, `[ 2 ]`},
		{"in a line, last", `[1, 2]`, `unset [1]`, `[1]`},
		{"only one", "{\n  a: {\n    b: 1\n  }\n}\n", `unset a.b`, "{\n  a: {}\n}\n"},
		{"only one with a foreign comment", "[\n  // keep\n\n  1\n]", `unset [0]`, "[\n  // keep\n]"},
		{"commas first", "{ a: 1\n, b: 2 // two\n, c: 3\n}", `unset b`, "{ a: 1\n, c: 3\n}"},
		{"commas first, first", "{ a: 1\n, b: 2\n}", `unset a`, "{ b: 2\n}"},
		{"comment before the comma", "[1 /* one */, 2]", `unset [0]`, "[2]"},
		{"line comment of the neighbour", "[1, // one\n 2, // two\n 3]", `unset [1]`, "[1, // one\n 3]"},
		{"blank lines on both sides", "{\n  a: 1,\n\n  b: 2,\n\n  c: 3\n}", `unset b`, "{\n  a: 1,\n\n  c: 3\n}"},
	})
}

func TestArrays(t *testing.T) {
	runEdits(t, []edit{
		{"append", `["a"]`, `append  b`, `["a", "b"]`},
		{"append, trailing comma", "[\n  'a',\n]", `append  b`, "[\n  'a',\n  'b',\n]"},
		{"append to a missing array", "{\n  a: 1,\n}", `append b x`, "{\n  a: 1,\n  b: [\"x\"],\n}"},
		{"append behind a comment", "[1, 2 // two\n]", `append  3`, "[1, 2, // two\n3\n]"},
		{"append into a comment", "[ // none\n]", `append  3`, "[ // none\n  3\n]"},
		{"append into an inline comment", "[ /* none */ ]", `append  3`, "[ /* none */\n  3\n]"},
		{"insert first", "[\n  // one\n  1,\n]", `insert  0 0`, "[\n  0,\n  // one\n  1,\n]"},
		{"insert between", "[1, 2]", `insert  1 9`, "[1, 9, 2]"},
		{"insert keeps the next one's comment", "[\n  1, // one\n  // two\n  2\n]", `insert  1 9`, "[\n  1, // one\n  9,\n  // two\n  2\n]"},
		{"objects as their siblings", "[\n  { id: 'a', match: { x: 1 } },\n]", `append  {id: "b", match: {x: 2}}`, "[\n  { id: 'a', match: { x: 1 } },\n  { id: 'b', match: { x: 2 } },\n]"},
	})
}

func TestMove(t *testing.T) {
	runEdits(t, []edit{
		{"rename", "{\n  'a': 1, // one\n}", `move a b`, "{\n  'b': 1, // one\n}"},
		{"reorder", "[\n  1, // one\n  2,\n  3, // three\n]", `move [2] [0]`, "[\n  3, // three\n  1, // one\n  2,\n]"},
		{"elsewhere, with its comments", "{\n  a: {\n    // about x\n    x: {\n      y: 1,\n    }, // end\n    z: 1,\n  },\n  b: 1,\n}", `move a.x x`,
			"{\n  a: {\n    z: 1,\n  },\n  b: 1,\n  // about x\n  x: {\n    y: 1,\n  }, // end\n}"},
		{"into an element behind it", "[{a: 1}, {b: 2}]", `move [0] [1].c`, "[{b: 2, c: {a: 1}}]"},
	})
}
