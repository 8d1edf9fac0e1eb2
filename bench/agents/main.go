// Command agents measures how long a change of an agent's entry takes from the
// message in the room to "written, valid", beside a plain !help in the same
// room, with the real OpenClaw from npm as the gateway; and from the message to
// the gateway's word that it runs with it.
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
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	if err := measure(ctx, *n); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// warmUp rounds do not count: keys are exchanged and the schema is compiled.
const warmUp = 5

func measure(ctx context.Context, n int) error {
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
	gateway, err := bringUp(ctx, d)
	if err != nil {
		return err
	}
	defer gateway.Stop()
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
	return rounds(ctx, admin, n)
}

// bringUp starts the homeserver, the gateway, and the bot that knows of it.
func bringUp(ctx context.Context, d *harness.Deployment) (*harness.OpenClaw, error) {
	if err := d.Up(ctx); err != nil {
		return nil, err
	}
	if err := d.Process.Stop(ctx); err != nil {
		return nil, err
	}
	port, err := harness.FreePort()
	if err != nil {
		return nil, err
	}
	path, err := d.UseOpenClaw(harness.OpenClawConfig(port), port)
	if err != nil {
		return nil, err
	}
	gateway, err := harness.StartOpenClaw(ctx, path, port)
	if err != nil {
		return nil, err
	}
	d.Env = append(d.Env, gateway.Env())
	if err := d.Up(ctx); err != nil {
		gateway.Stop()
		return nil, err
	}
	return gateway, d.AwaitSchema(ctx)
}

func rounds(ctx context.Context, admin *client.Room, n int) error {
	var written, applied, help []time.Duration
	for i := range warmUp + n {
		first, last, err := set(ctx, admin, fmt.Sprintf("!agent mox set sandbox.docker.memory %dg", i+1))
		if err != nil {
			return fmt.Errorf("round %d: %w", i, err)
		}
		plain, _, err := turn(ctx, admin, "!help forward")
		if err != nil {
			return fmt.Errorf("round %d: %w", i, err)
		}
		if i >= warmUp {
			written, applied, help = append(written, first), append(applied, last), append(help, plain.Seen.Sub(plain.started))
		}
	}
	for _, q := range []int{50, 95} {
		ours, peer := quantile(written, q), quantile(help, q)
		fmt.Printf("bench agents written_p%d_ms ours=%.1f help=%.1f ratio=%.2f\n", q, ours, peer, ours/peer)
		fmt.Printf("bench agents written_more_p%d_ms ours=%.1f limit=%d ratio=%.2f\n", q, ours-peer, moreLimit, (ours-peer)/moreLimit)
	}
	ours, peer := quantile(applied, 50), quantile(help, 50)
	fmt.Printf("bench agents applied_p50_ms ours=%.1f help=%.1f ratio=%.2f\n", ours, peer, ours/peer)
	return nil
}

// moreLimit is what "written, valid" may take longer than a plain !help, in ms.
const moreLimit = 150

// set changes an entry; first is until it was written, last until the gateway
// had applied it.
func set(ctx context.Context, admin *client.Room, line string) (first, last time.Duration, err error) {
	reply, out, err := turn(ctx, admin, line)
	if err != nil {
		return 0, 0, err
	}
	if body := reply.Content.AsMessage().Body; !strings.HasPrefix(body, "Written, valid for OpenClaw") || !strings.Contains(out.Body, "applied by the gateway") {
		return 0, 0, fmt.Errorf("%s was answered by\n%s\n%s", line, body, out.Body)
	}
	return reply.Seen.Sub(reply.started), out.Took, nil
}

// answered is a first answer, and when the question was put.
type answered struct {
	client.Reply
	started time.Time
}

func turn(ctx context.Context, admin *client.Room, line string) (first answered, out client.Outcome, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	said, err := admin.Say(ctx, line)
	if err != nil {
		return first, out, err
	}
	if first.Reply, err = said.WaitReply(ctx); err != nil {
		return first, out, err
	}
	first.started = said.Started
	out, err = said.Final(ctx)
	return first, out, err
}

func quantile(times []time.Duration, q int) float64 {
	sorted := slices.Sorted(slices.Values(times))
	return float64(sorted[min(len(sorted)*q/100, len(sorted)-1)].Microseconds()) / 1000
}
