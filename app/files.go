package app

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// defaultData is the data folder where none is named.
func defaultData() string {
	if base := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(base) {
		return filepath.Join(base, "fraktalia")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "fraktalia-data"
	}
	return filepath.Join(home, ".local", "share", "fraktalia")
}

func socketIn(data string) string { return filepath.Join(data, "fraktalia.sock") }

// defaultSocket is the socket of the shell's commands where none is named.
func defaultSocket() string {
	if path := os.Getenv("FRAKTALIA_SOCKET"); path != "" {
		return path
	}
	return socketIn(defaultData())
}

func readTrimmed(path string) (string, error) {
	text, err := os.ReadFile(path)
	return strings.TrimSpace(string(text)), err
}

// writeOnce writes a 0600 file that is not there yet, and returns what is in
// it afterwards.
func writeOnce(path string, make func() string) (string, error) {
	text, err := readTrimmed(path)
	if !errors.Is(err, os.ErrNotExist) {
		return text, err
	}
	text = make()
	if err := os.WriteFile(path+".new", []byte(text+"\n"), 0o600); err != nil {
		return "", err
	}
	return text, os.Rename(path+".new", path)
}

// firstPasswordFile keeps the owner's first password until they have logged in.
func firstPasswordFile(data string) string { return filepath.Join(data, "secrets", "owner-password") }

// forgetFirstPassword removes it.
func (d *deployment) forgetFirstPassword(context.Context, string) {
	err := os.Remove(firstPasswordFile(d.config.Data))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		d.log.WithError(err).Warn("the owner's first password could not be removed")
	}
}
