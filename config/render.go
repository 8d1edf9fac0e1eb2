package config

import (
	"bytes"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// render puts the values of c into the shipped example, comments kept.
func (c Config) render() ([]byte, error) { return c.into([]byte(Example)) }

// into puts the values of c into a file, comments kept. What the file does not
// name is added where it differs from the default.
func (c Config) into(text []byte) ([]byte, error) {
	var page, values, standard yaml.Node
	if err := yaml.Unmarshal(text, &page); err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	if err := standard.Encode(Default()); err != nil {
		return nil, fmt.Errorf("encode configuration: %w", err)
	}
	if err := values.Encode(c); err != nil {
		return nil, fmt.Errorf("encode configuration: %w", err)
	}
	fill(page.Content[0], &values, &standard)
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&page); err != nil {
		return nil, fmt.Errorf("encode configuration: %w", err)
	}
	return out.Bytes(), nil
}

// fill replaces the scalars and lists of a mapping by those of another one
// with the same keys, and adds those that it lacks and that are not standard.
func fill(page, values, standard *yaml.Node) {
	for i := 0; i+1 < len(values.Content); i += 2 {
		key, from := values.Content[i], values.Content[i+1]
		usual := member(standard, key.Value)
		to := member(page, key.Value)
		switch {
		case to == nil && usual != nil && same(from, usual):
		case to == nil:
			page.Content = append(page.Content, key, from)
		case from.Kind == yaml.MappingNode && to.Kind == yaml.MappingNode:
			fill(to, from, usual)
		case !same(from, to):
			to.Kind, to.Tag, to.Value, to.Style, to.Content = from.Kind, from.Tag, from.Value, from.Style, from.Content
		}
	}
}

// member is the value of a key in a mapping, nil where there is none.
func member(mapping *yaml.Node, key string) *yaml.Node {
	if mapping == nil {
		return nil
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// same says whether two nodes mean the same.
func same(a, b *yaml.Node) bool {
	if a.Kind != b.Kind || a.Value != b.Value || len(a.Content) != len(b.Content) {
		return false
	}
	for i := range a.Content {
		if !same(a.Content[i], b.Content[i]) {
			return false
		}
	}
	return true
}
