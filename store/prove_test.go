package store

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
)

func TestInspectLooksWhileTheFileIsOpen(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "db")
	s, err := Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.ProveWrite(ctx, "one"); err != nil {
		t.Fatal(err)
	}
	found, err := Inspect(ctx, path)
	version, _ := s.Version(ctx)
	if err != nil || len(found.Damage) > 0 || found.Version != version || found.Newest != version || found.Size == 0 || found.Log == 0 {
		t.Errorf("%+v, version %d: %v", found, version, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(path)
	if found, err = Inspect(ctx, path); err != nil || len(found.Damage) > 0 || found.Version != version {
		t.Errorf("closed: %+v, %v", found, err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("looking has changed the file")
	}
}

func TestInspectFindsDamage(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "db")
	s, err := Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := 2 * 4096; at < len(text); at += 4096 { // a page in two is overwritten, not the first
		if at/4096%2 == 0 {
			copy(text[at:], bytes.Repeat([]byte{0xa5}, 4096))
		}
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if found, err := Inspect(ctx, path); err == nil && len(found.Damage) == 0 {
		t.Errorf("%+v", found)
	}
	if err := os.WriteFile(path, []byte("this is no database, and was never one"), 0o600); err != nil {
		t.Fatal(err)
	}
	if found, err := Inspect(ctx, path); err == nil {
		t.Errorf("%+v", found)
	}
	if _, err := Inspect(ctx, path+"-none"); err == nil {
		t.Error("a file that is not there was looked at")
	}
}

func TestACopyIsOfOneMoment(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "db")
	s, err := Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.SetSetting(ctx, "who", "mila"); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "copy")
	if err := CopyDatabase(ctx, path, to); err != nil {
		t.Fatal(err)
	}
	if err := s.SetSetting(ctx, "who", "max"); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(to); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	copied, err := Open(ctx, to)
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	if who, err := copied.Setting(ctx, "who"); err != nil || who != "mila" {
		t.Errorf("the copy has %q: %v", who, err)
	}
	if err := CopyDatabase(ctx, path+"-none", to+"2"); !os.IsNotExist(err) {
		t.Errorf("%v", err)
	}
}
