package socketproxy

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table in docs/security.md anew")

const (
	document = "../docs/security.md"
	begins   = "<!-- endpoints: go test ./socketproxy -update -->\n"
	ends     = "<!-- end of endpoints -->\n"
)

// docs/security.md lists what is let through, as the program has it.
func TestTableIsTrue(t *testing.T) {
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), begins)
	_, after, ended := strings.Cut(rest, ends)
	if !found || !ended {
		t.Fatalf("%s has no place for the table", document)
	}
	want := before + begins + table() + ends + after
	if *update {
		if err := os.WriteFile(document, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(text) != want {
		t.Errorf("the table in %s is not what is let through (go test ./socketproxy -update writes it); it should be\n%s", document, table())
	}
}

func table() string {
	var out strings.Builder
	out.WriteString("| request | for | and only | query |\n|---|---|---|---|\n")
	for _, e := range Endpoints() {
		var query []string
		for _, q := range e.query {
			query = append(query, "`"+q+"`")
		}
		for _, name := range slices.Sorted(maps.Keys(e.filters)) {
			query = append(query, "filter `"+name+"="+strings.Join(e.filters[name], " ")+"`")
		}
		fmt.Fprintf(&out, "| `%s %s` | %s | %s | %s |\n", e.Method, e.Path, e.For, e.Only, strings.Join(query, " "))
	}
	return out.String()
}
