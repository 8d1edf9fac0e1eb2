package probe

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	// roundFor is how long all tries of one round are waited for.
	roundFor = 1100 * time.Millisecond
	// patience is after how many rounds without any news the rest is silent. A
	// kernel sends a host six refusals at once and then one a second, so news
	// come slowly.
	patience = 3
	// mostRounds bounds it all.
	mostRounds = 90
)

// Ask tries all targets side by side, again and again, until every one has
// said something or nothing more is to be expected.
func Ask(ctx context.Context, targets []Target) []Seen {
	seen := make([]Seen, len(targets))
	for i, target := range targets {
		seen[i] = Seen{Target: target, How: Silent}
	}
	for round, quiet := 0, 0; round < mostRounds && quiet < patience && ctx.Err() == nil; round++ {
		before := silent(seen)
		if before == 0 {
			break
		}
		tryAll(ctx, seen)
		quiet++
		if silent(seen) < before {
			quiet = 0
		}
	}
	return seen
}

func silent(seen []Seen) (n int) {
	for _, s := range seen {
		if s.How == Silent {
			n++
		}
	}
	return n
}

// tryAll tries what has been silent so far, once.
func tryAll(ctx context.Context, seen []Seen) {
	ctx, cancel := context.WithTimeout(ctx, roundFor)
	defer cancel()
	var group sync.WaitGroup
	for i := range seen {
		if seen[i].How == Silent {
			group.Go(func() { seen[i] = try(ctx, seen[i].Target) })
		}
	}
	group.Wait()
}

// Serve reads a list of targets, tries them, and writes what it saw: the
// half that runs inside.
func Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	var targets []Target
	if err := json.NewDecoder(in).Decode(&targets); err != nil {
		return fmt.Errorf("read the targets: %w", err)
	}
	return json.NewEncoder(out).Encode(Ask(ctx, targets))
}
