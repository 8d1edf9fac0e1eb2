// Package metrics tells counts to those who collect them: Prometheus' text
// format 0.0.4, over HTTP on an address of this machine alone.
//
// It is given values when somebody asks, keeps none, and knows nothing of what
// they mean.
package metrics

import (
	"bufio"
	"io"
	"slices"
	"strconv"
	"strings"
)

// contentType is what a collector knows the format by.
const contentType = "text/plain; version=0.0.4; charset=utf-8"

// Kind says what may be done with values.
type Kind string

// The kinds in use here.
const (
	Counter Kind = "counter" // only grows, and begins anew with the program
	Gauge   Kind = "gauge"   // goes up and down
)

// Family is all values of one name.
type Family struct {
	Name, Help string
	Kind       Kind
	Samples    []Sample
}

// Sample is one value. Labels are name and value by turns.
type Sample struct {
	Labels []string
	Value  float64
}

// Add adds a value; labels are those that it has in common with others, then
// its own.
func (f *Family) Add(value float64, labels []string, own ...string) {
	f.Samples = append(f.Samples, Sample{append(slices.Clone(labels), own...), value})
}

// Write writes families in the text format.
func Write(to io.Writer, families []Family) error {
	out := bufio.NewWriter(to) // keeps the first error for Flush
	help := strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	value := strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
	for _, family := range families {
		out.WriteString("# HELP " + family.Name + " " + help.Replace(family.Help) + "\n")
		out.WriteString("# TYPE " + family.Name + " " + string(family.Kind) + "\n")
		for _, sample := range family.Samples {
			out.WriteString(family.Name)
			before := "{"
			for i := 0; i+1 < len(sample.Labels); i += 2 {
				out.WriteString(before + sample.Labels[i] + `="` + value.Replace(strings.ToValidUTF8(sample.Labels[i+1], "\uFFFD")) + `"`)
				before = ","
			}
			if before == "," {
				out.WriteString("}")
			}
			out.WriteString(" " + strconv.FormatFloat(sample.Value, 'f', -1, 64) + "\n")
		}
	}
	return out.Flush()
}
