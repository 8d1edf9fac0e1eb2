package metrics

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The grammar of the text format 0.0.4, as its description has it.
var (
	name    = `[a-zA-Z_:][a-zA-Z0-9_:]*`
	label   = `[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\\\|\\"|\\n)*"`
	comment = regexp.MustCompile(`^# (HELP|TYPE) (` + name + `) (.*)$`)
	sample  = regexp.MustCompile(`^(` + name + `)(\{` + label + `(?:,` + label + `)*\})? (\S+)$`)
)

// read is a strict reader: HELP and TYPE once and before the samples of a
// family, families in one piece, no sample twice, a line feed at the end.
func read(text string) (map[string]float64, error) {
	if !strings.HasSuffix(text, "\n") {
		return nil, errors.New("no line feed at the end")
	}
	values, kinds, current := map[string]float64{}, map[string]string{}, ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if m := comment.FindStringSubmatch(line); m != nil {
			if _, again := kinds[m[2]]; m[1] == "HELP" && again {
				return nil, fmt.Errorf("a second family: %q", line)
			}
			if m[1] == "TYPE" && (m[2] != current || kinds[m[2]] != "" || m[3] != "counter" && m[3] != "gauge") {
				return nil, fmt.Errorf("a wrong TYPE: %q", line)
			}
			current = m[2]
			kinds[current] = map[string]string{"TYPE": m[3]}[m[1]]
			continue
		}
		m := sample.FindStringSubmatch(line)
		if m == nil || m[1] != current || kinds[current] == "" {
			return nil, fmt.Errorf("no sample of %q: %q", current, line)
		}
		if _, again := values[m[1]+m[2]]; again {
			return nil, fmt.Errorf("twice: %q", line)
		}
		value, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			return nil, err
		}
		if kinds[current] == "counter" && (!strings.HasSuffix(current, "_total") || value < 0) {
			return nil, fmt.Errorf("no counter: %q", line)
		}
		values[m[1]+m[2]] = value
	}
	return values, nil
}

func TestWrite(t *testing.T) {
	family := Family{Name: "a_total", Help: "What \\ is\nthis?", Kind: Counter}
	family.Add(3, []string{"agent", "mox"}, "way", `a"b\c`+"\nd\xff")
	family.Add(9007199254740991, []string{"agent", ""}, "way", "{x=\"y\"} 1")
	var out bytes.Buffer
	if err := Write(&out, []Family{family, {Name: "none", Help: "Nothing.", Kind: Gauge},
		{Name: "b", Help: "Plain.", Kind: Gauge, Samples: []Sample{{Value: 1.5}}}}); err != nil {
		t.Fatal(err)
	}
	const want = `# HELP a_total What \\ is\nthis?
# TYPE a_total counter
a_total{agent="mox",way="a\"b\\c\nd` + "\uFFFD" + `"} 3
a_total{agent="",way="{x=\"y\"} 1"} 9007199254740991
# HELP none Nothing.
# TYPE none gauge
# HELP b Plain.
# TYPE b gauge
b 1.5
`
	if out.String() != want {
		t.Errorf("got\n%s", out.String())
	}
	values, err := read(out.String())
	if err != nil {
		t.Fatal(err)
	}
	if len(values) != 3 || values["b"] != 1.5 {
		t.Errorf("read %v", maps.Collect(maps.All(values)))
	}
}

// The reader above is worth something only if it can refuse.
func TestTheReaderIsStrict(t *testing.T) {
	const head = "# HELP a_total x\n# TYPE a_total counter\n"
	for _, text := range []string{
		"", "a_total 1\n", head + "a_total 1", head + "a_total 1\na_total 2\n", head + "b 1\n", head + "a_total{x=y} 1\n",
		head + "a_total{x=\"\n\"} 1\n", head + "a_total x\n", head + head, head + "a_total -1\n", head + "a_total{} 1\n",
		head + "a_total{x=\"\\t\"} 1\n", "# TYPE a_total counter\n# TYPE a_total counter\n", "# HELP a x\n# TYPE a counter\na 1\n",
	} {
		if _, err := read(text); err == nil {
			t.Errorf("accepted %q", text)
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("gone") }

func TestACollectorThatGoesAway(t *testing.T) {
	if err := Write(broken{}, []Family{{Name: "a", Kind: Gauge}}); err == nil {
		t.Error("no error")
	}
}
