package command

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "write docs/commands.md anew")

// docs/commands.md is what the tree says; `go test ./command -update` writes it.
func TestReferenceIsTrue(t *testing.T) {
	const path = "../docs/commands.md"
	want := reference()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/commands.md is not what the commands say (go test ./command -update writes it):\n%s", diff)
	}
}

func reference() string {
	var out strings.Builder
	out.WriteString("# Commands\n\nAs typed in the admin room. In the machine's own shell the same words follow `fraktalia`, without the `!`.\n")
	r := &run{request: Request{Role: Owner}}
	for _, cmd := range withParts(r.tree().Commands()) {
		if cmd.Hidden {
			continue
		}
		prompt := "!"
		if cmd.Annotations[shellKey] != "" {
			prompt = "fraktalia "
		}
		fmt.Fprintf(&out, "\n## `%s%s`\n\n%s", prompt, within(cmd)+cmd.Use, sentenceCase(cmd.Short))
		if cmd.Long != "" {
			out.WriteString(" " + cmd.Long)
		}
		if cmd.Annotations[shellKey] != "" {
			out.WriteString(" Only in the shell.")
		}
		out.WriteString("\n")
		for i, item := range flagList(cmd).Items {
			if i == 0 {
				out.WriteString("\n")
			}
			name, usage, _ := strings.Cut(item.String(), "  ")
			fmt.Fprintf(&out, "- `%s`: %s\n", name, usage)
		}
		if len(cmd.Aliases) > 0 {
			fmt.Fprintf(&out, "\nAlso `%s%s`.\n", prompt, strings.Join(cmd.Aliases, "`, `"+prompt))
		}
	}
	return out.String()
}

// withParts lists commands, each followed by those that are a part of it.
func withParts(commands []*cobra.Command) (all []*cobra.Command) {
	for _, cmd := range commands {
		all = append(append(all, cmd), withParts(cmd.Commands())...)
	}
	return all
}
