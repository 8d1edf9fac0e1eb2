package store

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is hidden of a line is in no byte of the database's files any more.
func TestWhatIsHiddenIsGoneFromTheDisk(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "db")
	s := open(t, path)
	secret := "hunter2-" + strings.Repeat("x", 9000) // more than a page
	id, _, err := s.AddCommand(ctx, Command{EventID: "$1", Line: "!agent set key " + secret})
	if err != nil {
		t.Fatal(err)
	}
	if !onDisk(t, path, "hunter2") {
		t.Fatal("the line is not where this test looks")
	}
	if err := s.RecordLine(ctx, id, "!agent set key …"); err != nil {
		t.Fatal(err)
	}
	if err := s.EmptyLog(ctx); err != nil {
		t.Fatal(err)
	}
	if onDisk(t, path, "hunter2") || onDisk(t, path, secret[8:5000]) {
		t.Error("the secret can still be read")
	}
}

// Killed between the hiding and the emptying of the log, it is gone after the
// next start.
func TestWhatAKilledProgramHadHiddenIsGone(t *testing.T) {
	ctx, path, left := context.Background(), filepath.Join(t.TempDir(), "db"), filepath.Join(t.TempDir(), "db")
	s := open(t, path)
	id, _, err := s.AddCommand(ctx, Command{EventID: "$1", Line: "!agent set key hunter2"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.RecordLine(ctx, id, "!agent set key …"); err != nil {
		t.Fatal(err)
	}
	for _, ending := range []string{"", "-wal"} { // as kill -9 leaves them
		data, err := os.ReadFile(path + ending)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(left+ending, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if !onDisk(t, left, "hunter2") {
		t.Fatal("the line is not where this test looks")
	}
	open(t, left)
	if onDisk(t, left, "hunter2") {
		t.Error("the secret can still be read")
	}
}

func onDisk(t *testing.T, path, text string) bool {
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte(text)) {
			return true
		}
	}
	return false
}
