package app

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// The bot's user runs what root has installed, also where root's umask would leave
// others nothing, and where an earlier install has left a file that is closed.
func TestInstalledFilesAreForAll(t *testing.T) {
	was := syscall.Umask(0o077)
	defer syscall.Umask(was)
	dir := t.TempDir()
	program, unit := filepath.Join(dir, "fraktalia"), filepath.Join(dir, "fraktalia.service")
	for range 2 {
		must(t, copySelf(program))
		must(t, settleFile(unit, []byte("[Unit]\n"), 0o644))
		for path, want := range map[string]os.FileMode{program: 0o755, unit: 0o644} {
			info, err := os.Stat(path)
			must(t, err)
			if info.Mode().Perm() != want {
				t.Errorf("%s has the mode %v, not %v", path, info.Mode(), want)
			}
		}
		must(t, os.Chmod(program, 0o700))
		must(t, os.Chmod(unit, 0o600))
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("%v is there, %v", left, err)
	}
}
