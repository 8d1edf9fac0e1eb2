package json5

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"math"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/githabideri/fraktalia/openclaw/npmtest"
)

// oracle is a running node with npm json5, OpenClaw's own parser.
type oracle struct {
	in  io.WriteCloser
	out *bufio.Reader
}

func startOracle(t testing.TB) *oracle {
	t.Helper()
	dir, err := npmtest.Install(npmtest.JSON5)
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("testdata/oracle.js")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "-e", string(script))
	cmd.Env = append(npmtest.Env(dir), "NODE_PATH="+filepath.Join(dir, "node_modules"))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return &oracle{in, bufio.NewReaderSize(out, 1<<20)}
}

// ask sends the texts and gives the answers, in order.
func (o *oracle) ask(t testing.TB, texts []string) []string {
	t.Helper()
	go func() {
		w := bufio.NewWriter(o.in)
		for _, text := range texts {
			fmt.Fprintln(w, base64.StdEncoding.EncodeToString([]byte(text)))
		}
		_ = w.Flush()
	}()
	answers := make([]string, len(texts))
	for i := range answers {
		line, err := o.out.ReadString('\n')
		if err != nil {
			t.Fatalf("node ended: %v", err)
		}
		answers[i] = strings.TrimSuffix(line, "\n")
	}
	return answers
}

// answer says what this package makes of a text, in the oracle's form.
func answer(text string) string {
	doc, err := Parse([]byte(text))
	if err != nil {
		return "reject"
	}
	return showValue(doc.Root().Value())
}

func showValue(v Value) string {
	switch v.Kind {
	case Null:
		return "null"
	case Bool:
		return fmt.Sprint(v.Bool)
	case String:
		return "s" + units(v.Text)
	case Number:
		if math.IsNaN(v.Number) {
			return "nan"
		}
		return fmt.Sprintf("n%x", math.Float64bits(v.Number))
	}
	var list []string
	for _, item := range v.Items {
		list = append(list, showValue(item))
	}
	if v.Kind == Array {
		return "[" + strings.Join(list, ",") + "]"
	}
	for _, m := range lastOfEach(v.Members) {
		list = append(list, units(m.Key)+":"+showValue(m.Value))
	}
	sort.Strings(list)
	return "{" + strings.Join(list, ",") + "}"
}

func units(s string) string {
	var list []string
	for i := 0; i < len(s); {
		r, width := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && width == 1 {
			r, width = surrogateAt(s, i)
			list = append(list, fmt.Sprintf("%x", r))
		} else {
			for _, u := range utf16.Encode([]rune{r}) {
				list = append(list, fmt.Sprintf("%x", u))
			}
		}
		i += width
	}
	return strings.Join(list, ".")
}

func agree(t *testing.T, o *oracle, texts []string) {
	t.Helper()
	for i, want := range o.ask(t, texts) {
		if got := answer(texts[i]); got != want {
			t.Errorf("%q:\n got  %s\n want %s", texts[i], got, want)
		}
	}
}

