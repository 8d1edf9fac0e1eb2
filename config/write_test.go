package config

import (
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
)

// noRoom ends every file of this process after some bytes, as a full disk does,
// until it is called.
func noRoom(t *testing.T, bytes uint64) (room func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ) // else the first write too many is the end of us
	var was syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was))
	must(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: was.Max}))
	return func() {
		must(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was))
		signal.Reset(syscall.SIGXFSZ)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Half a file would be in the way of every later start: it can neither be read
// nor is it written again.
func TestWriteIsWholeOrNotAtAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fraktalia.yaml")
	room := noRoom(t, 1000)
	err := Write(path, Default())
	room()
	if !errors.Is(err, syscall.EFBIG) {
		t.Errorf("without room: %v", err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) > 0 {
		t.Fatalf("%v is left, %v", left, err)
	}
	must(t, Write(path, Default()))
	before, err := os.ReadFile(path)
	must(t, err)
	c := Default()
	c.Log.Level = "debug"
	if err := Write(path, c); !errors.Is(err, os.ErrExist) {
		t.Errorf("over another: %v", err)
	}
	room = noRoom(t, 1000)
	err = Change(path, func(c *Config) { c.Log.Level = "debug" })
	room()
	after, readErr := os.ReadFile(path)
	if left, _ := os.ReadDir(filepath.Dir(path)); !errors.Is(err, syscall.EFBIG) || string(after) != string(before) || readErr != nil || len(left) != 1 {
		t.Errorf("a change without room: %v, %v, %v is left, %d bytes of %d", err, readErr, left, len(after), len(before))
	}
}
