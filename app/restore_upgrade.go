package app

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/githabideri/fraktalia/backup"
)

// endClawUpgrade ends an upgrade of OpenClaw that was interrupted, as the next start
// would: its state is as it was before. Who copies another folder openclaw here after
// a restore keeps that one then. Of a folder that is gone, nothing is put back.
func endClawUpgrade(data string, done *backup.Restored) error {
	before := (&localClaw{data: data}).before()
	if !before.Kept() {
		return nil
	}
	if _, err := os.Stat(before.Of); errors.Is(err, os.ErrNotExist) {
		return done.MoveAside(data, filepath.Base(before.Folder))
	}
	for _, name := range before.Names { // what the upgrade had made of it
		if err := done.MoveAside(data, filepath.Join(filepath.Base(before.Of), name)); err != nil {
			return err
		}
	}
	return before.PutBack()
}
