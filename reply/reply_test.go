package reply

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDocRenderings(t *testing.T) {
	doc := Doc{
		P("Port ", Mono("9005"), " is ", Bold("open"), " at ", Link("http://box:9005/?a=1&b", "box:9005")),
		Table{Head: []string{"port", "state"}, Rows: [][]any{{9005, "✅ up"}, {90, Mono("<b>")}, {Lines{Items: []Line{{7}, {"seven"}}}, "odd"}}},
		List{Items: []Line{{"one"}, {"two"}}},
		Lines{Items: []Line{{"User: ", Mono("@a:b")}, {"Password: x"}}},
		Code{Language: "diff", Text: "+a\n"},
	}
	wantText := "Port 9005 is open at box:9005\n\nport   state\n9005   ✅ up\n90     <b>\n7      odd\nseven\n\n• one\n• two\n\nUser: @a:b\nPassword: x\n\n+a"
	if diff := cmp.Diff(wantText, doc.Text()); diff != "" {
		t.Error(diff)
	}
	wantHTML := `<p>Port <code>9005</code> is <b>open</b> at <a href="http://box:9005/?a=1&amp;b">box:9005</a></p>` +
		`<table><thead><tr><th>port</th><th>state</th></tr></thead><tbody><tr><td>9005</td><td>✅ up</td></tr>` +
		`<tr><td>90</td><td><code>&lt;b&gt;</code></td></tr><tr><td>7<br>seven</td><td>odd</td></tr></tbody></table><ul><li>one</li><li>two</li></ul>` +
		`<p>User: <code>@a:b</code><br>Password: x</p><pre><code class="language-diff">+a` + "\n</code></pre>"
	if diff := cmp.Diff(wantHTML, doc.HTML()); diff != "" {
		t.Error(diff)
	}
}

// What others typed comes back in answers: it must not act on the reader.
func TestHostileTextIsShownNotObeyed(t *testing.T) {
	doc := Say("There is no ", Mono("%s", "x\u202eevil\x00\x1b[2J<script>"))
	if got, want := doc.HTML(), "There is no <code>x�evil��[2J&lt;script&gt;</code>"; got != want {
		t.Errorf("HTML %q, want %q", got, want)
	}
	if got, want := doc.Text(), "There is no x�evil��[2J<script>"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
}

func TestOneParagraphNeedsNoTags(t *testing.T) {
	if got := Sayf("%d of %d", 1, 2).HTML(); got != "1 of 2" {
		t.Errorf("HTML %q", got)
	}
}

// A table that a room would cut off stands in two columns there; a terminal
// shows it as it is.
func TestWideTablesAreNarrowInARoom(t *testing.T) {
	long := strings.Repeat("long ", 12)
	doc := Doc{Table{Head: []string{"", "who", "what", "seen"}, Rows: [][]any{
		{"✅", Bold("mox"), Lines{Items: []Line{{long}, {"and more"}}}, ""},
		{"", "felix", Mono("x"), "today"},
	}}}
	want := `<table><thead><tr><th>who</th><th></th></tr></thead><tbody>` +
		`<tr><td>✅ <b>mox</b></td><td>what: ` + long + `<br>and more</td></tr>` +
		`<tr><td>felix</td><td>what: <code>x</code><br>seen: today</td></tr></tbody></table>`
	if got := doc.HTML(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	doc = Doc{Table{Head: []string{"who", "what", "seen"}, Rows: [][]any{{"mox", long, ""}}}}
	want = `<table><thead><tr><th>who</th><th>what</th></tr></thead><tbody><tr><td>mox</td><td>` + long + `</td></tr></tbody></table>`
	if got := doc.HTML(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if text := doc.Text(); !strings.Contains(text, "who  what") {
		t.Errorf("the terminal's:\n%s", text)
	}
}
