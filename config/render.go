package config

import (
	"bytes"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// render puts the values of c into the shipped example, comments kept.
func (c Config) render() ([]byte, error) {
	var page, values yaml.Node
	if err := yaml.Unmarshal([]byte(Example), &page); err != nil {
		return nil, fmt.Errorf("read the shipped example: %w", err)
	}
	if err := values.Encode(c); err != nil {
		return nil, fmt.Errorf("encode configuration: %w", err)
	}
	fill(page.Content[0], &values)
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&page); err != nil {
		return nil, fmt.Errorf("encode configuration: %w", err)
	}
	return out.Bytes(), nil
}

// fill replaces the scalars and lists of a mapping by those of another one
// with the same keys.
func fill(page, values *yaml.Node) {
	for i := 0; i+1 < len(values.Content); i += 2 {
		for j := 0; j+1 < len(page.Content); j += 2 {
			if page.Content[j].Value != values.Content[i].Value {
				continue
			}
			from, to := values.Content[i+1], page.Content[j+1]
			if from.Kind == yaml.MappingNode {
				fill(to, from)
				continue
			}
			to.Kind, to.Tag, to.Value, to.Style, to.Content = from.Kind, from.Tag, from.Value, from.Style, from.Content
		}
	}
}
