package sandbox_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/sandbox"
)

// TestBigLogIsNotHeld builds with a log of 100 MB and looks at this process's
// peak. BuildKit clips the log of a step, the classic builder does not.
func TestBigLogIsNotHeld(t *testing.T) {
	e := engine(t)
	o := sandbox.BuildOptions{Builder: sandbox.BuilderClassic, Base: base(t, e), Tag: uniqueTag(t), NoCache: true}
	line := strings.Repeat("x", 999)
	o.Context = dockerfile(o.Tag, "RUN yes "+line+" | head -c 100000000")
	log := &counter{}
	o.Log = log
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		t.Fatalf("reset the peak of this process's memory: %v", err)
	}
	before := residentPeak(t)
	if _, err := e.Build(t.Context(), o, nil); err != nil {
		t.Fatal(err)
	}
	grown := residentPeak(t) - before
	t.Logf("%d bytes of log, peak memory %d KiB above %d KiB", log.bytes, grown, before)
	if log.bytes < 100_000_000 {
		t.Errorf("the log has only %d bytes", log.bytes)
	}
	if grown > 40<<10 {
		t.Errorf("memory grew by %d KiB", grown)
	}
}

type counter struct{ bytes int }

func (c *counter) Write(piece []byte) (int, error) {
	c.bytes += len(piece)
	return len(piece), nil
}

// residentPeak is this process's largest resident set, in KiB.
func residentPeak(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var peak int
	if _, err := fmt.Sscan(rest, &peak); err != nil {
		t.Fatalf("read VmHWM: %v", err)
	}
	return peak
}
