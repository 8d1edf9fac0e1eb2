package openclaw

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/githabideri/fraktalia/openclaw/json5"
)

// Issue is something wrong with a configuration.
type Issue struct {
	Path    string // as in "agents.entries.mox.sandbox.mode"
	Message string // in words: "must be one of off, non-main, all"
}

func (i Issue) String() string {
	if i.Path == "" {
		return i.Message
	}
	return i.Path + ": " + i.Message
}

// Validate holds a configuration, all files merged, against the schema.
func (s *Schema) Validate(root json5.Value) ([]Issue, error) {
	var issues []Issue
	for _, m := range root.Members {
		found, err := s.validateSection(m.Key, m.Value)
		if err != nil {
			return nil, err
		}
		issues = append(issues, found...)
	}
	return issues, nil
}

func (s *Schema) validateSection(name string, v json5.Value) ([]Issue, error) {
	switch {
	case !slices.Contains(s.names, name):
		return []Issue{{"", unknownKey(name, s.names)}}, nil
	case name == "agents":
		return s.validateAgents(v)
	case name != "channels":
		return s.validateValue(name, []string{name}, v)
	}
	var issues []Issue
	for _, m := range v.Members {
		found, err := s.validateValue(channelPrefix+m.Key, []string{name, m.Key}, m.Value)
		if err != nil {
			return nil, err
		}
		issues = append(issues, found...)
	}
	return issues, nil
}

// validateAgents reads an old list as entries, which is what OpenClaw itself does with it.
func (s *Schema) validateAgents(v json5.Value) ([]Issue, error) {
	list, isList := v.Member("list")
	if !isList {
		return s.validateValue("agents", []string{"agents"}, v)
	}
	var migrated []json5.Member
	for _, m := range v.Members {
		if m.Key == "list" {
			m = json5.Member{Key: "entries", Value: entriesOf(list)}
		}
		migrated = append(migrated, m)
	}
	issues, err := s.validateValue("agents", []string{"agents"}, json5.ObjectValue(migrated...))
	for i := range issues {
		if rest, ok := strings.CutPrefix(issues[i].Path, "agents.entries."); ok {
			id, rest, _ := strings.Cut(rest, ".")
			issues[i].Path = strings.TrimSuffix("agents.list[id="+id+"]."+rest, ".")
		}
	}
	return issues, err
}

// entriesOf makes a map of a list; the retired default flag goes, as OpenClaw's own migration does.
func entriesOf(list json5.Value) json5.Value {
	entries := json5.ObjectValue()
	for _, item := range list.Items {
		entry := json5.ObjectValue()
		for _, m := range item.Members {
			if m.Key != "id" && m.Key != "default" {
				entry.Members = append(entry.Members, m)
			}
		}
		if id := text(item, "id"); id != "" {
			entries.Members = append(entries.Members, json5.Member{Key: id, Value: entry})
		}
	}
	return entries
}

func (s *Schema) validateValue(section string, at []string, v json5.Value) ([]Issue, error) {
	compiled, err := s.section(section)
	if err != nil || compiled == nil {
		return nil, err
	}
	err = compiled.Validate(plain(v))
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return nil, err
	}
	return s.explain(invalid, at, nil), nil
}

// plain makes of a value what the schema's reader knows. NaN and Infinity become strings, which no number schema takes.
func plain(v json5.Value) any {
	switch v.Kind {
	case json5.Bool:
		return v.Bool
	case json5.Number:
		if math.IsNaN(v.Number) || math.IsInf(v.Number, 0) {
			return v.Text
		}
		return v.Number
	case json5.String:
		return v.Text
	case json5.Array:
		list := make([]any, len(v.Items))
		for i, item := range v.Items {
			list[i] = plain(item)
		}
		return list
	case json5.Object:
		object := make(map[string]any, len(v.Members))
		for _, m := range v.Members {
			object[m.Key] = plain(m.Value)
		}
		return object
	}
	return nil
}

// explain turns the schema's errors into issues. Of alternatives that all fail, the one that got furthest is told.
func (s *Schema) explain(e *jsonschema.ValidationError, at []string, list []Issue) []Issue {
	switch e.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf:
		if deepest := furthest(e); deepest != nil {
			return s.explain(deepest, at, list)
		}
	}
	if len(e.Causes) > 0 {
		for _, cause := range e.Causes {
			list = s.explain(cause, at, list)
		}
		return list
	}
	path := append(append([]string{}, at...), e.InstanceLocation...)
	field, _ := s.Field(path)
	return append(list, Issue{strings.Join(path, "."), message(e.ErrorKind, field)})
}

// furthest picks, of the alternatives of a value, the one that is of the right type and fails only within it; nil if
// none is.
func furthest(e *jsonschema.ValidationError) *jsonschema.ValidationError {
	var best *jsonschema.ValidationError
	for _, cause := range e.Causes {
		if _, wrongType := leaf(cause).ErrorKind.(*kind.Type); wrongType && len(leaf(cause).InstanceLocation) == len(e.InstanceLocation) {
			continue
		}
		if _, wrongConst := leaf(cause).ErrorKind.(*kind.Const); wrongConst {
			continue
		}
		if best == nil || len(leaf(cause).InstanceLocation) > len(leaf(best).InstanceLocation) {
			best = cause
		}
	}
	if best == nil {
		e.Causes = nil
	}
	return best
}

func leaf(e *jsonschema.ValidationError) *jsonschema.ValidationError {
	for len(e.Causes) > 0 {
		e = e.Causes[0]
	}
	return e
}

// message says what is wrong in words.
func message(k jsonschema.ErrorKind, field Field) string {
	switch k := k.(type) {
	case *kind.AdditionalProperties:
		var list []string
		for _, name := range k.Properties {
			list = append(list, unknownKey(name, field.Names))
		}
		return strings.Join(list, "; ")
	case *kind.Type:
		return fmt.Sprintf("must be of type %s, but is of type %s", strings.Join(k.Want, " or "), k.Got)
	case *kind.Required:
		return "lacks " + strings.Join(k.Missing, " and ")
	case *kind.Pattern:
		return fmt.Sprintf("%q does not have the form %s", k.Got, k.Want)
	case *kind.PropertyNames:
		return fmt.Sprintf("the key %q is not allowed", k.Property)
	case *kind.Minimum, *kind.Maximum, *kind.ExclusiveMinimum, *kind.ExclusiveMaximum:
		return "the number is out of range"
	case *kind.MinLength, *kind.MinItems:
		return "must not be empty, or is too short"
	}
	if len(field.Enum) > 0 {
		return "must be one of " + strings.Join(field.Enum, ", ")
	}
	if len(field.Types) > 0 {
		return "must be of type " + strings.Join(field.Types, " or ")
	}
	return "is not what OpenClaw allows there"
}

func unknownKey(name string, known []string) string {
	text := "OpenClaw knows no key " + strconv.Quote(name) + " there"
	if near := json5.Nearest(name, known); len(near) > 0 {
		text += "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return text
}
