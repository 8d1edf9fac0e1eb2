// Package aside keeps copies of files and folders that something new is about to
// change, so that they can be put back should it fail. A copy is whole or not
// there; while it is there, what it is of is not to be trusted, and putting it
// back may be done any number of times.
//
// It copies and removes what it is told to. It does not know what the files are,
// and nobody may write to them meanwhile.
package aside

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Copy is a folder that holds copies of some names of another folder.
type Copy struct {
	Folder string
	Of     string
	Names  []string // files and folders there; each may be missing
}

// Kept says whether there is a copy.
func (c Copy) Kept() bool {
	_, err := os.Stat(c.Folder)
	return err == nil
}

// Traces are all paths at which something of a copy may be.
func (c Copy) Traces() []string { return []string{c.Folder, c.Folder + making, c.Folder + dropped} }

const (
	// making ends the name of a copy that is being made, dropped that of one that
	// is being removed.
	making  = ".new"
	dropped = ".old"
)

// Keep makes the copy. One that is there is kept instead: it is older.
func (c Copy) Keep() error {
	if c.Kept() {
		return nil
	}
	fresh := c.Folder + making
	if err := errors.Join(os.RemoveAll(fresh), os.MkdirAll(fresh, 0o700)); err != nil {
		return ErrNotKept{c.Of, err}
	}
	for _, name := range c.Names {
		if err := copyAll(filepath.Join(c.Of, name), filepath.Join(fresh, name)); err != nil {
			return ErrNotKept{c.Of, errors.Join(err, os.RemoveAll(fresh))} // a full disk needs the room
		}
	}
	if err := os.Rename(fresh, c.Folder); err != nil {
		return ErrNotKept{c.Of, err}
	}
	return nil
}

// ErrNotKept says that no copy could be made; nothing was changed.
type ErrNotKept struct {
	Of  string
	Err error
}

func (e ErrNotKept) Error() string { return fmt.Sprintf("keep a copy of %s: %v", e.Of, e.Err) }

// Unwrap gives the cause.
func (e ErrNotKept) Unwrap() error { return e.Err }

// PutBack has all names be what they were, also those that were not there.
func (c Copy) PutBack() error {
	for _, name := range c.Names {
		path := filepath.Join(c.Of, name)
		if err := errors.Join(os.RemoveAll(path), copyAll(filepath.Join(c.Folder, name), path)); err != nil {
			return fmt.Errorf("put %s back: %w", path, err)
		}
	}
	return c.Drop()
}

// Drop removes the copy: what was changed is good.
func (c Copy) Drop() error {
	gone := c.Folder + dropped
	if err := os.RemoveAll(gone); err != nil {
		return fmt.Errorf("drop a copy: %w", err)
	}
	if err := os.Rename(c.Folder, gone); err != nil {
		return fmt.Errorf("drop a copy: %w", err)
	}
	return os.RemoveAll(gone)
}

// copyAll copies a file or a folder with all that is in it, with its modes. What
// is not there is not copied; sockets and pipes have no content.
func copyAll(from, to string) error {
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		info, err := entry.Info()
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return os.MkdirAll(target, info.Mode().Perm()|0o700)
		case info.Mode()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		case info.Mode().IsRegular():
			return copyFile(path, target, info.Mode().Perm())
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		if _, gone := os.Lstat(from); gone != nil {
			return nil
		}
	}
	return err
}

func copyFile(from, to string, mode fs.FileMode) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Sync(), target.Close())
}
