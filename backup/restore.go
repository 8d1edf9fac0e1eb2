package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Place is where a file of a copy belongs.
type Place struct {
	// Name is what it is called in the copy; Path is where it goes, below the
	// folder into which is restored.
	Name, Path string
	// With are files and folders that belong to what is there now, such as a
	// database's log, and mean nothing to what comes.
	With []string
}

const (
	// arriving ends the name of a file that is being put back.
	arriving = ".restoring"
	// AsidePrefix begins the name of the folder that what was there is moved to.
	AsidePrefix = "before-restore-"
)

// Restored is what was done.
type Restored struct {
	// Files are those that were put back, by their names in the copy.
	Files []string
	// Aside is where what was there before is now; "" where nothing was.
	Aside string
}

// Restore puts the files of a copy back below a folder. Nothing of it may run.
// What is there is moved aside, and nothing is before all of the copy has been
// read: a copy that cannot be read changes nothing. Killed in the middle, it can
// be done again; what it had moved aside stays there.
func Restore(ctx context.Context, from, folder string, places []Place) (done Restored, err error) {
	defer func() { // what had arrived, where it went no further
		for _, p := range places {
			err = errors.Join(err, gone(filepath.Join(folder, p.Path)+arriving))
		}
	}()
	var found []Place
	for _, p := range places {
		switch err := fetch(ctx, filepath.Join(from, p.Name), filepath.Join(folder, p.Path)+arriving); {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return done, fmt.Errorf("read %s of the backup: %w", p.Name, err)
		default:
			found = append(found, p)
		}
	}
	for _, p := range found {
		if err := done.settle(folder, p); err != nil {
			return done, fmt.Errorf("put %s back: %w", p.Name, err)
		}
		done.Files = append(done.Files, p.Name)
	}
	return done, nil
}

// fetch copies a file to where it is beside its place.
func fetch(ctx context.Context, from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	target, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Sync(), target.Close(), ctx.Err())
}

// settle moves aside what is in a file's place, with what belongs to it, and
// gives the file its name.
func (r *Restored) settle(folder string, p Place) error {
	if err := r.MoveAside(folder, append([]string{p.Path}, p.With...)...); err != nil {
		return err
	}
	place := filepath.Join(folder, p.Path)
	return os.Rename(place+arriving, place)
}

// MoveAside moves what there is of some files and folders below a folder to where
// a restore has moved the others.
func (r *Restored) MoveAside(folder string, paths ...string) error {
	for _, path := range paths {
		there := filepath.Join(folder, path)
		if _, err := os.Lstat(there); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if r.Aside == "" {
			r.Aside = filepath.Join(folder, AsidePrefix+time.Now().UTC().Format(stamp))
		}
		to := filepath.Join(r.Aside, path)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if err := os.Rename(there, to); err != nil {
			return err
		}
	}
	return nil
}

// gone removes a file that may be there.
func gone(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
