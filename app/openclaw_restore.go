package app

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/store"
)

// Restore implements command.Agents.
func (a *agents) Restore(ctx context.Context, files []store.ConfigFile, written command.Written) (openclaw.Outcome, error) {
	var contents []contents
	for _, f := range files {
		c, err := readContents(f)
		if err != nil {
			return openclaw.Outcome{}, err
		}
		contents = append(contents, c)
		a.guard.Own([]openclaw.Change{{Path: f.Path, After: c.before}})
	}
	return a.write(ctx, written, func() (done []openclaw.Change, err error) {
		for i, c := range contents {
			made, err := openclaw.Restore(context.WithoutCancel(ctx), files[i].Path, c.after, c.before)
			if err != nil {
				return nil, errors.Join(err, restoreAll(ctx, done))
			}
			done = append(done, made)
		}
		return done, nil
	})
}

// restoreAll puts back what was done before something failed.
func restoreAll(ctx context.Context, done []openclaw.Change) error {
	for _, made := range done {
		if _, err := openclaw.Restore(context.WithoutCancel(ctx), made.Path, made.After, made.Before); err != nil {
			return err
		}
	}
	return nil
}

// contents is a file now, as an edit left it, and what it held before.
type contents struct{ after, before []byte }

// readContents reads both, and holds them against the record.
func readContents(f store.ConfigFile) (c contents, err error) {
	now, err := openclaw.OpenFile(f.Path)
	if err != nil {
		return c, err
	}
	if c.before, err = backupOf(now, f); err != nil {
		return c, err
	}
	c.after = now.Bytes()
	if contentHash(c.after) != f.After {
		return c, &openclaw.ConflictError{Path: f.Path, At: "the file", Diff: openclaw.Diff(f.Path, c.before, c.after)}
	}
	return c, nil
}

// backupOf finds the content before an edit. An edit that was interrupted has
// not noted where its backup is.
func backupOf(now *openclaw.File, f store.ConfigFile) ([]byte, error) {
	names := []string{f.Backup}
	if f.Backup == "" {
		kept, err := now.Backups()
		if err != nil {
			return nil, err
		}
		for _, b := range kept {
			names = append(names, b.Path)
		}
	}
	for _, name := range names {
		if content, err := os.ReadFile(name); err == nil && contentHash(content) == f.Before {
			return content, nil
		}
	}
	return nil, &command.BackupGone{Path: cmp.Or(f.Backup, f.Path)}
}

func contentHash(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
