package docker

import (
	"io/fs"
	"strings"
)

// Style says for whom a Dockerfile is written.
type Style struct {
	// CacheMounts keeps apt's lists and downloads between builds, outside of the
	// image. BuildKit knows these mounts, the classic builder does not.
	CacheMounts bool
}

// Dockerfile writes the Dockerfile of a selection. Without cache mounts it
// stays within what both of Docker's builders understand. The heavy packages
// are not in it: see HeavyDockerfile.
func (c Catalog) Dockerfile(s Selection, style Style) (string, error) {
	layers, err := c.Layers(s)
	if err != nil {
		return "", err
	}
	head, err := fs.ReadFile(contexts, "sandbox/head.Dockerfile")
	if err != nil {
		return "", err
	}
	tail, err := Tail()
	if err != nil {
		return "", err
	}
	var text strings.Builder
	text.Write(head)
	for _, layer := range layers {
		writeLayer(&text, layer, style)
	}
	if s.Fragment != "" {
		text.WriteString(fragmentHead + strings.TrimSpace(s.Fragment) + "\nUSER root\n")
	}
	text.WriteString("\n" + tail)
	return text.String(), nil
}

// fragmentHead stands before the owner's own instructions.
const fragmentHead = "\n# The owner's own instructions.\n"

// FragmentLine tells which line of the owner's own instructions a line of the
// whole Dockerfile is; 0 for none of them.
func FragmentLine(dockerfile, fragment string, line int) int {
	before, _, found := strings.Cut(dockerfile, fragmentHead)
	if !found || fragment == "" {
		return 0
	}
	first := strings.Count(before+fragmentHead, "\n") // lines before it
	blank := strings.Count(fragment[:len(fragment)-len(strings.TrimLeft(fragment, " \t\r\n"))], "\n")
	own := line - first
	if own < 1 || own > strings.Count(strings.TrimSpace(fragment), "\n")+1 {
		return 0
	}
	return own + blank
}

// Tail is the end of every Dockerfile: the agent's user.
func Tail() (string, error) {
	tail, err := fs.ReadFile(contexts, "sandbox/tail.Dockerfile")
	return string(tail), err
}

// HeavyDockerfile writes what puts the heavy packages of a selection on top of
// its image, which is the build argument BASE; "" where there are none. They
// come last and apart, because they are built under a limit of memory, which
// only the classic builder keeps.
func (c Catalog) HeavyDockerfile(s Selection) (string, error) {
	layers, err := HeavyLayers(s)
	if err != nil || len(layers) == 0 {
		return "", err
	}
	var text strings.Builder
	text.WriteString("ARG BASE\nFROM ${BASE}\nUSER root\n")
	for _, layer := range layers {
		writeLayer(&text, layer, Style{})
	}
	text.WriteString("\nARG AGENT_UID=1000\nARG AGENT_GID=1000\nUSER ${AGENT_UID}:${AGENT_GID}\n")
	return text.String(), nil
}

// Where apt's lists and downloads are kept. The distribution's own images throw
// away what lies in /var/cache/apt/archives, so it is another folder. One
// build at a time has them.
const (
	listsMount = "--mount=type=cache,id=fraktalia-apt-lists,target=/var/lib/apt/lists,sharing=locked"
	kept       = "/var/cache/apt/kept"
	keptMount  = "--mount=type=cache,id=fraktalia-apt-kept,target=" + kept + ",sharing=locked"
)

// writeLayer writes one RUN. The comment above it is no part of the cached
// step: rewording it costs no build.
func writeLayer(text *strings.Builder, layer Layer, style Style) {
	text.WriteString("\n# " + layer.Name + ": " + layer.About + ".\n")
	if style.CacheMounts {
		text.WriteString("RUN " + listsMount + " \\\n    " + keptMount + " \\\n")
		text.WriteString("    apt-get update && apt-get -o Dir::Cache::archives=" + kept + " install -y --no-install-recommends")
	} else {
		text.WriteString("RUN apt-get update && apt-get install -y --no-install-recommends")
	}
	for _, line := range wrapped(layer.Packages, 70) {
		text.WriteString(" \\\n        " + line)
	}
	if !style.CacheMounts {
		text.WriteString(" \\\n    && rm -rf /var/lib/apt/lists/*")
	}
	text.WriteString("\n")
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
