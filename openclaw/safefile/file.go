// Package safefile replaces a file's content so that nobody ever sees half of it, and nobody else's change is lost.
//
// A file is read together with what is needed to know it again. Save writes the new content beside it, keeps a backup of
// the old one under a name of our own, looks once more whether the file is still the one that was read, and renames. A
// crash or SIGKILL at any point leaves the old content or the new one. What would break a promise is refused: hard links
// (a rename would part them), files mounted one by one into a container (they cannot be renamed over), read-only files.
// The package does not know what the content means.
package safefile

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// MaxSize is the largest file that is read, in bytes.
const MaxSize = 64 << 20

// File is a file as it was read.
type File struct {
	Path string // where it really is: links resolved, absolute
	Data []byte
	hash [sha256.Size]byte
}

// Read reads a file. Symbolic links are followed; Path names their target. Errors: *NotRegularError, and those of the
// operating system.
func Read(path string) (*File, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", path, err)
	}
	if real, err = filepath.Abs(real); err != nil {
		return nil, fmt.Errorf("find %s: %w", path, err)
	}
	data, _, err := load(real)
	if err != nil {
		return nil, err
	}
	return &File{Path: real, Data: data, hash: sha256.Sum256(data)}, nil
}

// load reads a regular file and its facts by one descriptor, so that both belong to the same file.
func load(path string) ([]byte, *syscall.Stat_t, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe must not hold us up
	if err != nil {
		return nil, nil, fmt.Errorf("open the file: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("look at %s: %w", path, err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() {
		return nil, nil, &NotRegularError{Path: path, Mode: info.Mode()}
	}
	if info.Size() > MaxSize {
		return nil, nil, &TooLargeError{Path: path, Size: info.Size()}
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", path, err)
	}
	return data, stat, nil
}

// NotRegularError says that a path names a folder, a device or the like.
type NotRegularError struct {
	Path string
	Mode os.FileMode
}

func (e *NotRegularError) Error() string {
	return fmt.Sprintf("%s is no regular file (%s)", e.Path, e.Mode)
}

// TooLargeError says that a file is larger than MaxSize.
type TooLargeError struct {
	Path string
	Size int64
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%s has %d bytes; more than %d are not read", e.Path, e.Size, MaxSize)
}

// ChangedError says that somebody else changed the file since it was read. Now is its present content.
type ChangedError struct {
	Path string
	Now  []byte
}

func (e *ChangedError) Error() string { return e.Path + " was changed by somebody else meanwhile" }

// HardLinkError says that the file has other names, which a rename would part from it.
type HardLinkError struct {
	Path  string
	Links uint64
}

func (e *HardLinkError) Error() string {
	return fmt.Sprintf("%s has %d hard links; replacing it would part them", e.Path, e.Links)
}

// BindMountError says that the file itself is a mount point, as when a container was given this one file: it cannot be
// renamed over. Its folder must be mounted instead.
type BindMountError struct {
	Path, Folder string
}

func (e *BindMountError) Error() string {
	return fmt.Sprintf("%s is mounted as a single file and cannot be replaced; mount its folder %s instead", e.Path, e.Folder)
}

// ReadOnlyError says that the file, or its folder, is marked read-only for everybody, its owner included.
type ReadOnlyError struct {
	Path string
	Mode os.FileMode
}

func (e *ReadOnlyError) Error() string {
	return fmt.Sprintf("%s is read-only (mode %04o)", e.Path, e.Mode.Perm())
}

// SaveError says at which step the operating system refused; the file is as it was. errors.Is finds the reason, such as
// syscall.ENOSPC for a full disk.
type SaveError struct {
	Path string
	Step string
	Err  error
}

func (e *SaveError) Error() string { return fmt.Sprintf("%s of %s: %v", e.Step, e.Path, e.Err) }

func (e *SaveError) Unwrap() error { return e.Err }

// step wraps an error of the operating system, and lets errors that carry their own facts pass.
func (f *File) step(name string, err error) error {
	var ready *SaveError
	if err == nil || errors.As(err, &ready) {
		return err
	}
	return &SaveError{Path: f.Path, Step: name, Err: err}
}
