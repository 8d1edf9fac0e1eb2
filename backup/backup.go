// Package backup makes copies of what would be missed, each in a folder of its
// own that is named by its time, keeps the last few of them, tells how old the
// last is, and puts one back. It owns the folder of copies and nothing else; what
// is copied, how, and where it belongs, it is told. It copies no keys.
package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Source is one file of a copy.
type Source struct {
	// Name is what it is called in the copy.
	Name string
	// Copy writes it to path, where nothing is yet. fs.ErrNotExist says that there
	// is nothing to be copied.
	Copy func(ctx context.Context, path string) error
}

// Folder is where copies are kept.
type Folder struct {
	// Path is made where it is missing, 0700.
	Path    string
	Sources []Source
	// Keep is how many are kept.
	Keep int

	making sync.Mutex
}

// Copy is one copy.
type Copy struct {
	Path  string    `json:"path"`
	At    time.Time `json:"at"`
	Files []string  `json:"files"`
	Size  int64     `json:"size_bytes"`
}

const (
	// stamp names copies so that their order is that of their times.
	stamp = "2006-01-02T15-04-05Z"
	// unfinished ends the name of a copy that is being made.
	unfinished = ".part"
	// slack is how far ahead of now a copy may be: two of one second are named by
	// that and the next, and clocks are set right by moments.
	slack = time.Minute
)

// Make makes a copy, and then removes those that are too many. A copy is there
// whole or not at all.
func (f *Folder) Make(ctx context.Context) (Copy, error) {
	f.making.Lock()
	defer f.making.Unlock()
	if err := os.MkdirAll(f.Path, 0o700); err != nil {
		return Copy{}, fmt.Errorf("make the folder of backups: %w", err)
	}
	if err := f.sweep(); err != nil {
		return Copy{}, err
	}
	path := f.free(time.Now().UTC())
	part := path + unfinished
	if err := os.Mkdir(part, 0o700); err != nil {
		return Copy{}, fmt.Errorf("begin a backup: %w", err)
	}
	for _, s := range f.Sources {
		if err := s.Copy(ctx, filepath.Join(part, s.Name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Copy{}, errors.Join(fmt.Errorf("copy %s: %w", s.Name, err), os.RemoveAll(part))
		}
	}
	if err := syncAll(part); err != nil {
		return Copy{}, err
	}
	if err := os.Rename(part, path); err != nil {
		return Copy{}, fmt.Errorf("end a backup: %w", err)
	}
	if err := f.thin(path); err != nil {
		return Copy{}, err
	}
	return describe(path)
}

// free is the path of a copy of that second, or of the next that has none.
func (f *Folder) free(now time.Time) string {
	for ; ; now = now.Add(time.Second) {
		path := filepath.Join(f.Path, now.Format(stamp))
		if _, err := os.Lstat(path); err != nil {
			return path
		}
	}
}

// sweep removes what a program that was killed has left.
func (f *Folder) sweep() error {
	left, err := filepath.Glob(filepath.Join(f.Path, "*"+unfinished))
	for _, path := range left {
		if _, ours := at(strings.TrimSuffix(filepath.Base(path), unfinished)); ours {
			err = errors.Join(err, os.RemoveAll(path))
		}
	}
	return err
}

// thin removes copies other than the one just made: first those that are not of
// any time yet, because a clock was wrong, then the oldest. What is no copy of ours
// stays.
func (f *Folder) thin(made string) error {
	past, ahead, err := f.parted()
	if err != nil {
		return err
	}
	others := slices.DeleteFunc(append(ahead, past...), func(path string) bool { return path == made })
	for len(others) > 0 && len(others)+1 > f.Keep {
		if err := os.RemoveAll(others[0]); err != nil {
			return fmt.Errorf("remove an old backup: %w", err)
		}
		others = others[1:]
	}
	return nil
}

// parted are the paths of the copies up to now, and of those ahead of it, oldest
// first.
func (f *Folder) parted() (past, ahead []string, err error) {
	all, err := f.all()
	limit := time.Now().Add(slack)
	first := slices.IndexFunc(all, func(path string) bool { t, _ := at(filepath.Base(path)); return t.After(limit) })
	if first < 0 {
		first = len(all)
	}
	return all[:first], all[first:], err
}

// all are the paths of the copies, oldest first.
func (f *Folder) all() ([]string, error) {
	entries, err := os.ReadDir(f.Path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("look at the backups: %w", err)
	}
	var paths []string
	for _, entry := range entries {
		if _, ours := at(entry.Name()); ours && entry.IsDir() {
			paths = append(paths, filepath.Join(f.Path, entry.Name()))
		}
	}
	slices.Sort(paths)
	return paths, nil
}

// Last is the newest copy that is not ahead of now; ok is false where there is none.
func (f *Folder) Last() (last Copy, ok bool, err error) {
	past, _, err := f.parted()
	if err != nil || len(past) == 0 {
		return Copy{}, false, err
	}
	last, err = describe(past[len(past)-1])
	return last, err == nil, err
}

// Ahead are the paths of copies that by their names are still to be made: the clock
// is wrong, or was.
func (f *Folder) Ahead() ([]string, error) {
	_, ahead, err := f.parted()
	return ahead, err
}

func at(name string) (time.Time, bool) {
	t, err := time.Parse(stamp, name)
	return t, err == nil
}

func describe(path string) (Copy, error) {
	c := Copy{Path: path}
	c.At, _ = at(filepath.Base(path))
	entries, err := os.ReadDir(path)
	if err != nil {
		return c, fmt.Errorf("look at a backup: %w", err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			return c, fmt.Errorf("look at a backup: %w", err)
		}
		c.Files, c.Size = append(c.Files, entry.Name()), c.Size+info.Size()
	}
	return c, nil
}

// syncAll has the disk hold what was written, before the name says that it is
// whole, and closes the files to everybody else.
func syncAll(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("end a backup: %w", err)
	}
	for _, name := range append(names(entries), ".") {
		file, err := os.Open(filepath.Join(folder, name))
		if err != nil {
			return fmt.Errorf("end a backup: %w", err)
		}
		if name != "." {
			err = file.Chmod(0o600)
		}
		if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
			return fmt.Errorf("end a backup: %w", err)
		}
	}
	return nil
}

func names(entries []os.DirEntry) (list []string) {
	for _, entry := range entries {
		list = append(list, entry.Name())
	}
	return list
}

// File copies a file as it is.
func File(source string) func(context.Context, string) error {
	return func(_ context.Context, path string) error {
		text, err := os.ReadFile(source)
		if err != nil {
			return err
		}
		return os.WriteFile(path, text, 0o600)
	}
}
