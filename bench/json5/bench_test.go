package json5

import (
	"context"
	"os"
	"strconv"
	"testing"
)

// TestMain lets the benchmark's own program be the process that is measured.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "config" {
		os.Exit(config(context.Background(), os.Args[2:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// BenchmarkConfig measures once, however often it is asked to: the figures are medians of runs of their own.
func BenchmarkConfig(b *testing.B) {
	edits := 0
	if text := os.Getenv("FRAKTALIA_EDITS"); text != "" {
		var err error
		if edits, err = strconv.Atoi(text); err != nil {
			b.Fatalf("FRAKTALIA_EDITS must be a number: %v", err)
		}
	}
	if b.N > 1 {
		return
	}
	if err := run(os.Stdout, os.Getenv("FRAKTALIA_PROGRAM"), edits); err != nil {
		b.Fatal(err)
	}
}
