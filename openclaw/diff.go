package openclaw

import (
	"fmt"
	"path/filepath"
	"strings"
)

// contextLines is how many unchanged lines a diff shows around a change.
const contextLines = 3

// searchLimit bounds the search for a shortest difference; beyond it the whole part that differs is shown as replaced.
const searchLimit = 2000

// Diff shows how one content of a file became another, in the unified form, under the file's name. The strings of members
// that are called token, password, env or the like are hidden, in comments too; equal ones can be told from different ones.
func Diff(path string, before, after []byte) string {
	h := newHider()
	name := filepath.Base(path)
	lines := compare(split(h.hide(before)), split(h.hide(after)))
	text := unified(lines)
	if text == "" {
		return ""
	}
	return "--- " + name + "\n+++ " + name + "\n" + text
}

// diffLine is one line and what became of it: ' ' kept, '-' gone, '+' new.
type diffLine struct {
	mark byte
	text string
}

func split(text string) []string {
	lines := strings.SplitAfter(text, "\n")
	if lines[len(lines)-1] == "" {
		return lines[:len(lines)-1]
	}
	return lines
}

// compare finds the lines that were kept: the same ones at both ends, and a longest common sequence in between.
func compare(a, b []string) []diffLine {
	var head, tail []diffLine
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		head = append(head, diffLine{' ', a[0]})
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		tail = append(tail, diffLine{' ', a[len(a)-1]})
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	lines := append(head, middle(a, b)...)
	for i := len(tail) - 1; i >= 0; i-- {
		lines = append(lines, tail[i])
	}
	return lines
}

// middle compares by the table of longest common sequences, which is small because the equal ends are cut off.
func middle(a, b []string) []diffLine {
	var lines []diffLine
	if len(a) > searchLimit || len(b) > searchLimit {
		return replaced(a, b)
	}
	length := make([][]int32, len(a)+1)
	for i := range length {
		length[i] = make([]int32, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			length[i][j] = max(length[i+1][j], length[i][j+1])
			if a[i] == b[j] {
				length[i][j] = length[i+1][j+1] + 1
			}
		}
	}
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i] == b[j]:
			lines = append(lines, diffLine{' ', a[i]})
			i, j = i+1, j+1
		case length[i+1][j] >= length[i][j+1]:
			lines = append(lines, diffLine{'-', a[i]})
			i++
		default:
			lines = append(lines, diffLine{'+', b[j]})
			j++
		}
	}
	return append(lines, replaced(a[i:], b[j:])...)
}

func replaced(a, b []string) []diffLine {
	var lines []diffLine
	for _, text := range a {
		lines = append(lines, diffLine{'-', text})
	}
	for _, text := range b {
		lines = append(lines, diffLine{'+', text})
	}
	return lines
}

// unified writes the hunks.
func unified(lines []diffLine) string {
	var out strings.Builder
	for from := 0; from < len(lines); {
		first := nextChange(lines, from)
		if first == len(lines) {
			break
		}
		last := first
		for next := first; next < len(lines) && next-last <= 2*contextLines; next = nextChange(lines, next+1) {
			last = next
		}
		start, end := max(from, first-contextLines), min(len(lines), last+contextLines+1)
		hunk(&out, lines, start, end)
		from = end
	}
	return out.String()
}

func nextChange(lines []diffLine, from int) int {
	for from < len(lines) && lines[from].mark == ' ' {
		from++
	}
	return from
}

func hunk(out *strings.Builder, lines []diffLine, start, end int) {
	oldStart, newStart := number(lines[:start], '+'), number(lines[:start], '-')
	oldCount, newCount := number(lines[start:end], '+'), number(lines[start:end], '-')
	fmt.Fprintf(out, "@@ -%s +%s @@\n", extent(oldStart, oldCount), extent(newStart, newCount))
	for _, l := range lines[start:end] {
		text := strings.TrimRight(l.text, "\r\n")
		fmt.Fprintf(out, "%c%s\n", l.mark, text)
		if !strings.HasSuffix(l.text, "\n") {
			out.WriteString("\\ No newline at end of file\n")
		}
	}
}

// number counts the lines that are not marked so.
func number(lines []diffLine, without byte) int {
	n := 0
	for _, l := range lines {
		if l.mark != without {
			n++
		}
	}
	return n
}

func extent(before, count int) string {
	if count == 1 {
		return fmt.Sprint(before + 1)
	}
	if count == 0 {
		return fmt.Sprintf("%d,0", before)
	}
	return fmt.Sprintf("%d,%d", before+1, count)
}
