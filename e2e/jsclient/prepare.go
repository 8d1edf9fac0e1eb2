package jsclient

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

//go:embed client.mjs package.json package-lock.json
var sources embed.FS

// Prepare makes the folder with the script, Node and the packages in the
// user's cache, where it is not there yet, and returns it. It needs npm; the
// Node that runs the script comes as one of the packages, since the
// distribution's is too old for matrix-js-sdk.
func Prepare(ctx context.Context) (string, error) {
	dir, err := cacheFolder()
	if err != nil {
		return "", err
	}
	unlock, err := lock(dir + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	ready := filepath.Join(dir, ".ready")
	if _, err := os.Stat(ready); err == nil {
		return dir, nil
	}
	if err := os.CopyFS(dir, sources); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("write the JavaScript client: %w", err)
	}
	if err := install(ctx, dir); err != nil {
		return "", err
	}
	return dir, os.WriteFile(ready, nil, 0o600)
}

// cacheFolder has the sources' hash in its name, so that a new lock file gets
// new packages.
func cacheFolder() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("cache folder: %w", err)
	}
	sum := sha256.New()
	for _, name := range []string{"client.mjs", "package.json", "package-lock.json"} {
		text, err := sources.ReadFile(name)
		if err != nil {
			return "", fmt.Errorf("embedded %s: %w", name, err)
		}
		sum.Write(text)
	}
	dir := filepath.Join(cache, "fraktalia", "jsclient-"+hex.EncodeToString(sum.Sum(nil))[:12])
	return dir, os.MkdirAll(dir, 0o755)
}

func install(ctx context.Context, dir string) error {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return errors.New("npm is missing: install the distribution's nodejs and npm packages")
	}
	// No scripts: the packages need none, and so nothing of theirs runs
	// before the test does.
	cmd := exec.CommandContext(ctx, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci in %s: %w\n%s", dir, err, out)
	}
	return nil
}

func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { f.Close() }, nil
}

func nodeIn(dir string) string { return filepath.Join(dir, "node_modules", ".bin", "node") }
