package sandbox_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/sandbox"
	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
)

// hungry takes as much memory as it reads: tail looks for the end of a line
// that never comes.
const hungry = "RUN head -c 300000000 /dev/zero | tail -n 1 >/dev/null"

const limit = 64 << 20

// What takes more than the limit is killed, whatever builder was asked for;
// without a limit it is not.
func TestMemoryLimitHolds(t *testing.T) {
	forBothBuilders(t, func(t *testing.T, e *sandbox.Engine, o sandbox.BuildOptions) {
		before := buildGood(t, e, o)
		o.Context, o.Memory = dockerfile(o.Tag, hungry), limit
		_, err := e.Build(t.Context(), o, nil)
		var failed *sandbox.BuildError
		if !errors.As(err, &failed) || failed.ExitCode != 137 || !strings.HasPrefix(failed.Command, "RUN head") {
			t.Fatalf("error %v: %+v", err, failed)
		}
		checkUntouched(t, e, o.Tag, before)
		o.Memory = 0
		if _, err := e.Build(t.Context(), o, nil); err != nil {
			t.Errorf("without a limit: %v", err)
		}
	})
}

// The limit is for what is heavy only, which comes last; the rest is built as
// always.
func TestHeavyPartIsBuiltUnderItsLimit(t *testing.T) {
	forBothBuilders(t, func(t *testing.T, e *sandbox.Engine, o sandbox.BuildOptions) {
		before := buildGood(t, e, o)
		o.Context = dockerfile(o.Tag, hungry, "RUN echo first >/part")
		o.HeavyMemory = limit
		o.Heavy = "ARG BASE\nFROM ${BASE}\nLABEL io.fraktalia.test=" + o.Tag + "\n" + hungry + "\n"
		_, err := e.Build(t.Context(), o, nil)
		var failed *sandbox.BuildError
		if !errors.As(err, &failed) || failed.ExitCode != 137 {
			t.Fatalf("error %v: %+v", err, failed)
		}
		checkUntouched(t, e, o.Tag, before)

		o.Heavy = strings.ReplaceAll(o.Heavy, hungry, "RUN echo second >>/part")
		last := 0
		result, err := e.Build(t.Context(), o, func(p sandbox.Progress) {
			if p.Percent < last || p.Elapsed <= 0 {
				t.Errorf("progress %+v after %d %%", p, last)
			}
			last = p.Percent
		})
		if err != nil {
			t.Fatal(err)
		}
		if said := sandboxtest.Docker(t, "run", "--rm", "--network", "none", o.Tag, "cat", "/part"); said != "first\nsecond" {
			t.Errorf("the image says %q", said)
		}
		if result.Builder != o.Builder || imageID(t, e, o.Tag+"-candidate") != "" || imageID(t, e, o.Tag+"-previous") != before {
			t.Errorf("result %+v", result)
		}
	})
}
