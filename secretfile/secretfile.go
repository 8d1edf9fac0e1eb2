// Package secretfile keeps one secret in one file of mode 0600. It writes so
// that a power cut leaves the old file or the new one, never an empty one.
package secretfile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Read returns the secret in a file, without the line's end. A file without
// one is an error: an empty key or password would do silent harm.
func Read(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(text))
	if secret == "" {
		return "", fmt.Errorf("%s is empty: put the secret back, or restore the file from a backup", path)
	}
	return secret, nil
}

// Write makes or replaces the file: new file, fsync, rename, fsync of the folder.
func Write(path, secret string) error {
	fresh := path + ".new"
	file, err := os.OpenFile(fresh, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("keep a secret: %w", err)
	}
	_, err = file.WriteString(secret + "\n")
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(fresh, path)
	}
	if err != nil {
		return fmt.Errorf("keep a secret: %w", err)
	}
	return syncFolder(filepath.Dir(path))
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("keep a secret: %w", err)
	}
	defer folder.Close()
	return folder.Sync()
}
