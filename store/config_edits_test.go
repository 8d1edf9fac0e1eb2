package store

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestConfigEditsAndWhatIsTakenBack(t *testing.T) {
	ctx := context.Background()
	s, err := Open(ctx, filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	begin := func(what string, undoes int64) int64 {
		t.Helper()
		files := []ConfigFile{{Path: "/x", Before: "1", After: "2"}}
		id, err := s.BeginConfigEdit(ctx, ConfigEdit{What: what, MadeBy: "@o:test", MadeAt: time.Now(), Undoes: undoes, Files: files})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	want := func(id int64, verdict string, undone bool, files ...ConfigFile) {
		t.Helper()
		e, ok, err := s.ConfigEdit(ctx, id)
		if err != nil || !ok || e.Verdict != verdict || e.Undone != undone || !cmp.Equal(e.Files, files) {
			t.Errorf("%+v %v %v", e, ok, err)
		}
	}
	first := begin("first", 0)
	want(first, "begun", false, ConfigFile{Path: "/x", Before: "1", After: "2"})
	written := []ConfigFile{{"/x", "1", "3", "/b"}, {"/y", "4", "5", "/c"}}
	must(s.WroteConfigEdit(ctx, first, written))
	must(s.JudgeConfigEdit(ctx, first, "applied"))
	row, _, err := s.AddCommand(ctx, Command{EventID: "$1", Line: "!agent"})
	must(err)
	must(s.EndCommand(ctx, row, Done, "", fmt.Sprint("config undo ", first)))
	if c, ok, err := s.LastUndoable(ctx); err != nil || !ok || c.ID != row {
		t.Errorf("%+v %v %v", c, ok, err)
	}

	undo := begin("undo", first)
	want(first, "applied", false, written...)
	must(s.WroteConfigEdit(ctx, undo, written))
	want(first, "applied", true, written...)
	if c, ok, err := s.LastUndoable(ctx); err != nil || ok {
		t.Errorf("%+v %v %v", c, ok, err)
	}
	must(s.JudgeConfigEdit(ctx, undo, "rejected")) // so it was put back
	want(first, "applied", false, written...)

	dropped := begin("dropped", 0)
	must(s.DropConfigEdit(ctx, dropped))
	if list, err := s.ConfigEdits(ctx, 5); err != nil || len(list) != 2 || list[0].ID != undo {
		t.Errorf("%+v %v", list, err)
	}
	must(s.MarkUndone(ctx, row))
	if c, ok, err := s.LastUndoable(ctx); err != nil || ok {
		t.Errorf("%+v %v %v", c, ok, err)
	}
}
