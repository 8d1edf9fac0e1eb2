package app

import (
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// The unit of `up` may write where newer programs are brought to, and npm and pip
// keep theirs there; that of `run` brings none.
func TestUnitMayBringPrograms(t *testing.T) {
	i := behind()
	i.User, i.Data, i.OpenClaw, i.Cache = "daemon", "/home/mila/f", "/home/mila/.openclaw", "/home/mila/.cache/fraktalia"
	for cache, want := range map[string]bool{i.Cache: true, "": false} {
		i.Cache = cache
		text, err := i.unit("fraktalia.service")
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{"\nReadWritePaths=/home/mila/f -/home/mila/.openclaw -/home/mila/.cache/fraktalia\n", "\nEnvironment=npm_config_cache=/home/mila/.cache/fraktalia/npm PIP_CACHE_DIR=/home/mila/.cache/fraktalia/pip\n"} {
			if strings.Contains(string(text), line) != want {
				t.Errorf("of %q the line %q: %v\n%s", cache, line, !want, text)
			}
		}
	}
}

// The cache folder is made by the account itself, root's rights do not help it to
// a folder elsewhere.
func TestCacheFolderIsMadeByItsOwner(t *testing.T) {
	account, err := user.Lookup("daemon")
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(account.Uid)
	if err != nil {
		t.Fatal(err)
	}
	home, err := os.MkdirTemp("", "home") // t.TempDir's parent is closed to others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	account.HomeDir = home
	if err := os.Chown(home, number, -1); err != nil {
		t.Fatal(err)
	}
	i := installation{User: account.Username, Cache: cacheOf(account)}
	for range 2 { // again is well
		if err := i.cacheAct().do(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(filepath.Join(home, ".cache", "fraktalia"))
	if err != nil {
		t.Fatal(err)
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || int(stat.Uid) != number || info.Mode().Perm() != 0o700 {
		t.Errorf("%s is %v of %v", i.Cache, info.Mode(), info.Sys())
	}
	roots := t.TempDir()
	if err := os.Chmod(roots, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(roots, filepath.Join(home, "link")); err != nil {
		t.Fatal(err)
	}
	i.Cache = filepath.Join(home, "link", "fraktalia")
	if err := i.cacheAct().do(t.Context()); err == nil {
		t.Error("a folder was made in a folder of root's")
	}
	if account.HomeDir = "/nonexistent"; cacheOf(account) != "" {
		t.Error("an account without a home has a cache folder")
	}
}