// grammarCases are the corners of the grammar, each one a text that some parser gets wrong.
func grammarCases() []string {
	list := []string{
		"", " ", "//", "/", "/*", "/**", "/**/", "/***/1", "1//", "1/", "/**/1/*/", "\uFEFF1", "1\uFEFF", "\u00A0\u2003\u30001", "\u180E1", "\u00851",
		"null", "nul", "nullx", "true", "false", "True", "undefined", "NaN", "-NaN", "+NaN", "Infinity", "-Infinity", "+Infinity", "infinity", "+ 1", "- 1", "--1", "+-1",
		"0", "-0", "+0", "00", "01", "-01", "0.", ".0", ".", "+.", "-.5", "5.", "5.e3", ".5e3", "e3", "1e", "1e+", "1e+1", "1E-1", "0e1", "0x", "0x0", "0XfF", "-0x10", "+0x10", "0x1.5", "0xg", "1_000", "1e400", "-1e400", "1e-400", "0b1", "0o7", "10n",
		"9007199254740993", "123456789012345678901234567890", "0xFFFFFFFFFFFFFFFFFFFF", "0x20000000000001", "0x20000000000003", "0x3fffffffffffff8000000001", "2.2250738585072011e-308", "5e-324", "2.4703282292062328e-324",
		`""`, `''`, `"`, `'`, `"'"`, `'"'`, `"a'`, `"\"`, `"\'\""`, `"\a\b\c\d"`, `"\0"`, `"\01"`, `"\1"`, `"\9"`, `"\x4"`, `"\x41"`, `"\u004"`, `"\u0041"`, `"\u{41}"`, `"\ud83d\ude00"`, `"\ud83d"`, `"\ude00\ud83d"`, `"\ud83d\ud83d\ude00"`, `"\ud83d😀"`, `"\U0041"`, `"\v\f"`,
		"\"a\nb\"", "\"a\\\nb\"", "\"a\\\r\nb\"", "\"a\\\rb\"", "\"a\\\n\rb\"", "\"a\\\u2028b\"", "\"a\u2028b\u2029\"", "\"\t\x00\x1f\x7f\"", "\"\\\x00\"", "\"\\é\\😀\"",
		"[]", "[,]", "[1,]", "[1,,]", "[,1]", "[1 2]", "[1", "[", "]", "[1]]", "[1][2]", "[1}", "[/*a*/1/*b*/,/*c*/]", "[1//\n,2]", "[1//,2]",
		"{}", "{,}", "{a}", "{a:}", "{a:1", "{a:1,}", "{a:1,,}", "{a:1 b:2}", "{a 1}", "{:1}", "{1:1}", "{-a:1}", "{a-b:1}", "{a.b:1}", "{\"\":1}", "{'a':1}", "{a:1,a:2}", "{a:1,'\\x61':2}", "{null:1,true:2,NaN:3,Infinity:4}", "{__proto__:1}", "{__proto__:{a:1},'__proto__':2}", "{constructor:1,toString:2}",
		"{$:1,_:2,$_a9:3}", "{\\u0061:1}", "{\\u0024\\u005f:1}", "{a\\u0062:1}", "{\\u0030:1}", "{a\\u0030:1}", "{a\\u002d:1}", "{\\x61:1}", "{\\u{61}:1}", "{a\\u200c\\u200d:1}", "{\u200c:1}", "{a\u200c:1}", "{ü:1}", "{ℵ:1}", "{ａ:1}", "{𝒜:1}", "{\U0001F600:1}", "{a\u0300:1}", "{\u0300:1}", "{²:1}", "{a²:1}", "{\u2118:1}", "{a\u00b7:1}", "{\\ud835\\udc9c:1}",
		"{a:1}/**/", "{a:1}x", "1 2", "{a://b\n1}", "{/*x*/a/*y*/:/*z*/1/*w*/}", "{a:1//x\r,b:2}", "{a:1//x\u2028,b:2}", "[1\u2028,\u20292]",
		"{\"a\":[1,{\"b\":[]},\"c\"],'d':{e:{f:{}}}}", "{10:1}", "{'10':1,'2':2,a:3}", strings.Repeat("[", 900) + strings.Repeat("]", 900),
	}
	for r := rune(0); r < 0x250; r++ {
		list = append(list, "{"+string(r)+":1}", "{a"+string(r)+":1}", "["+string(r)+"]", "1"+string(r), "'"+string(r)+"'", `'\`+string(r)+"'")
	}
	return list
}

func TestAgreesWithNpmJSON5(t *testing.T) {
	o := startOracle(t)
	agree(t, o, grammarCases())
	agree(t, o, identifierCases())
	random := rand.New(rand.NewSource(5))
	var texts []string
	for range 40000 {
		texts = append(texts, mutated(random, randomText(random)))
	}
	agree(t, o, texts)
}

// identifierCases try characters from everywhere in Unicode as the beginning and as the inside of a key.
func identifierCases() []string {
	var list []string
	for r := rune(0x80); r <= 0x10FFFF; r += 1 + r/1500 {
		if utf8.ValidRune(r) {
			list = append(list, "{"+string(r)+":1}", "{a"+string(r)+":1}")
		}
	}
	return list
}

// mutated breaks a text at some places, or leaves it.
func mutated(random *rand.Rand, text string) string {
	letters := []rune("{}[],:\"'/*\\0123456789.+-eExXabfnrtuvINy_$ \n\r\t\u2028\u00A0\uFEFF\u0300ü😀")
	runes := []rune(text)
	for range random.Intn(3) {
		i := random.Intn(len(runes) + 1)
		switch c := letters[random.Intn(len(letters))]; {
		case random.Intn(2) == 0 || i == len(runes):
			runes = append(runes[:i:i], append([]rune{c}, runes[i:]...)...)
		case random.Intn(2) == 0:
			runes[i] = c
		default:
			runes = append(runes[:i:i], runes[i+1:]...)
		}
	}
	return string(runes)
}

// TestNpmJSON5ReadsEdits does random edits and lets npm json5 read the results: it must find what the model says.
func TestNpmJSON5ReadsEdits(t *testing.T) {
	o := startOracle(t)
	random := rand.New(rand.NewSource(11))
	var texts, want []string
	for len(texts) < 8000 {
		doc, err := Parse([]byte(randomText(random)))
		if err != nil {
			t.Fatal(err)
		}
		operation := randomOperation(random, doc)
		after, err := doc.Apply(operation)
		if err != nil {
			continue
		}
		value, ok := modelApply(doc.Root().Value(), operation)
		if !ok {
			t.Fatalf("the model cannot do %s on\n%s", operation, doc.Bytes())
		}
		texts, want = append(texts, string(after.Bytes())), append(want, showValue(value))
	}
	for i, got := range o.ask(t, texts) {
		if got != want[i] {
			t.Errorf("npm json5 reads\n%s\nas %s, want %s", texts[i], got, want[i])
		}
	}
}
