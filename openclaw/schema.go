package openclaw

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/dlclark/regexp2"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Schema is OpenClaw's own description of its configuration, of one version, cut into sections: the top-level members,
// and each channel by itself. Sections are read and compiled when they are first needed. Plugins' parts refer to
// definitions that are not there ("#/$defs/..."), so what holds a reference is left out: nothing is said about it.
type Schema struct {
	Version string
	dir     string
	names   []string // all top-level members

	mu       sync.Mutex
	compiled map[string]*jsonschema.Schema // nil where a section is left out
	raw      map[string]map[string]any
}

// namesFile lists the top-level members within a schema's folder.
const namesFile = "names"

// channelPrefix begins the names of sections that are one channel.
const channelPrefix = "channels."

// openSchema opens the sections of a version; fs.ErrNotExist says that they are not there yet.
func openSchema(dir, version string) (*Schema, error) {
	s := &Schema{Version: version, dir: filepath.Join(dir, version), compiled: map[string]*jsonschema.Schema{}, raw: map[string]map[string]any{}}
	data, err := os.ReadFile(filepath.Join(s.dir, namesFile))
	if err != nil {
		return nil, fmt.Errorf("read OpenClaw's schema: %w", err)
	}
	return s, json.Unmarshal(data, &s.names)
}

// storeSchema cuts what `openclaw config schema` printed into sections and keeps them.
func storeSchema(dir, version string, printed []byte) error {
	var whole struct {
		Properties map[string]json.RawMessage `json:"properties"`
	}
	if err := json.Unmarshal(printed, &whole); err != nil {
		return fmt.Errorf("read what openclaw config schema printed: %w", err)
	}
	if len(whole.Properties) == 0 {
		return errors.New("openclaw config schema printed no properties")
	}
	sections, names, err := cut(whole.Properties)
	if err != nil {
		return err
	}
	if sections[namesFile], err = json.Marshal(names); err != nil {
		return err
	}
	return writeSections(dir, version, sections)
}

