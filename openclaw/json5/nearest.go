package json5

import (
	"sort"
	"strings"
)

// longestName bounds the work of comparing names: nobody mistypes longer ones.
const longestName = 100

// Nearest gives the names that somebody may have meant by a mistyped one, the closest first, three at most.
func Nearest(typed string, names []string) []string {
	type scored struct {
		name     string
		distance int
	}
	var list []scored
	seen := map[string]bool{}
	for _, name := range names {
		if len(typed) > longestName || len(name) > longestName {
			continue
		}
		d := distance(strings.ToLower(typed), strings.ToLower(name))
		near := d <= 1+len(typed)/4 || len(typed) > 2 && strings.Contains(strings.ToLower(name), strings.ToLower(typed))
		if near && !seen[name] && d < max(len(typed), len(name)) {
			list = append(list, scored{name, d})
		}
		seen[name] = true
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].distance < list[j].distance })
	var out []string
	for _, s := range list[:min(3, len(list))] {
		out = append(out, s.name)
	}
	return out
}

// distance counts the letters to add, drop, change or swap with their neighbour to make b of a.
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	before, row, next := make([]int, len(t)+1), make([]int, len(t)+1), make([]int, len(t)+1)
	for j := range row {
		row[j] = j
	}
	for i := range s {
		next[0] = i + 1
		for j := range t {
			cost := 1
			if s[i] == t[j] {
				cost = 0
			}
			next[j+1] = min(row[j]+cost, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && s[i] == t[j-1] && s[i-1] == t[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row, next = row, next, before
	}
	return row[len(t)]
}
