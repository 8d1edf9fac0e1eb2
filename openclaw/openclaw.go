// Package openclaw knows OpenClaw's configuration: where its file is, what an agent entry and a binding look like in both
// shapes of the roster, which file of an $include holds what, and what a running gateway says about it.
//
// It edits through openclaw/json5 and saves through openclaw/safefile, so comments, order and every other byte stay; it
// never prints a configuration anew, and never writes anything but the asked change. It runs no commands of OpenClaw
// but the read-only ones of schema.go. OpenClaw moves fast: what depends on its version is data in schema.go.
package openclaw

import (
	"os"
	"path/filepath"
)

// DefaultPath is where OpenClaw looks for its configuration, by the same environment variables, the home folder of the
// user last.
func DefaultPath(getenv func(string) string) (string, error) {
	if path := getenv("OPENCLAW_CONFIG_PATH"); path != "" {
		return path, nil
	}
	if dir := getenv("OPENCLAW_STATE_DIR"); dir != "" {
		return filepath.Join(dir, "openclaw.json"), nil
	}
	home := getenv("OPENCLAW_HOME")
	if home == "" {
		var err error
		if home, err = os.UserHomeDir(); err != nil {
			return "", err
		}
	}
	folder := ".openclaw"
	if profile := getenv("OPENCLAW_PROFILE"); profile != "" && profile != "default" {
		folder += "-" + profile
	}
	return filepath.Join(home, folder, "openclaw.json"), nil
}
