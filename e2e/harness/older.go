package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/githabideri/fraktalia/openclaw/programs"
)

// OlderOpenClaw is a release before the pinned one.
const OlderOpenClaw = "2026.9.5"

// BuildOlder compiles the program as it was when OlderOpenClaw was the pinned
// release: the same code with other pins.
func BuildOlder(ctx context.Context, dir string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(root, "openclaw", "programs")
	replace := map[string]string{filepath.Join(folder, "package-lock.json"): filepath.Join(root, "e2e", "testdata", "openclaw-"+OlderOpenClaw+".lock.json")}
	for _, name := range []string{"programs.go", "package.json"} {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return "", err
		}
		older := strings.Replace(string(text), programs.OpenClawVersion, OlderOpenClaw, 1)
		path := filepath.Join(dir, "older-"+name)
		if err := os.WriteFile(path, []byte(older), 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(folder, name)] = path
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	list, binary := filepath.Join(dir, "older.json"), filepath.Join(dir, "fraktalia-older")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", "goolm", "-overlay", list, "-o", binary, ".")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build an older fraktalia: %w\n%s", err, out)
	}
	return binary, nil
}

// SpoilOpenClaw makes a cache folder with a pinned release of OpenClaw in it that
// spoils the state it is started with, and ends with status 3. It returns the
// environment that has a program use it.
func SpoilOpenClaw(dir string) (env string, err error) {
	real := programs.DefaultCache()
	fake := filepath.Join(dir, "fraktalia", filepath.Base(real))
	script := `import fs from "node:fs";
fs.writeFileSync(process.env.OPENCLAW_STATE_DIR + "/state/openclaw.sqlite", "spoiled");
process.exit(3);
`
	err = errors.Join(
		os.MkdirAll(filepath.Join(fake, "node_modules", "openclaw"), 0o700),
		os.WriteFile(filepath.Join(fake, "node_modules", "openclaw", "openclaw.mjs"), []byte(script), 0o600),
		os.WriteFile(filepath.Join(fake, "node_modules", "openclaw", "package.json"), []byte(`{"name": "openclaw", "version": "`+programs.OpenClawVersion+`"}`), 0o600),
		os.Symlink(filepath.Join(real, "node_modules", ".bin"), filepath.Join(fake, "node_modules", ".bin")),
		os.Symlink(filepath.Join(real, "seed"), filepath.Join(fake, "seed")),
		os.Symlink(filepath.Join(real, "fraktalia-complete"), filepath.Join(fake, "fraktalia-complete")))
	return "XDG_CACHE_HOME=" + dir, err
}
