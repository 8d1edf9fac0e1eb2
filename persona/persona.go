// Package persona writes the files that a new agent finds in its workspace: who
// it is, how it behaves, and what it can do here. They are made of templates,
// which the machine's owner changes by putting files of the same names into a
// folder. It knows neither OpenClaw's configuration nor where workspaces are.
package persona

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"github.com/githabideri/fraktalia/docs/skill"
)

//go:embed templates/*.md
var shipped embed.FS

// Facts are what the templates may say.
type Facts struct {
	ID     string // of the agent
	Name   string // as people see it
	Room   string // its room's name
	Owners []string
	Bot    string // the bot's account
	// FirstPort and LastPort are those that can be forwarded.
	FirstPort, LastPort int
	// Tools is TOOLS.md, for AGENTS.md to hold: newer versions of OpenClaw read
	// no TOOLS.md.
	Tools string
}

// TemplateError says that a template of the owner's cannot be used.
type TemplateError struct {
	Path string
	Err  error
}

func (e *TemplateError) Error() string { return e.Path + ": " + e.Err.Error() }
func (e *TemplateError) Unwrap() error { return e.Err }

// exampleEnd ends the names of the shipped templates where the owner looks for
// them: without it, the file counts.
const exampleEnd = ".example"

// old are the files that OpenClaw reads no more since it keeps its agents in
// agents.entries; it would only archive them.
var old = []string{"TOOLS.md", "HEARTBEAT.md"}

// Files makes the files, by their paths in the workspace. Folder holds the
// owner's templates, and may be absent; legacy is for versions of OpenClaw that
// read TOOLS.md and HEARTBEAT.md. Errors: *TemplateError.
func Files(folder string, facts Facts, legacy bool) (map[string]string, error) {
	templates, err := load(folder)
	if err != nil {
		return nil, err
	}
	if facts.Tools, err = render(templates["TOOLS.md"], facts); err != nil {
		return nil, err
	}
	facts.Tools = strings.TrimSpace(facts.Tools)
	files := map[string]string{"skills/fraktalia/SKILL.md": strings.ReplaceAll(skill.Text, "YOUR-ID", facts.ID)}
	for name, t := range templates {
		if !legacy && slices.Contains(old, name) {
			continue
		}
		if files[name], err = render(t, facts); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// source is a template with where it comes from.
type source struct{ path, text string }

// load reads the shipped templates, and in their place those of the owner.
func load(folder string) (map[string]source, error) {
	templates := map[string]source{}
	entries, err := shipped.ReadDir("templates")
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		text, err := shipped.ReadFile("templates/" + entry.Name())
		if err != nil {
			return nil, err
		}
		templates[entry.Name()] = source{entry.Name(), string(text)}
	}
	own, err := filepath.Glob(filepath.Join(folder, "*.md"))
	if err != nil || folder == "" {
		return templates, err
	}
	for _, path := range own {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, &TemplateError{path, plain(err)}
		}
		templates[filepath.Base(path)] = source{path, string(text)}
	}
	return templates, nil
}

// plain is a file's error without its path.
func plain(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

func render(s source, facts Facts) (string, error) {
	t, err := template.New(filepath.Base(s.path)).Option("missingkey=error").Parse(s.text)
	if err != nil {
		return "", &TemplateError{s.path, err}
	}
	var out strings.Builder
	if err := t.Execute(&out, facts); err != nil {
		return "", &TemplateError{s.path, err}
	}
	return out.String(), nil
}

// Show puts the shipped templates into the owner's folder, each under its name
// with ".example" behind it.
func Show(folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("show the templates: %w", err)
	}
	templates, err := load("")
	if err != nil {
		return err
	}
	for name, t := range templates {
		if err := os.WriteFile(filepath.Join(folder, name+exampleEnd), []byte(t.text), 0o600); err != nil {
			return fmt.Errorf("show the templates: %w", err)
		}
	}
	return nil
}
