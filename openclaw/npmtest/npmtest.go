// Package npmtest brings packages from npm for tests and benchmarks that hold this program against the real thing:
// OpenClaw's JSON5 parser. OpenClaw itself comes as the program brings it, by openclaw/programs. They go into the user's
// cache folder, once, and stay there; nothing is installed for the system. It is imported by tests and benchmarks only.
package npmtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// JSON5 is the version that the tests are written against.
const JSON5 = "json5@2.2.3"

// Install makes sure that the packages are there and gives the folder that holds their node_modules. Several test
// programs may ask at once: one installs, the others wait. The error says what is missing and names npm's own words.
func Install(packages ...string) (string, error) {
	if _, err := exec.LookPath("npm"); err != nil {
		return "", fmt.Errorf("this test needs node and npm on the PATH to fetch %s: install Node.js 18 or later", strings.Join(packages, " and "))
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the user's cache folder: %w", err)
	}
	dir := filepath.Join(cache, "fraktalia-tests", strings.ReplaceAll(packages[len(packages)-1], "@", "-"))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make the folder for npm packages: %w", err)
	}
	unlock, err := lock(filepath.Join(dir, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	return dir, install(dir, packages)
}

// install runs npm once for each package, in order, because a package's install scripts may need the one before.
func install(dir string, packages []string) error {
	done := filepath.Join(dir, "complete")
	if _, err := os.Stat(done); err == nil {
		return nil
	}
	for _, p := range packages {
		cmd := exec.Command("npm", "install", "--no-audit", "--no-fund", "--prefix", dir, p)
		cmd.Dir, cmd.Env = dir, Env(dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("npm install %s: %w\n%s", p, err, out)
		}
	}
	return os.WriteFile(done, nil, 0o644)
}

// Env is the environment in which the installed programs come first on the PATH.
func Env(dir string) []string {
	return append(os.Environ(), "PATH="+filepath.Join(dir, "node_modules", ".bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
}

func lock(path string) (func(), error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock the folder for npm packages: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return nil, fmt.Errorf("lock the folder for npm packages: %w", err)
	}
	return func() { _ = f.Close() }, nil
}
