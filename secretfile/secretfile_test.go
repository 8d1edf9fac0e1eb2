package secretfile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestWrittenIsReadAndPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	if _, err := Read(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file gave %v", err)
	}
	for _, secret := range []string{"first", "second"} {
		if err := Write(path, secret); err != nil {
			t.Fatal(err)
		}
		if got, err := Read(path); got != secret || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if left, _ := filepath.Glob(path + "*"); len(left) != 1 {
		t.Errorf("left %v", left)
	}
}

func TestEmptyIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(" \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(path); err == nil {
		t.Errorf("an empty secret was read as %q", got)
	}
}
