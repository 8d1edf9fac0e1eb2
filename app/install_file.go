package app

import (
	"errors"
	"os"
)

// copySelf puts this program where only root can change it.
func copySelf(to string) error {
	path, err := os.Executable()
	if err != nil || path == to {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return settleFile(to, text, 0o755)
}

// settleFile makes or replaces a file of the system's: whole or not at all, and with
// these rights whatever root's umask leaves of them. The bot's user has to run the
// program, and to read the units.
func settleFile(path string, text []byte, mode os.FileMode) error {
	fresh := path + ".new"
	file, err := os.OpenFile(fresh, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Chmod(mode), file.Sync(), file.Close()); err == nil {
		err = os.Rename(fresh, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(fresh))
	}
	return nil
}
