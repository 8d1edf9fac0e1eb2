package persona

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var facts = Facts{ID: "mox", Name: "Mox", Room: "Mox's room", Owners: []string{"@mila:h", "@ada:h"}, Bot: "@bot:h", FirstPort: 9000, LastPort: 9099}

// A new agent is told what it can do here, in files that its OpenClaw reads.
func TestFiles(t *testing.T) {
	for legacy, want := range map[bool]int{false: 5, true: 7} {
		files, err := Files("", facts, legacy)
		if err != nil || len(files) != want {
			t.Fatalf("%v %v", err, files)
		}
		for _, text := range []string{"Mox's room", "`0.0.0.0`, on a port from 9000 to 9099", "(@mila:h, @ada:h)", "!forward 9005 --for 2h", "!agent mox set", "@bot:h looks after"} {
			if !strings.Contains(files["AGENTS.md"], text) {
				t.Errorf("AGENTS.md has no %q:\n%s", text, files["AGENTS.md"])
			}
		}
		if skill := files["skills/fraktalia/SKILL.md"]; !strings.HasPrefix(skill, "---\nname: fraktalia\n") || !strings.Contains(skill, "!agent mox set name") || strings.Contains(skill, "YOUR-ID") {
			t.Error(skill)
		}
		for name, text := range files {
			if strings.Contains(text, "{{") || strings.Contains(text, "<no value>") {
				t.Errorf("%s: %s", name, text)
			}
		}
		if _, there := files["TOOLS.md"]; there != legacy {
			t.Errorf("TOOLS.md: %v", there)
		}
	}
}

// What the owner puts into the folder counts; what is wrong in it is told with
// its name.
func TestOwnersTemplates(t *testing.T) {
	folder := t.TempDir()
	if err := Show(folder); err != nil {
		t.Fatal(err)
	}
	shown, err := os.ReadFile(filepath.Join(folder, "SOUL.md.example"))
	if err != nil || !strings.Contains(string(shown), "who you are") {
		t.Errorf("%v %s", err, shown)
	}
	write(t, folder, "SOUL.md", "You are {{.Name}}, a pirate.")
	write(t, folder, "GARDEN.md", "Tomatoes")
	write(t, folder, "TOOLS.md", "Use the {{.ID}} spade.")
	files, err := Files(folder, facts, false)
	if err != nil || files["SOUL.md"] != "You are Mox, a pirate." || files["GARDEN.md"] != "Tomatoes" || !strings.HasSuffix(files["AGENTS.md"], "Use the mox spade.\n") {
		t.Errorf("%v %v", err, files)
	}
	for _, wrong := range []string{"{{.Nmae}}", "{{"} {
		write(t, folder, "SOUL.md", wrong)
		var template *TemplateError
		if _, err := Files(folder, facts, false); !errors.As(err, &template) || template.Path != filepath.Join(folder, "SOUL.md") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}

func write(t *testing.T, folder, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
