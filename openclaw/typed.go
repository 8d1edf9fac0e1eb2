package openclaw

import (
	"fmt"
	"slices"
	"strings"

	"github.com/githabideri/fraktalia/openclaw/json5"
)

// UnknownPathError says that OpenClaw knows nothing by that path: Missing is the first name it does not know, Within what
// comes before it, Nearest are names there that resemble it, Names all that there are.
type UnknownPathError struct {
	Path    string
	Within  string
	Missing string
	Nearest []string
	Names   []string
}

func (e *UnknownPathError) Error() string {
	text := fmt.Sprintf("OpenClaw knows no key %q in %s", e.Missing, e.Within)
	if e.Within == "" {
		text = fmt.Sprintf("OpenClaw knows no key %q", e.Missing)
	}
	if len(e.Nearest) > 0 {
		text += "; did you mean " + strings.Join(e.Nearest, " or ") + "?"
	}
	return text
}

// ValueFor reads what a person typed as the value of a path: of the type that the schema asks for there, so that a name
// 007 stays a string. The error is an *UnknownPathError.
func (s *Schema) ValueFor(path json5.Path, typed string) (json5.Value, error) {
	field, known, err := s.known(path)
	if err != nil {
		return json5.Value{}, err
	}
	value := json5.ParseValue(typed)
	if known && slices.Equal(field.Types, []string{"string"}) && value.Kind != json5.String {
		return json5.StringValue(typed), nil
	}
	return value, nil
}

// known looks a path up, and says at which name it leaves what OpenClaw knows.
func (s *Schema) known(path json5.Path) (Field, bool, error) {
	names := schemaNames(path)
	field, known := s.Field(names)
	if !field.Closed {
		return field, known, nil
	}
	for i := range names {
		if within, _ := s.Field(names[:i+1]); within.Closed {
			above, _ := s.Field(names[:i])
			return field, true, &UnknownPathError{path.String(), path[:i].String(), names[i], json5.Nearest(names[i], above.Names), above.Names}
		}
	}
	return field, known, nil
}

// schemaNames makes names of a path; to a schema all elements are alike.
func schemaNames(path json5.Path) []string {
	names := make([]string, len(path))
	for i, s := range path {
		names[i] = "0"
		if name, ok := s.AsKey(); ok {
			names[i] = name
		}
	}
	return names
}

// Get finds a value in the file that holds it. Errors are those of json5.Document.Get.
func (c *Config) Get(path json5.Path) (json5.Node, error) {
	f, within, err := c.locate(path, false)
	if err != nil {
		return json5.Node{}, err
	}
	n, err := f.Get(within)
	if err != nil {
		return json5.Node{}, &FileError{f.Path(), err}
	}
	return n, nil
}
