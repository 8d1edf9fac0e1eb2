// Command people measures how long a friend takes to be added: from the
// message in the room to the joining card, beside a plain !help in the same
// room, on a local Synapse that hashes passwords as it does out of the box; and
// how long a pasted list of two hundred takes. It prints one line a figure.
//
//	go run -tags goolm ./bench/people [-n 30] [-friends 200]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/githabideri/fraktalia/e2e/client"
	"github.com/githabideri/fraktalia/e2e/harness"
)

func main() {
	n := flag.Int("n", 30, "`rounds` that count")
	friends := flag.Int("friends", 200, "`length` of the pasted list; 0 for none")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	if err := measure(ctx, *n, *friends); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const (
	// warmUp rounds do not count: keys are exchanged, pages are touched.
	warmUp = 5
	// cardLimit is what issue 7 asks for, in ms.
	cardLimit = 1000
)

func measure(ctx context.Context, n, friends int) error {
	dir, remove, err := harness.Folder()
	if err != nil {
		return err
	}
	defer remove()
	binary, err := harness.Build(ctx, dir)
	if err != nil {
		return err
	}
	d, err := harness.New(ctx, binary, dir)
	if err != nil {
		return err
	}
	if err := d.HashAsUsual(); err != nil {
		return err
	}
	d.Env = []string{"HOME=" + dir}
	if err := d.Up(ctx); err != nil {
		return err
	}
	defer d.Down(ctx)
	owner, err := d.Owner(ctx)
	if err != nil {
		return err
	}
	defer owner.Close()
	if _, err := owner.Sign(ctx); err != nil {
		return err
	}
	admin, err := owner.Enter(ctx, d.AdminRoom, d.BotUserID)
	if err != nil {
		return err
	}
	if err := cards(ctx, admin, n); err != nil {
		return err
	}
	return list(ctx, admin, friends)
}

// cards adds friends one by one.
func cards(ctx context.Context, admin *client.Room, n int) error {
	var card, help []time.Duration
	for i := range warmUp + n {
		took, err := turn(ctx, admin, fmt.Sprintf("!adduser friend%d", i), "Password: ")
		if err != nil {
			return fmt.Errorf("round %d: %w", i, err)
		}
		plain, err := turn(ctx, admin, "!help forward", "forward")
		if err != nil {
			return fmt.Errorf("round %d: %w", i, err)
		}
		if i >= warmUp {
			card, help = append(card, took), append(help, plain)
		}
	}
	for _, q := range []int{50, 95} {
		ours, peer := quantile(card, q), quantile(help, q)
		fmt.Printf("bench people card_p%d_ms ours=%.1f help=%.1f ratio=%.2f\n", q, ours, peer, ours/peer)
	}
	ours := quantile(card, 50)
	fmt.Printf("bench people card_p50_ms ours=%.1f limit=%d ratio=%.2f\n", ours, cardLimit, ours/cardLimit)
	return nil
}

// list adds many friends at once.
func list(ctx context.Context, admin *client.Room, friends int) error {
	if friends == 0 {
		return nil
	}
	var text strings.Builder
	text.WriteString("!adduser\n")
	for i := range friends {
		fmt.Fprintf(&text, "guest%d Guest %d\n", i, i)
	}
	begun := time.Now()
	said, err := admin.Say(ctx, text.String())
	if err != nil {
		return err
	}
	out, err := said.Final(ctx)
	if err != nil {
		return err
	}
	if !out.OK || len(out.Files()) != 1 {
		return fmt.Errorf("the list was answered by\n%s", out.Body)
	}
	took := time.Since(begun).Seconds()
	fmt.Printf("bench people list_of_%d_s ours=%.1f each_ms=%.0f\n", friends, took, took*1000/float64(friends))
	return nil
}

// turn is the time from before a line is sent to when an answer with a text in
// it is read. It waits for the turn's end, so that rounds do not overlap.
func turn(ctx context.Context, admin *client.Room, line, text string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	said, err := admin.Say(ctx, line)
	if err != nil {
		return 0, err
	}
	out, err := said.Final(ctx)
	if err != nil {
		return 0, err
	}
	for _, r := range out.Replies {
		if out.OK && strings.Contains(r.Body, text) {
			return r.Seen.Sub(said.Started), nil
		}
	}
	return 0, fmt.Errorf("%s was answered by\n%s", line, out.Body)
}

func quantile(times []time.Duration, q int) float64 {
	sorted := slices.Sorted(slices.Values(times))
	return float64(sorted[min(len(sorted)*q/100, len(sorted)-1)].Microseconds()) / 1000
}
