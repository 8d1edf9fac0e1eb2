package store

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBuildsAreKnownBeforeTheyEnd(t *testing.T) {
	ctx := context.Background()
	s, err := Open(ctx, filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	want := Build{Tag: "x:y", StartedAt: time.UnixMilli(1000), StartedBy: "@o:test", BaseID: "sha256:b", Profile: "web", Outcome: BuildRunning}
	want.ID, err = s.BeginBuild(ctx, want)
	must(err)
	other, err := s.BeginBuild(ctx, Build{Tag: "other:y", StartedAt: time.UnixMilli(2000)})
	must(err)
	must(s.CandidateBuild(ctx, want.ID, "sha256:c"))
	want.ImageID = "sha256:c"
	open, err := s.OpenBuilds(ctx)
	must(err)
	if len(open) != 2 || !cmp.Equal(open[0], want) || open[1].ID != other {
		t.Errorf("open %+v", open)
	}
	want.Outcome, want.Size, want.Duration, want.Builder, want.Memory = BuildDone, 7, 3*time.Second, "buildkit", 9
	want.Layers = []BuildLayer{{"core", "RUN a", true, time.Millisecond, 5}, {"jq", "RUN b", false, time.Second, 2}}
	must(s.EndBuild(ctx, want))
	builds, err := s.Builds(ctx, "x:y", 5)
	must(err)
	if diff := cmp.Diff([]Build{want}, builds); diff != "" {
		t.Error(diff)
	}
	if open, err = s.OpenBuilds(ctx); err != nil || len(open) != 1 || open[0].ID != other {
		t.Errorf("still open %+v, %v", open, err)
	}
}
