package openclaw

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/githabideri/fraktalia/openclaw/json5"
	"github.com/githabideri/fraktalia/openclaw/safefile"
)

// attempts is how often an edit is done anew when somebody else changes the file meanwhile.
const attempts = 3

// Change is what an edit did to one file.
type Change struct {
	Path    string // of the file, links resolved
	Before  []byte
	After   []byte
	Diff    string // as people read diffs, with secrets hidden; empty if nothing changed
	Backup  string // of the old content; empty for a preview, or if nothing changed
	Changed bool
}

// ConflictError says that somebody else changed, meanwhile, the very values an edit is about. Diff shows what they did.
type ConflictError struct {
	Path string
	At   string
	Diff string
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("%s: somebody else changed %s meanwhile", e.Path, e.At)
}

// FileError says which file an error is about.
type FileError struct {
	Path string
	Err  error
}

func (e *FileError) Error() string { return e.Path + ": " + e.Err.Error() }

func (e *FileError) Unwrap() error { return e.Err }

// File is a JSON5 file as it was read.
type File struct {
	*json5.Document
	file *safefile.File
}

// OpenFile reads and parses a JSON5 file. Errors are a *FileError around *json5.SyntaxError, or those of safefile.Read.
func OpenFile(path string) (*File, error) {
	file, err := safefile.Read(path)
	if err != nil {
		return nil, err
	}
	doc, err := json5.Parse(file.Data)
	if err != nil {
		return nil, &FileError{file.Path, err}
	}
	return &File{doc, file}, nil
}

// Path is where the file really is.
func (f *File) Path() string { return f.file.Path }

// Backups lists the contents that the file had before our edits, the newest first.
func (f *File) Backups() ([]safefile.Backup, error) { return f.file.Backups() }

// Preview says what the operations would do, without writing.
func Preview(path string, operations []json5.Operation) (Change, error) {
	f, err := OpenFile(path)
	if err != nil {
		return Change{}, err
	}
	after, err := applyAll(f.Document, operations)
	if err != nil {
		return Change{}, &FileError{f.Path(), err}
	}
	return change(f.Path(), f.Bytes(), after.Bytes()), nil
}

// Edit does the operations on a JSON5 file, all or none, and saves it. Where somebody else changes the file meanwhile,
// the operations are done on the new content, provided that the values they are about are still the same; else the
// error is a *ConflictError. Other errors: *FileError around those of json5.Document.Apply, and those of safefile.Save.
func Edit(ctx context.Context, path string, operations []json5.Operation) (Change, error) {
	f, err := OpenFile(path)
	if err != nil {
		return Change{}, err
	}
	first := f
	for range attempts {
		after, err := applyAll(f.Document, operations)
		if err != nil {
			return Change{}, &FileError{f.Path(), err}
		}
		made, err := f.save(ctx, after.Bytes())
		var changed *safefile.ChangedError
		if !errors.As(err, &changed) {
			return made, err
		}
		if f, err = OpenFile(path); err != nil {
			return Change{}, err
		}
		if at, same := sameTargets(first.Document, f.Document, operations); !same {
			return Change{}, &ConflictError{f.Path(), at, Diff(f.Path(), first.Bytes(), f.Bytes())}
		}
	}
	return Change{}, &ConflictError{f.Path(), "the file", Diff(f.Path(), first.Bytes(), f.Bytes())}
}

// save writes the new content, unless it is the old one.
func (f *File) save(ctx context.Context, after []byte) (Change, error) {
	made := change(f.Path(), f.Bytes(), after)
	if !made.Changed {
		return made, nil
	}
	backup, err := f.file.Save(ctx, after)
	if err != nil {
		return Change{}, err
	}
	made.Backup = backup
	return made, nil
}

// Restore puts an earlier content back, provided that the file still holds the later one: the undo of an edit.
func Restore(ctx context.Context, path string, later, earlier []byte) (Change, error) {
	file, err := safefile.Read(path)
	if err != nil {
		return Change{}, err
	}
	if !bytes.Equal(file.Data, later) {
		return Change{}, &ConflictError{file.Path, "the file", Diff(file.Path, later, file.Data)}
	}
	made := change(file.Path, file.Data, earlier)
	made.Backup, err = file.Save(ctx, earlier)
	return made, err
}

func change(path string, before, after []byte) Change {
	if bytes.Equal(before, after) {
		return Change{Path: path, Before: before, After: after}
	}
	return Change{Path: path, Before: before, After: after, Diff: Diff(path, before, after), Changed: true}
}

func applyAll(doc *json5.Document, operations []json5.Operation) (*json5.Document, error) {
	for _, o := range operations {
		var err error
		if doc, err = doc.Apply(o); err != nil {
			return nil, err
		}
	}
	return doc, nil
}

// sameTargets says whether the values that operations are about are the same in both documents, and names the first
// that is not.
func sameTargets(was, is *json5.Document, operations []json5.Operation) (at string, same bool) {
	for _, o := range operations {
		before, errBefore := was.Get(o.Path)
		now, errNow := is.Get(o.Path)
		if (errBefore == nil) != (errNow == nil) || errBefore == nil && !before.Value().Equal(now.Value()) {
			return o.Path.String(), false
		}
	}
	return "", true
}
