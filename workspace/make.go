package workspace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// New is a workspace that is to be made.
type New struct {
	Path string
	// Owner is whose it will be; the mode is the folder's.
	Owner State
	Files map[string]string // by their paths in it
}

// unfinished ends the name of a folder that is still being filled.
const unfinished = ".unfinished"

// Make makes a workspace with its files, whole or not at all. Where it is
// killed, an unfinished folder is left, which Discard removes. Errors:
// fs.ErrExist, fs.ErrPermission.
func (n New) Make() error {
	if _, err := os.Lstat(n.Path); err == nil {
		return &fs.PathError{Op: "make", Path: n.Path, Err: fs.ErrExist}
	}
	building := n.Path + unfinished
	if err := os.RemoveAll(building); err != nil {
		return fmt.Errorf("make a workspace: %w", err)
	}
	err := n.fill(building)
	if err == nil {
		err = os.Rename(building, n.Path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("make a workspace: %w", err), os.RemoveAll(building))
	}
	return nil
}

func (n New) fill(folder string) error {
	if err := os.Mkdir(folder, 0o700); err != nil {
		return err
	}
	for name, text := range n.Files {
		if !filepath.IsLocal(name) {
			return fmt.Errorf("%s lies outside of the workspace", name)
		}
		if err := os.MkdirAll(filepath.Join(folder, filepath.Dir(name)), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return n.give(path, entry.IsDir())
	})
}

// give sets owner and mode; files get what the folder gives, but for the right
// to be run.
func (n New) give(path string, folder bool) error {
	if os.Geteuid() != n.Owner.UID || os.Getegid() != n.Owner.GID {
		if err := os.Lchown(path, n.Owner.UID, n.Owner.GID); err != nil {
			return err
		}
	}
	mode := fs.FileMode(n.Owner.Mode & 0o777)
	if !folder {
		return os.Chmod(path, mode&^0o111)
	}
	if n.Owner.Mode&0o2000 != 0 {
		mode |= fs.ModeSetgid
	}
	return os.Chmod(path, mode)
}

// Discard removes a workspace that Make has made, or begun to make, with all
// that has come into it since. One that is not there is fine.
func Discard(path string) error {
	if err := errors.Join(os.RemoveAll(path), os.RemoveAll(path+unfinished)); err != nil {
		return fmt.Errorf("discard a workspace: %w", err)
	}
	return nil
}

// Move gives a folder another name beside it, and replaces nothing that has
// that name. Errors: fs.ErrExist, fs.ErrNotExist, fs.ErrPermission.
func Move(from, to string) error {
	if err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE); err != nil {
		return &fs.PathError{Op: "move to " + to, Path: from, Err: err}
	}
	return nil
}
