package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
)

// Both are this project's forwarder: what is compared is the rules.
const (
	behindRules  = "with-rules"
	withoutRules = "without"
)

// wall measures our forwarder with the sandboxes' rules in and out, in
// interleaved rounds: program puts them in and out, as the configuration says.
func (b *bench) wall(ctx context.Context, program, config string, works []string, rounds int, out *results) error {
	var forwarder peer
	for _, p := range peers() {
		if p.name == ours {
			forwarder = p
		}
	}
	for round := range 2 * rounds {
		// Each pair begins with the other one.
		p, act := forwarder, []string{"apply"}
		if p.name = behindRules; (round+round/2)%2 == 1 {
			p.name, act = withoutRules, []string{"remove", "--force"}
		}
		if _, err := command(program, append([]string{"firewall", "--config", config}, act...)...); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := b.measure(p, works, round, out); err != nil {
			return fmt.Errorf("round %d, %s: %w", round/2+1, p.name, err)
		}
	}
	out.printWall(os.Stdout)
	return nil
}

func (r *results) printWall(w io.Writer) {
	for _, metric := range r.metrics {
		with, _ := median(r.figures[metric][behindRules])
		without, ok := median(r.figures[metric][withoutRules])
		if ok && !strings.Contains(metric, "descriptors") {
			fmt.Fprintf(w, "bench firewall %s %s=%.4g %s=%.4g ratio=%.3g\n", metric, behindRules, with, withoutRules, without, with/without)
		}
	}
}
