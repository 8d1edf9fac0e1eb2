package sandbox

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
)

// nearest is how many names are offered for one that does not exist.
const nearest = 3

// UnknownPackage is a name that the distribution does not have.
type UnknownPackage struct {
	Name string
	Near []string // the most similar names it has, best first; at most three
}

// knownScript prints the name of every package that can be installed. An index
// that cannot be fetched must not pass for a distribution without packages.
const knownScript = `apt-get update -qq --error-on=any >/tmp/said 2>&1 || { cat /tmp/said; exit 1; }
apt-cache dumpavail | sed -n 's/^Package: //p' | sort -u`

// UnknownPackages asks the distribution of a base image which of these package
// names it does not have. It needs the network, as the build does.
func (e *Engine) UnknownPackages(ctx context.Context, base string, names []string) ([]UnknownPackage, error) {
	id, err := e.startProbe(ctx, base, &container.HostConfig{})
	defer e.stopProbe(ctx, id)
	if err != nil {
		return nil, err
	}
	output, code, err := e.ask(ctx, id, knownScript)
	if err != nil {
		return nil, err
	}
	if code != 0 {
		return nil, fmt.Errorf("fetch the list of packages: %s", lastLine(output))
	}
	known := strings.Fields(output)
	var unknown []UnknownPackage
	for _, name := range names {
		if !slices.Contains(known, name) {
			unknown = append(unknown, UnknownPackage{Name: name, Near: nearNames(known, name)})
		}
	}
	return unknown, nil
}

// nearNames finds the names that differ least, at most by a third of the
// letters: a far-fetched offer is worse than none.
func nearNames(known []string, name string) []string {
	type near struct {
		name     string
		distance int
	}
	limit := max(1, len(name)/3)
	var found []near
	for _, other := range known {
		if d := distance(name, other, limit); d <= limit {
			found = append(found, near{other, d})
		}
	}
	slices.SortStableFunc(found, func(a, b near) int { return a.distance - b.distance })
	var names []string
	for _, n := range found[:min(nearest, len(found))] {
		names = append(names, n.name)
	}
	return names
}

// distance counts the letters to change, add or leave out between two words
// (Levenshtein); anything above limit may come back as limit+1.
func distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
