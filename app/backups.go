package app

import (
	"context"
	"path/filepath"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/githabideri/fraktalia/backup"
	"github.com/githabideri/fraktalia/config"
	"github.com/githabideri/fraktalia/store"
)

// backupTick is the time between two looks whether a backup is due.
const backupTick = time.Minute

// backups makes copies by itself. It implements command.Backups.
type backups struct {
	*backup.Folder
	every time.Duration
	log   *logrus.Entry
}

// newBackups says what is copied: databases as they are at one moment, and
// what an owner has written. The keys stay where they are: the room keys in the
// database are no use without them, nor a stolen backup.
func newBackups(c config.Config, log *logrus.Entry) *backups {
	database := func(path ...string) func(context.Context, string) error {
		from := filepath.Join(append([]string{c.Data}, path...)...)
		return func(ctx context.Context, to string) error { return store.CopyDatabase(ctx, from, to) }
	}
	return &backups{every: c.Backups.Every.Every(), log: log, Folder: &backup.Folder{Path: c.Backups.Folder, Keep: c.Backups.Keep, Sources: []backup.Source{
		{Name: "fraktalia.db", Copy: database("fraktalia.db")},
		{Name: "fraktalia.yaml", Copy: backup.File(c.File)},
		{Name: "packages.yaml", Copy: backup.File(filepath.Join(c.Data, "packages.yaml"))},
		{Name: "homeserver.db", Copy: database("synapse", "homeserver.db")},
		{Name: "homeserver.local.yaml", Copy: backup.File(filepath.Join(c.Data, "synapse", "homeserver.local.yaml"))},
	}}}
}

// Every implements command.Backups.
func (b *backups) Every() time.Duration { return b.every }

// due says whether it is time for a copy. One that is ahead of now is none.
func (b *backups) due() bool {
	last, ok, err := b.Last()
	return err == nil && (!ok || time.Since(last.At) >= b.every)
}

// Run makes a copy whenever one is due, until ctx ends. One that fails is tried
// again; the doctor tells of copies that have become too old.
func (b *backups) Run(ctx context.Context) error {
	if b.every == 0 {
		return nil
	}
	tick := time.NewTicker(backupTick)
	defer tick.Stop()
	for {
		if b.due() {
			made, err := b.Make(ctx)
			if err != nil && ctx.Err() == nil {
				b.log.WithError(err).Error("no backup could be made")
			} else if err == nil {
				b.log.WithField("folder", made.Path).WithField("bytes", made.Size).Info("a backup was made")
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
