// Package programs brings the real OpenClaw to a machine that has none: the
// pinned release, the Node that it needs and its Matrix plugin, from npm, into a
// folder of the user's cache; and what it takes to run there (preload.go).
// package-lock.json pins every package by its hash; nothing is installed for
// the system.
//
// It owns that folder and nothing else: it starts no gateway, writes no
// configuration, and words nothing for people. Its errors are types that carry
// the facts.
package programs

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// The releases that are installed. package.json names the same.
const (
	OpenClawVersion = "2026.9.6"
	NodeVersion     = "24.21.0"
)

// matrixPlugin is installed by OpenClaw itself: it trusts with its own storage
// only what it has fetched by that name.
const matrixPlugin = "@openclaw/matrix@" + OpenClawVersion

//go:embed package.json package-lock.json
var pins embed.FS

// Programs are a complete installation in a folder.
type Programs struct{ dir string }

// At is the installation in a folder, which may not be there yet.
func At(dir string) Programs { return Programs{dir: dir} }

// DefaultCache is the folder, in the user's cache, of this release's
// installation; "" where there is no cache folder. One of the same release with
// other pins, such as another Node, is left alone: a gateway may run from it.
func DefaultCache() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	folder := filepath.Join(cache, "fraktalia", "openclaw-"+OpenClawVersion)
	if have, err := os.ReadFile(filepath.Join(folder, stampName)); err == nil && string(have) != stamp() {
		sum := sha256.Sum256([]byte(stamp()))
		folder += "-" + hex.EncodeToString(sum[:4])
	}
	return folder
}

// Bin is the folder of the programs, for a PATH: openclaw and node.
func (p Programs) Bin() string { return filepath.Join(p.dir, "node_modules", ".bin") }

// Node is the program that runs OpenClaw.
func (p Programs) Node() string { return filepath.Join(p.Bin(), "node") }

// OpenClaw is the script that Node runs.
func (p Programs) OpenClaw() string {
	return filepath.Join(p.dir, "node_modules", "openclaw", "openclaw.mjs")
}

// Path is the PATH of a process that shall find these programs first.
func (p Programs) Path() string {
	return p.Bin() + string(os.PathListSeparator) + os.Getenv("PATH")
}

// seed is the state folder in which OpenClaw has installed its plugin.
func (p Programs) seed() string { return filepath.Join(p.dir, "seed") }

// plugin is the folder of the Matrix plugin. OpenClaw names the folders above it
// by a hash of its own.
func (p Programs) plugin() (string, error) {
	found, err := filepath.Glob(filepath.Join(p.seed(), "npm", "projects", "*", "node_modules", "@openclaw", "matrix"))
	if err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "", fmt.Errorf("%d folders of the Matrix plugin under %s", len(found), p.seed())
	}
	return found[0], nil
}

const stampName = "fraktalia-complete"

// Installed says whether the installation is complete and the one of these pins.
func (p Programs) Installed() bool {
	have, err := os.ReadFile(filepath.Join(p.dir, stampName))
	return err == nil && string(have) == stamp()
}

// stamp names everything that an installation depends on.
func stamp() string {
	lock, _ := pins.ReadFile("package-lock.json") // it is part of the program
	return strings.Join([]string{runtime.GOARCH, NodeVersion, matrixPlugin, string(lock)}, "\n")
}

// ErrNoNPM says that there is no npm to fetch packages with.
type ErrNoNPM struct{}

func (ErrNoNPM) Error() string { return "npm was not found" }

// ErrInstall says that a step of the installation failed.
type ErrInstall struct {
	Step Step
	Tail []string // the last lines that the tool said
	Err  error
}

func (e ErrInstall) Error() string {
	return fmt.Sprintf("install OpenClaw (%s): %v: %s", e.Step, e.Err, strings.Join(e.Tail, " | "))
}

// Unwrap gives the cause.
func (e ErrInstall) Unwrap() error { return e.Err }

// Step names a part of the installation.
type Step string

// The steps in their order.
const (
	StepPackages Step = "packages" // Node and OpenClaw, from npm
	StepPlugin   Step = "plugin"   // the Matrix plugin, by OpenClaw itself
	StepCrypto   Step = "crypto"   // the plugin's native part, where it can be had
)
