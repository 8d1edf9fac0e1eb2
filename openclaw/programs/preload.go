package programs

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The preloads: files that Node runs before OpenClaw, each of which takes away
// one obstacle. Each says in its head what it changes.
//
//go:embed preload
var preloads embed.FS

// Preload is one obstacle and whether its preload is in force.
type Preload struct {
	Name    string `json:"name"`
	Applied bool   `json:"applied"`
	// Reason says what was seen, for people.
	Reason string `json:"reason"`
}

// The names of the preloads.
const (
	DockerEnv    = "dockerenv"    // OpenClaw believes that it is in a container, and is not
	NativeCrypto = "nativecrypto" // the Matrix plugin's native part is missing
)

// SameFiles proves that the engine sees the same file system as this process: it
// mounts a folder into a container and looks for a file there.
type SameFiles func(ctx context.Context, folder, file string) (bool, error)

// Probe finds out which preloads are needed and right on this machine. What
// cannot be proven is not applied. scratch is a folder of OpenClaw's, into which
// a file is put for a moment.
func (p Programs) Probe(ctx context.Context, scratch string, same SameFiles) []Preload {
	return []Preload{probeDockerEnv(ctx, marks(), scratch, same), p.probeNative(ctx)}
}

// marks are what OpenClaw takes for a sign of a container.
func marks() []string { return []string{"/.dockerenv", "/run/.containerenv"} }

func probeDockerEnv(ctx context.Context, marks []string, scratch string, same SameFiles) Preload {
	found := ""
	for _, mark := range marks {
		if _, err := os.Stat(mark); err == nil {
			found = mark
		}
	}
	if found == "" {
		return Preload{Name: DockerEnv, Reason: "this machine does not look like a container"}
	}
	file, err := os.CreateTemp(scratch, ".same-files-")
	if err != nil {
		return Preload{Name: DockerEnv, Reason: fmt.Sprintf("%s is there, and no file could be made to find out more", found)}
	}
	defer os.Remove(file.Name())
	file.Close()
	yes, err := same(ctx, scratch, filepath.Base(file.Name()))
	switch {
	case err != nil:
		return Preload{Name: DockerEnv, Reason: fmt.Sprintf("%s is there, and the engine could not be asked to mount a folder", found)}
	case !yes:
		return Preload{Name: DockerEnv, Reason: fmt.Sprintf("%s is there, and the engine sees other files than this program: it is a container", found)}
	}
	return Preload{Name: DockerEnv, Applied: true, Reason: fmt.Sprintf("%s is there, yet a folder mounted by the engine is the same: it is hidden from OpenClaw, which else would mount nothing", found)}
}

func (p Programs) probeNative(ctx context.Context) Preload {
	plugin, err := p.plugin()
	if err != nil {
		return Preload{Name: NativeCrypto, Reason: "the Matrix plugin is not installed"}
	}
	try := func(name string) bool {
		cmd := exec.CommandContext(ctx, p.Node(), "-e", `const m = require(process.argv[1]); process.exit(m.Attachment && m.EncryptedAttachment ? 0 : 1)`, name)
		cmd.Dir = plugin
		return cmd.Run() == nil
	}
	switch {
	case try("@matrix-org/matrix-sdk-crypto-nodejs"):
		return Preload{Name: NativeCrypto, Reason: "the Matrix plugin's native part is there"}
	case !try("@matrix-org/matrix-sdk-crypto-wasm"):
		return Preload{Name: NativeCrypto, Reason: "the Matrix plugin's native part is missing, and its WebAssembly has no stand-in for it"}
	}
	return Preload{Name: NativeCrypto, Applied: true, Reason: "the Matrix plugin's native part could not be fetched: for encrypted attachments its WebAssembly stands in"}
}

// NodeOptions writes the preloads in force into a folder and returns the value
// of NODE_OPTIONS that has Node run them; "" for none.
func NodeOptions(folder string, list []Preload) (string, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("make the folder of preloads: %w", err)
	}
	var options []string
	for _, one := range list {
		if !one.Applied {
			continue
		}
		name := one.Name + ".cjs"
		text, err := preloads.ReadFile("preload/" + name)
		if err != nil {
			return "", err
		}
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return "", fmt.Errorf("write a preload: %w", err)
		}
		options = append(options, fmt.Sprintf("--require %q", path))
	}
	return strings.Join(options, " "), nil
}

// Plant gives a new state folder of OpenClaw the record of the plugin that is
// installed here. A folder that has a record keeps it.
func (p Programs) Plant(state string) error {
	folder := filepath.Join(state, "state")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("make OpenClaw's state folder: %w", err)
	}
	record, err := os.ReadFile(filepath.Join(p.seed(), "state", "openclaw.sqlite"))
	if err != nil {
		return fmt.Errorf("read the record of OpenClaw's plugins: %w", err)
	}
	path := filepath.Join(folder, "openclaw.sqlite")
	if _, err := os.Stat(path); err == nil {
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.WriteFile(path+".new", record, 0o600); err != nil {
		return fmt.Errorf("write the record of OpenClaw's plugins: %w", err)
	}
	return os.Rename(path+".new", path)
}
