package sandbox_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/githabideri/fraktalia/sandbox"
	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
)

func TestImageInfo(t *testing.T) {
	e := engine(t)
	tag := base(t, e)
	found, err := e.ImageInfo(t.Context(), tag)
	if err != nil || !found.Exists || found.Size == 0 || found.Created.IsZero() || !slices.Contains(found.Tags, tag) {
		t.Errorf("%+v, %v", found, err)
	}
	none, err := e.ImageInfo(t.Context(), "fraktalia-test-none:such")
	if err != nil || none.Exists {
		t.Errorf("%+v, %v", none, err)
	}
	if _, err := e.ImageInfo(t.Context(), "Not A Reference"); err == nil {
		t.Error("no error for a name that is none")
	}
}

func TestRollback(t *testing.T) {
	e := engine(t)
	o := sandbox.BuildOptions{Base: base(t, e), Tag: uniqueTag(t)}
	if _, err := e.Rollback(t.Context(), o.Tag); !errors.Is(err, sandbox.ErrNoPrevious) {
		t.Errorf("error %v", err)
	}
	var ids []string
	for _, word := range []string{"old", "new"} {
		o.Context = dockerfile(o.Tag, "RUN echo "+word)
		result, err := e.Build(t.Context(), o, nil)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, result.Image.ID)
	}
	for _, want := range []string{ids[0], ids[1]} { // back, and back again
		live, err := e.Rollback(t.Context(), o.Tag)
		if err != nil || live.ID != want || imageID(t, e, o.Tag) != want {
			t.Errorf("rolled back to %s, want %s: %v", live.ID, want, err)
		}
	}
}

func TestPruneTakesOwnImagesOnly(t *testing.T) {
	e := engine(t)
	kind := sandboxtest.UniqueName("fraktalia-test-prune")
	o := sandbox.BuildOptions{Base: base(t, e), Tag: uniqueTag(t), Labels: map[string]string{sandbox.ImageLabel: kind}}
	var ids []string
	for _, word := range []string{"one", "two", "three", "four"} {
		o.Context = dockerfile(o.Tag, "RUN echo "+word+" | tee /word")
		result, err := e.Build(t.Context(), o, nil)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, result.Image.ID)
	}
	running := sandboxtest.Docker(t, "run", "-d", ids[1], "sleep", "600")
	t.Cleanup(func() { sandboxtest.Docker(t, "rm", "-f", running) })

	old, err := e.OldImages(t.Context(), kind)
	if err != nil || len(old) != 1 || old[0].ID != ids[0] || old[0].Size == 0 {
		t.Fatalf("old images %+v, %v; want %s alone: the rest is live, previous or in use", old, err, ids[0])
	}
	if err := e.RemoveImages(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	for i, id := range ids {
		if there := imageID(t, e, id) != ""; there != (i > 0) {
			t.Errorf("image %d there: %t", i, there)
		}
	}
	sandboxtest.Docker(t, "rm", "-f", running)
	running = sandboxtest.Docker(t, "create", o.Tag)
	if old, err = e.OldImages(t.Context(), kind); err != nil || len(old) != 1 || e.RemoveImages(t.Context(), old) != nil {
		t.Errorf("old images %+v, %v", old, err)
	}
}
