package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/githabideri/fraktalia/"

// above lists which of our packages a package may import; a package that is
// not listed may import none but those of ground. .golangci.yml says the same
// to editors.
var above = map[string][]string{
	"":         {"app"},
	"app":      {"arrival", "backup", "bot", "command", "config", "docker", "firewall", "forwarder", "homeserver", "metrics", "openclaw", "persona", "relay", "remote", "reply", "sandbox", "shell", "socketproxy", "stack", "store", "tailnet", "workspace"},
	"arrival":  {"homeserver", "reply", "store"},
	"bot":      {"command", "reply", "store"},
	"shell":    {"command", "reply", "store"},
	"command":  {"backup", "chart", "docker", "firewall", "forwarder", "homeserver", "openclaw", "reply", "sandbox", "store", "workspace"},
	"openclaw": {"openclaw"},
	"persona":  {"docs"},
}

// ground are packages that anybody may import: they know nothing of the program.
var ground = []string{"procnet", "crashpoint", "secretfile", "aside"}

// Imports run downward only; see docs/architecture.md.
func TestImportsRunDownward(t *testing.T) {
	out, err := exec.Command("go", "list", "-tags", "goolm", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		from := room(p.ImportPath)
		if slices.Contains([]string{"e2e", "bench", "demo"}, from) {
			continue
		}
		for _, imported := range p.Imports {
			if !strings.HasPrefix(imported, module) {
				continue
			}
			to := room(imported)
			if to != from && !slices.Contains(above[from], to) && !slices.Contains(ground, to) {
				t.Errorf("%s imports %s: imports run downward only (docs/architecture.md)", p.ImportPath, imported)
			}
		}
	}
}

// room is the top-level folder of a package, "" for the program itself.
func room(path string) string {
	path = strings.TrimPrefix(path+"/", module)
	name, _, _ := strings.Cut(path, "/")
	return name
}
