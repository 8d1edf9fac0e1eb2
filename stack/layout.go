package stack

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// layout knows where things are under the data folder.
type layout struct{ dir string }

// newLayout makes the data folder. One that exists must be empty or ours: it
// is going to be closed to everybody else.
func newLayout(data string) (layout, error) {
	dir, err := filepath.Abs(data)
	if err != nil {
		return layout{}, fmt.Errorf("data folder %q: %w", data, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return layout{}, fmt.Errorf("make data folder: %w", err)
	}
	// The path finds our own Synapse among all processes, so it must be the
	// same whichever way the folder was named.
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return layout{}, fmt.Errorf("data folder: %w", err)
	}
	l := layout{dir: dir}
	return l, l.checkOurs()
}

func (l layout) checkOurs() error {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return fmt.Errorf("look into data folder: %w", err)
	}
	marks := []string{"lock", "synapse", "fraktalia.yaml"}
	made := []string{"logs", "secrets"} // by the program, possibly before us
	var strange string
	for _, entry := range entries {
		if slices.Contains(marks, entry.Name()) {
			return nil
		}
		if !slices.Contains(made, entry.Name()) {
			strange = entry.Name()
		}
	}
	if strange != "" {
		return ErrDataFolder{Dir: l.dir, Found: strange}
	}
	return nil
}

func (l layout) venv() string        { return filepath.Join(l.dir, "synapse", "venv") }
func (l layout) config() string      { return filepath.Join(l.dir, "synapse", "homeserver.yaml") }
func (l layout) localConfig() string { return filepath.Join(l.dir, "synapse", "homeserver.local.yaml") }
func (l layout) logConfig() string   { return filepath.Join(l.dir, "synapse", "log.yaml") }
func (l layout) database() string    { return filepath.Join(l.dir, "synapse", "homeserver.db") }
func (l layout) media() string       { return filepath.Join(l.dir, "synapse", "media") }
func (l layout) serverName() string  { return filepath.Join(l.dir, "synapse", "server-name") }
func (l layout) registrationSecret() string {
	return filepath.Join(l.dir, "secrets", "synapse-registration")
}
func (l layout) macaroonSecret() string { return filepath.Join(l.dir, "secrets", "synapse-macaroon") }
func (l layout) formSecret() string     { return filepath.Join(l.dir, "secrets", "synapse-form") }
func (l layout) signingKey() string     { return filepath.Join(l.dir, "secrets", "synapse-signing-key") }
func (l layout) log() string            { return filepath.Join(l.dir, "logs", "synapse.log") }
func (l layout) console() string        { return filepath.Join(l.dir, "logs", "synapse-console.log") }

// makeFolders makes the folders and closes them to everybody else.
func (l layout) makeFolders() error {
	for _, folder := range []string{l.dir, filepath.Join(l.dir, "synapse"), filepath.Join(l.dir, "secrets"), filepath.Join(l.dir, "logs")} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
		if err := os.Chmod(folder, 0o700); err != nil {
			return fmt.Errorf("close folder: %w", err)
		}
	}
	return nil
}

// lockFolder takes the data folder for this process. The lock goes with the
// process, however it ends; the number in the file is for people.
func lockFolder(dir string) (*os.File, error) {
	path := filepath.Join(dir, "lock")
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data folder: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock data folder: %w", err)
		}
		text, _ := os.ReadFile(path)
		pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
		return nil, ErrLocked{Dir: dir, PID: pid}
	}
	if err := errors.Join(file.Truncate(0), writeAt(file, strconv.Itoa(os.Getpid())+"\n")); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("write lock: %w", err)
	}
	return file, nil
}

func writeAt(file *os.File, text string) error {
	_, err := file.WriteAt([]byte(text), 0)
	return err
}

// writeFile writes a file of mode 0600 so that a crash leaves the old or the
// new one, never a part: write aside, fsync, rename, fsync the folder.
func writeFile(path string, data []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = temporary.Write(data)
	err = errors.Join(err, temporary.Sync(), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		_ = os.Remove(temporary.Name())
		return fmt.Errorf("write %s: %w", path, err)
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// keepSecret makes a secret file unless it is there.
func keepSecret(path string, fresh func() (string, error)) error {
	if _, err := os.Stat(path); err == nil {
		return os.Chmod(path, 0o600)
	}
	secret, err := fresh()
	if err != nil {
		return err
	}
	return writeFile(path, []byte(secret))
}

// randomText is 256 bits in letters that need no quoting anywhere.
func randomText() (string, error) {
	bits := make([]byte, 32)
	if _, err := rand.Read(bits); err != nil {
		return "", fmt.Errorf("random bits: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(bits), nil
}
