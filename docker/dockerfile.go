package docker

import (
	"io/fs"
	"strings"
)

// Dockerfile writes the Dockerfile of a selection. It stays within what both
// of Docker's builders understand.
func (c Catalog) Dockerfile(s Selection) (string, error) {
	layers, err := c.Layers(s)
	if err != nil {
		return "", err
	}
	head, err := fs.ReadFile(contexts, "sandbox/head.Dockerfile")
	if err != nil {
		return "", err
	}
	tail, err := fs.ReadFile(contexts, "sandbox/tail.Dockerfile")
	if err != nil {
		return "", err
	}
	var text strings.Builder
	text.Write(head)
	for _, layer := range layers {
		writeLayer(&text, layer)
	}
	if s.Fragment != "" {
		text.WriteString("\n# The owner's own instructions.\n" + strings.TrimSpace(s.Fragment) + "\nUSER root\n")
	}
	text.WriteString("\n")
	text.Write(tail)
	return text.String(), nil
}

// writeLayer writes one RUN. The comment above it is no part of the cached
// step: rewording it costs no build.
func writeLayer(text *strings.Builder, layer Layer) {
	text.WriteString("\n# " + layer.Name + ": " + layer.About + ".\n")
	text.WriteString("RUN apt-get update && apt-get install -y --no-install-recommends \\\n")
	for _, line := range wrapped(layer.Packages, 70) {
		text.WriteString("        " + line + " \\\n")
	}
	text.WriteString("    && rm -rf /var/lib/apt/lists/*\n")
}

// wrapped joins words to lines of at most width characters.
func wrapped(words []string, width int) []string {
	var lines []string
	for _, word := range words {
		last := len(lines) - 1
		if last >= 0 && len(lines[last])+1+len(word) <= width {
			lines[last] += " " + word
			continue
		}
		lines = append(lines, word)
	}
	return lines
}