// cut makes the sections.
func cut(properties map[string]json.RawMessage) (sections map[string]json.RawMessage, names []string, err error) {
	sections = map[string]json.RawMessage{}
	for name, section := range properties {
		names = append(names, name)
		sections[name] = section
	}
	sort.Strings(names)
	var channels struct {
		Properties map[string]json.RawMessage `json:"properties"`
	}
	if raw, ok := sections["channels"]; ok {
		if err := json.Unmarshal(raw, &channels); err != nil {
			return nil, nil, fmt.Errorf("read the schema of the channels: %w", err)
		}
		delete(sections, "channels")
	}
	for name, section := range channels.Properties {
		sections[channelPrefix+name] = section
	}
	for name, section := range sections {
		if strings.Contains(string(section), `"$ref"`) || strings.ContainsAny(name, `/\`) {
			delete(sections, name)
			continue
		}
		var compact bytes.Buffer // it is printed with three times as many blanks as anything else
		if err := json.Compact(&compact, section); err != nil {
			return nil, nil, fmt.Errorf("read the schema of %s: %w", name, err)
		}
		sections[name] = compact.Bytes()
	}
	return sections, names, nil
}

// writeSections puts the files into a new folder first, so that a schema is there whole or not at all.
func writeSections(dir, version string, sections map[string]json.RawMessage) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("keep OpenClaw's schema: %w", err)
	}
	temp, err := os.MkdirTemp(dir, ".new-")
	if err != nil {
		return fmt.Errorf("keep OpenClaw's schema: %w", err)
	}
	defer os.RemoveAll(temp) //nolint:errcheck // after the rename there is nothing left of it
	for name, section := range sections {
		if err := os.WriteFile(filepath.Join(temp, name), section, 0o644); err != nil {
			return fmt.Errorf("keep OpenClaw's schema: %w", err)
		}
	}
	err = os.Rename(temp, filepath.Join(dir, version))
	if errors.Is(err, fs.ErrExist) { // somebody else was faster
		return nil
	}
	return err
}

// rawSection reads a section; nil if it was left out.
func (s *Schema) rawSection(name string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	if section, ok := s.raw[name]; ok {
		return section
	}
	var section map[string]any
	if data, err := os.ReadFile(filepath.Join(s.dir, name)); err == nil {
		_ = json.Unmarshal(data, &section) // what cannot be read says nothing, like a section left out
	}
	s.raw[name] = section
	return section
}

// section compiles a section; nil if it was left out.
func (s *Schema) section(name string) (*jsonschema.Schema, error) {
	raw := s.rawSection(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if compiled, ok := s.compiled[name]; ok || raw == nil {
		return compiled, nil
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft7)
	compiler.UseRegexpEngine(compileRegexp)
	url := "openclaw:///" + name
	if err := compiler.AddResource(url, raw); err != nil {
		return nil, fmt.Errorf("OpenClaw's schema of %s: %w", name, err)
	}
	compiled, err := compiler.Compile(url)
	if err != nil {
		return nil, fmt.Errorf("OpenClaw's schema of %s: %w", name, err)
	}
	s.compiled[name] = compiled
	return compiled, nil
}

// pattern is a regular expression of JavaScript, look-aheads included.
type pattern struct{ *regexp2.Regexp }

func (p pattern) MatchString(text string) bool {
	matched, err := p.Regexp.MatchString(text)
	return err == nil && matched
}

func compileRegexp(text string) (jsonschema.Regexp, error) {
	compiled, err := regexp2.Compile(text, regexp2.ECMAScript)
	if err != nil {
		return nil, err
	}
	return pattern{compiled}, nil
}

// Field is what the schema says of one path.
type Field struct {
	Types  []string // of JSON: string, number, integer, boolean, array, object, null
	Enum   []string // the strings allowed, if they are counted out
	Names  []string // the members that an object there may have by name
	Free   bool     // an object there may have members of other names
	Title  string
	Closed bool // the path leads to nothing the schema allows
}

// Field looks a path of names up; elements of arrays are stepped into by any name. Known is false where the schema has
// nothing to say. Old list entries are looked up as entries.
func (s *Schema) Field(path []string) (field Field, known bool) {
	if len(path) == 0 {
		return Field{Types: []string{"object"}, Names: s.names}, true
	}
	name, rest := path[0], path[1:]
	if name == "channels" && len(rest) > 0 {
		name, rest = channelPrefix+rest[0], rest[1:]
	}
	if name == "agents" && len(rest) > 0 && rest[0] == "list" {
		rest = append([]string{"entries"}, rest[1:]...)
	}
	if !slices.Contains(s.names, path[0]) {
		return Field{Closed: true}, true
	}
	section := s.rawSection(name)
	if section == nil {
		return Field{}, false
	}
	nodes := []map[string]any{section}
	for _, step := range rest {
		if nodes = below(nodes, step); len(nodes) == 0 {
			return Field{Closed: true}, true
		}
	}
	return describe(nodes), true
}

// variants opens anyOf, oneOf and allOf.
func variants(nodes []map[string]any) []map[string]any {
	var list []map[string]any
	for _, n := range nodes {
		list = append(list, n)
		for _, key := range []string{"anyOf", "oneOf", "allOf"} {
			options, _ := n[key].([]any)
			for _, o := range options {
				if option, ok := o.(map[string]any); ok {
					list = append(list, variants([]map[string]any{option})...)
				}
			}
		}
	}
	return list
}

// below takes one step down in a schema.
func below(nodes []map[string]any, step string) []map[string]any {
	var list []map[string]any
	add := func(v any) {
		switch n := v.(type) {
		case map[string]any:
			list = append(list, n)
		case bool:
			if n {
				list = append(list, map[string]any{})
			}
		}
	}
	for _, n := range variants(nodes) {
		properties, _ := n["properties"].(map[string]any)
		switch {
		case properties[step] != nil:
			add(properties[step])
		case n["items"] != nil:
			add(n["items"])
		case n["additionalProperties"] != nil:
			add(n["additionalProperties"])
		case properties == nil && n["type"] == nil && n["anyOf"] == nil && n["oneOf"] == nil && n["allOf"] == nil && n["const"] == nil && n["enum"] == nil:
			list = append(list, map[string]any{}) // a schema that says nothing allows everything
		}
	}
	return list
}

func describe(nodes []map[string]any) Field {
	var f Field
	for _, n := range variants(nodes) {
		for _, t := range append(anyList(n["type"]), typesOfEnum(n)...) {
			if !slices.Contains(f.Types, t) {
				f.Types = append(f.Types, t)
			}
		}
		f.Enum = append(f.Enum, anyList(n["enum"])...)
		f.Enum = append(f.Enum, anyList(n["const"])...)
		if title, ok := n["title"].(string); ok && f.Title == "" {
			f.Title = title
		}
		properties, _ := n["properties"].(map[string]any)
		for name := range properties {
			f.Names = append(f.Names, name)
		}
		if more, there := n["additionalProperties"]; there && more != false {
			f.Free = true
		}
	}
	sort.Strings(f.Names)
	return f
}

// typesOfEnum is the type of an enumeration that does not name it.
func typesOfEnum(n map[string]any) []string {
	if n["type"] != nil {
		return nil
	}
	if len(anyList(n["enum"]))+len(anyList(n["const"])) > 0 {
		return []string{"string"}
	}
	if _, ok := n["const"].(bool); ok {
		return []string{"boolean"}
	}
	return nil
}

// anyList reads a string or a list of strings.
func anyList(v any) []string {
	if text, ok := v.(string); ok {
		return []string{text}
	}
	var list []string
	items, _ := v.([]any)
	for _, item := range items {
		if text, ok := item.(string); ok {
			list = append(list, text)
		}
	}
	return list
}
