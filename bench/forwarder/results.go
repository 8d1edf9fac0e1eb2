package main

import (
	"fmt"
	"io"
	"slices"
)

// results keeps every round's figures.
type results struct {
	metrics []string // in the order of their first figure
	figures map[string]map[string][]float64
}

func (r *results) add(metric, peer string, value float64) {
	if r.figures == nil {
		r.figures = map[string]map[string][]float64{}
	}
	if r.figures[metric] == nil {
		r.figures[metric] = map[string][]float64{}
		r.metrics = append(r.metrics, metric)
	}
	r.figures[metric][peer] = append(r.figures[metric][peer], value)
}

func (r *results) print(w io.Writer, order []peer) {
	for _, metric := range r.metrics {
		mine, ok := median(r.figures[metric][ours])
		if !ok {
			continue
		}
		for _, p := range order {
			theirs, ok := median(r.figures[metric][p.name])
			if p.name == ours || !ok {
				continue
			}
			fmt.Fprintf(w, "bench forwarder %s ours=%.4g %s=%.4g ratio=%.3g\n", metric, mine, p.name, theirs, mine/theirs)
		}
	}
}

func median(values []float64) (float64, bool) {
	if len(values) == 0 {
		return 0, false
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2], true
}
