// Package json5 measures edits of a configuration beside those of its peers: `openclaw config set`, jq, and npm json5 in
// node. Its benchmark (`make bench`, or go test -bench . ./bench/json5) prints lines of the form
//
//	bench config <metric> ours=<v> <peer>=<v> ratio=<r>
//
// where a ratio above 1 means that ours is faster. OpenClaw, its Node and json5 come from npm into the user's cache folder.
// FRAKTALIA_EDITS=1000000 lets it do so many random edits as well, those of openclaw/json5's tests, and print what became
// of them. FRAKTALIA_PROGRAM names a fraktalia binary whose whole-process time is wanted; without it, the measured process
// is the benchmark itself, which mounts the same commands.
package json5

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"

	"github.com/sirupsen/logrus"

	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/openclaw/shell"
)

// run measures everything.
func run(out io.Writer, program string, edits int) error {
	b := &bench{out: out, program: program}
	for _, step := range []func() error{b.inProcess, b.linear, b.wholeProcess} {
		if err := step(); err != nil {
			return err
		}
	}
	return randomEdits(out, edits)
}

// config is the shell's side, as fraktalia mounts it.
func config(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	log := logrus.New()
	log.SetOutput(stderr)
	cache, err := os.UserCacheDir()
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	checker := openclaw.NewChecker(cache+"/fraktalia/openclaw-schema", func() (string, error) { return exec.LookPath("openclaw") }, logrus.NewEntry(log))
	cmd := shell.Command(os.Getenv, checker)
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	if err := cmd.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(stderr, err)
		return shell.ExitStatus(err)
	}
	return 0
}

// randomEdits runs the random edits of the tests, many of them.
func randomEdits(out io.Writer, count int) error {
	if count == 0 {
		return nil
	}
	cmd := exec.Command("go", "test", "-count=1", "-timeout=2h", "-run=^TestRandomEdits$", "-v", "./openclaw/json5")
	cmd.Dir, cmd.Env = "../..", append(os.Environ(), fmt.Sprint("FRAKTALIA_EDITS=", count))
	printed, err := cmd.CombinedOutput()
	tally := regexp.MustCompile(`(\d+) edits: (\d+) exact, (\d+) for nothing to do, (\d+) refused for the document, (\d+) refused by the self-check, (\d+) damaged`).FindStringSubmatch(string(printed))
	if tally == nil {
		return fmt.Errorf("the random edits did not end: %w\n%s", err, printed)
	}
	fmt.Fprintf(out, "bench config random-edits edits=%s exact=%s same=%s refused=%s doubted=%s damaged=%s\n", tally[1], tally[2], tally[3], tally[4], tally[5], tally[6])
	return err
}
