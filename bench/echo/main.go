// Command echo measures the bot beside a bare mautrix client: the time from a
// command typed to its answer read, in the same encrypted room, on the same
// homeserver, turn by turn in one run. It prints one line a figure, and judges
// none.
//
//	go run -tags goolm ./bench/echo [-n 100]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/githabideri/fraktalia/e2e/client"
	"github.com/githabideri/fraktalia/e2e/harness"
)

func main() {
	n := flag.Int("n", 100, "`rounds` that count")
	flag.Parse()
	if err := measure(context.Background(), *n); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// warmUp rounds go first and do not count: keys are shared, pages are touched.
const warmUp = 10

func measure(ctx context.Context, n int) error {
	dir, remove, err := harness.Folder()
	if err != nil {
		return err
	}
	defer remove()
	d, owner, err := bringUp(ctx, dir)
	if err != nil {
		return err
	}
	defer d.Down(ctx)
	defer owner.Close()
	admin, err := owner.Enter(ctx, d.AdminRoom, d.BotUserID)
	if err != nil {
		return err
	}
	peer, err := startPeer(ctx, d, owner, filepath.Join(dir, "peer"))
	if err != nil {
		return err
	}
	defer peer.close()
	if err := roundTrips(ctx, admin, peer, n); err != nil {
		return err
	}
	if err := resident(ctx, d, admin); err != nil {
		return err
	}
	if err := ready(ctx, d); err != nil {
		return err
	}
	if err := mayPropose(ctx, d, binaryOf(dir)); err != nil {
		return err
	}
	return proposals(ctx, d, admin, peer, n)
}

// bringUp makes a deployment, then lets the bot run alone on its homeserver.
func bringUp(ctx context.Context, dir string) (*harness.Deployment, *client.Client, error) {
	binary, err := harness.Build(ctx, dir)
	if err != nil {
		return nil, nil, err
	}
	d, err := harness.New(ctx, binary, dir)
	if err != nil {
		return nil, nil, err
	}
	if err := d.Up(ctx); err != nil {
		return nil, nil, err
	}
	if err := d.Process.Stop(ctx); err != nil {
		return nil, nil, err
	}
	if err := d.StartHomeserver(ctx); err != nil {
		return nil, nil, err
	}
	if err := d.Run(binary); err != nil {
		return nil, nil, err
	}
	if err := d.WaitReady(ctx); err != nil {
		return nil, nil, err
	}
	owner, err := d.Owner(ctx)
	if err != nil {
		return nil, nil, err
	}
	_, err = owner.Sign(ctx)
	return d, owner, err
}

// roundTrips asks the bot and the peer in turn.
func roundTrips(ctx context.Context, admin *client.Room, peer *peer, n int) error {
	var ours, theirs []time.Duration
	for i := range warmUp + n {
		bot, err := ask(ctx, admin, "!help forward")
		if err != nil {
			return fmt.Errorf("the bot's round %d: %w", i, err)
		}
		echo, err := ask(ctx, peer.room, "echo, please")
		if err != nil {
			return fmt.Errorf("the peer's round %d: %w", i, err)
		}
		if i >= warmUp {
			ours, theirs = append(ours, bot), append(theirs, echo)
		}
	}
	for _, q := range []int{50, 95} {
		a, b := quantile(ours, q), quantile(theirs, q)
		line("echo", fmt.Sprintf("p%d_ms", q), a, "mautrix", b)
	}
	return nil
}

// ask is one round: from before the message is sent to when its answer is
// decrypted here. It waits for the turn's end, so that rounds do not overlap.
func ask(ctx context.Context, room *client.Room, text string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	turn, err := room.Say(ctx, text)
	if err != nil {
		return 0, err
	}
	reply, err := turn.WaitReply(ctx)
	if err != nil {
		return 0, err
	}
	err = turn.Wait(ctx, client.Yes, func(t *client.Turn) bool { return slices.Contains(t.Marks(), client.Yes) })
	return reply.Seen.Sub(turn.Started), err
}

func quantile(times []time.Duration, q int) float64 {
	sorted := slices.Sorted(slices.Values(times))
	return float64(sorted[min(len(sorted)*q/100, len(sorted)-1)].Microseconds()) / 1000
}

func line(what, metric string, ours float64, peer string, theirs float64) {
	fmt.Printf("bench %s %s ours=%.1f %s=%.1f ratio=%.2f\n", what, metric, ours, peer, theirs, ours/theirs)
}
