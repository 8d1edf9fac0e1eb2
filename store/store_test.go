package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestJournalRunsARowOnce(t *testing.T) {
	ctx, s := context.Background(), open(t, filepath.Join(t.TempDir(), "a b?c#d.db"))
	row := Command{EventID: "$1", RoomID: "!r", Sender: "@o:x", Line: "!status", SentAt: time.UnixMilli(1234)}
	id, fresh, err := s.AddCommand(ctx, row)
	if err != nil || !fresh {
		t.Fatalf("first add: fresh %v, err %v", fresh, err)
	}
	if _, fresh, err = s.AddCommand(ctx, row); err != nil || fresh {
		t.Fatalf("second add of the same event: fresh %v, err %v", fresh, err)
	}
	if ok, err := s.BeginCommand(ctx, id); !ok || err != nil {
		t.Fatalf("begin: %v %v", ok, err)
	}
	if ok, err := s.BeginCommand(ctx, id); ok || err != nil {
		t.Fatalf("a row was begun twice: %v %v", ok, err)
	}
	if err := s.EndCommand(ctx, id, Done, "fine", "!undo"); err != nil {
		t.Fatal(err)
	}
	if rows, _ := s.OpenCommands(ctx); len(rows) != 1 {
		t.Fatalf("%d rows wait for their answer, want 1", len(rows))
	}
	if err := s.AnsweredCommand(ctx, id); err != nil {
		t.Fatal(err)
	}
	if rows, _ := s.OpenCommands(ctx); len(rows) != 0 {
		t.Fatalf("%d rows wait for their answer, want none", len(rows))
	}
	got, ok, err := s.CommandOf(ctx, "$1")
	if err != nil || !ok || got.State != Done || got.Undo != "!undo" || !got.SentAt.Equal(row.SentAt) {
		t.Fatalf("row is %+v, %v, %v", got, ok, err)
	}
}

// The sync token and the rows that came with it are one.
func TestTransactionIsWhole(t *testing.T) {
	ctx, s := context.Background(), open(t, filepath.Join(t.TempDir(), "db"))
	broken := errors.New("broken")
	err := s.InTransaction(ctx, func(ctx context.Context) error {
		if _, _, err := s.AddCommand(ctx, Command{EventID: "$1"}); err != nil {
			return err
		}
		if err := s.SetSetting(ctx, "sync_token", "s1"); err != nil {
			return err
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if rows, _ := s.OpenCommands(ctx); len(rows) != 0 {
		t.Errorf("journal kept %d rows", len(rows))
	}
	if token, _ := s.Setting(ctx, "sync_token"); token != "" {
		t.Errorf("token kept: %q", token)
	}
}

func TestFileIsPrivateAndNewerIsRefused(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "db")
	s := open(t, path)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, err %v", info.Mode(), err)
	}
	if _, err := s.own.Exec(ctx, "UPDATE fraktalia_version SET version=999, compat=999"); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := Open(ctx, path); !errors.Is(err, ErrTooNew) {
		t.Fatalf("a newer file gave %v", err)
	}
}

func TestForwardsAndRedactionsComeBackInOrder(t *testing.T) {
	ctx, s := context.Background(), open(t, filepath.Join(t.TempDir(), "db"))
	for _, port := range []int{9005, 9001} {
		if err := s.SaveForward(ctx, Forward{Port: port, Target: port, CreatedBy: "@o:x", CreatedAt: time.UnixMilli(1)}); err != nil {
			t.Fatal(err)
		}
	}
	forwards, err := s.Forwards(ctx)
	if err != nil || len(forwards) != 2 || forwards[0].Port != 9001 {
		t.Fatalf("%+v %v", forwards, err)
	}
	if err := s.DeleteForward(ctx, 9001, false); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"$late", "$soon"} {
		if err := s.PlanRedaction(ctx, Redaction{EventID: name, RoomID: "!r", DueAt: time.UnixMilli(int64(9 - i))}); err != nil {
			t.Fatal(err)
		}
	}
	due, err := s.Redactions(ctx)
	if err != nil || len(due) != 2 || due[0].EventID != "$soon" {
		t.Fatalf("%+v %v", due, err)
	}
}
