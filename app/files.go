package app

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/githabideri/fraktalia/secretfile"
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

// writeOnce makes a secret where its file is not there yet, and returns what
// is in it afterwards.
func writeOnce(path string, make func() string) (string, error) {
	secret, err := secretfile.Read(path)
	if !errors.Is(err, os.ErrNotExist) {
		return secret, err
	}
	secret = make()
	return secret, secretfile.Write(path, secret)
}

// replaceFile writes a file of ours, mode 0600: a crash leaves the old content or
// the new one.
func replaceFile(path string, content []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(content)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// firstPasswordFile keeps the owner's first password until they have logged in.
func firstPasswordFile(data string) string { return filepath.Join(data, "secrets", "owner-password") }

// forgetFirstPassword removes it.
func (d *deployment) forgetFirstPassword() {
	err := os.Remove(firstPasswordFile(d.config.Data))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		d.log.WithError(err).Warn("the owner's first password could not be removed")
	}
}
