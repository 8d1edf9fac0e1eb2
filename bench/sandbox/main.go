// Command sandbox measures builds of the sandbox image by the whole program,
// typed in its shell, beside the docker program on the same Dockerfile: a
// rebuild without a change; one package added to an image, beside a rebuild of
// the same packages in one layer, as the Dockerfile was before there were
// groups; the longest silence of a build in the room; and the program's peak
// memory while a step writes a log of 100 MB.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/githabideri/fraktalia/e2e/harness"
)

func main() {
	n := flag.Int("n", 7, "`rounds` without a change")
	profile := flag.String("profile", "full", "`profile` of the image")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Hour)
	defer cancel()
	if err := measure(ctx, *n, *profile); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// late is the package that is added, of 1.5 MB.
const late = "sl"

// bench is one deployment and its peer.
type bench struct {
	*harness.Deployment
	dir, image string
	docker     string // a docker program that builds with BuildKit
}

func measure(ctx context.Context, n int, profile string) error {
	b, remove, err := setUp(ctx)
	if err != nil {
		return err
	}
	defer remove()
	if err := os.Chdir(b.dir); err != nil { // the shell puts logs where it stands
		return err
	}
	if _, err := b.say(ctx, "packages", "profile", profile); err != nil {
		return err
	}
	if _, err := b.say(ctx, "rebuild-sandbox"); err != nil {
		return err
	}
	for _, part := range []func(context.Context) error{
		func(ctx context.Context) error { return b.unchanged(ctx, n, profile) },
		func(ctx context.Context) error { return b.added(ctx, profile) },
		b.silence,
		b.longLog,
	} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

// setUp brings a deployment up whose image has a name of its own.
func setUp(ctx context.Context) (*bench, func(), error) {
	dir, remove, err := harness.Folder()
	if err != nil {
		return nil, nil, err
	}
	b := &bench{dir: dir, image: fmt.Sprintf("fraktalia-bench-%d:live", os.Getpid())}
	if b.docker, err = buildKitProgram(ctx); err != nil {
		remove()
		return nil, nil, err
	}
	binary, err := harness.Build(ctx, dir)
	if err == nil {
		b.Deployment, err = harness.New(ctx, binary, dir)
	}
	if err == nil {
		err = b.restart(ctx, "openclaw-sandbox:bookworm-slim", b.image)
	}
	if err != nil {
		remove()
		return nil, nil, err
	}
	return b, func() {
		_ = b.Down(context.WithoutCancel(ctx))
		b.removeImages(context.WithoutCancel(ctx))
		remove()
	}, nil
}

// restart starts the program with a value of its configuration replaced.
func (b *bench) restart(ctx context.Context, old, new string) error {
	if b.Process == nil {
		if err := b.Up(ctx); err != nil {
			return err
		}
	}
	if err := b.Process.Stop(ctx); err != nil {
		return err
	}
	if err := b.SetConfig(old, new); err != nil {
		return err
	}
	return b.Up(ctx)
}

// say types a line in the program's shell, and returns how long it took.
func (b *bench) say(ctx context.Context, words ...string) (time.Duration, error) {
	begun := time.Now()
	out, said, err := b.Shell(ctx, nil, words...)
	if err != nil {
		return 0, fmt.Errorf("%s: %w\n%s\n%s", strings.Join(words, " "), err, out, said)
	}
	return time.Since(begun), nil
}

// unchanged builds what is built already, by turns.
func (b *bench) unchanged(ctx context.Context, n int, profile string) error {
	context, err := b.writeContext(profile)
	if err != nil {
		return err
	}
	if _, err := b.dockerBuild(ctx, context); err != nil { // its own first time
		return err
	}
	var ours, theirs []time.Duration
	for range n {
		mine, err := b.say(ctx, "rebuild-sandbox")
		if err != nil {
			return err
		}
		peer, err := b.dockerBuild(ctx, context)
		if err != nil {
			return err
		}
		ours, theirs = append(ours, mine), append(theirs, peer)
	}
	line("no_change_p50_ms", float64(median(ours).Milliseconds()), "docker", float64(median(theirs).Milliseconds()))
	return nil
}

// added builds the image with one package more, and the same packages in one
// layer.
func (b *bench) added(ctx context.Context, profile string) error {
	if _, err := b.say(ctx, "packages", "add", late); err != nil {
		return err
	}
	ours, err := b.say(ctx, "rebuild-sandbox")
	if err != nil {
		return err
	}
	context, err := b.writeSingleLayer(profile)
	if err != nil {
		return err
	}
	theirs, err := b.dockerBuild(ctx, context)
	if err != nil {
		return err
	}
	line("one_added_s", ours.Seconds(), "single_layer", theirs.Seconds())
	return nil
}

func median(times []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(times))[len(times)/2]
}

func line(what string, ours float64, peer string, theirs float64) {
	fmt.Printf("bench sandbox %s ours=%.1f %s=%.1f ratio=%.2f\n", what, ours, peer, theirs, ours/theirs)
}
