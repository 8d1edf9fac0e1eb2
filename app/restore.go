package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/backup"
	"github.com/githabideri/fraktalia/config"
	"github.com/githabideri/fraktalia/stack"
	"github.com/githabideri/fraktalia/store"
)

// restoreCommand puts a backup back. It is no command of the running program,
// which would have its own database open.
func (p *program) restoreCommand() *cobra.Command {
	var data, secrets string
	cmd := &cobra.Command{
		Use:   "restore BACKUP",
		Short: "puts a backup back, into the data folder that it was made of or into a new one",
		Long: "BACKUP is one of the folders in backups/ of the data folder, named by its time. Nothing may run on the data folder. What is there is moved aside, into a folder beside, and nothing is deleted. " +
			"A new data folder needs the keys, too, which are in no backup: --secrets names the copy of the folder secrets.",
		Example: "  fraktalia restore backups/2026-11-26T11-31-30Z --data /srv/fraktalia --secrets /mnt/keys/secrets",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("Say which backup: one of the folders in %s.", filepath.Join(data, "backups"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return p.restore(cmd.Context(), args[0], data, secrets) },
	}
	cmd.Flags().StringVar(&data, "data", defaultData(), "the `folder` of everything that is kept")
	cmd.Flags().StringVar(&secrets, "secrets", "", "a copy of the `folder` secrets, where the data folder's own is lost")
	return cmd
}

// restored are the files of a backup and where they belong.
func restored() []backup.Place {
	return []backup.Place{
		{Name: "fraktalia.yaml", Path: "fraktalia.yaml"},
		{Name: "packages.yaml", Path: "packages.yaml"},
		{Name: "fraktalia.db", Path: "fraktalia.db", With: []string{"fraktalia.db-wal", "fraktalia.db-shm"}},
		{Name: "homeserver.db", Path: filepath.Join("synapse", "homeserver.db"), With: stack.WithDatabase()},
		{Name: "homeserver.local.yaml", Path: filepath.Join("synapse", "homeserver.local.yaml")},
	}
}

func (p *program) restore(ctx context.Context, from, data, secrets string) error {
	data, err := filepath.Abs(data)
	if err != nil {
		return err
	}
	device, err := readable(ctx, from)
	if err != nil {
		return err
	}
	keys, err := keysFor(device, secrets, data)
	if err != nil {
		return err
	}
	release, err := holdIdle(data)
	if err != nil {
		return err
	}
	defer release()
	done, err := backup.Restore(ctx, from, data, restored())
	if err == nil {
		err = errors.Join(stack.ForgetOneTimeKeys(ctx, data), endClawUpgrade(data, &done))
	}
	if err == nil && len(keys) > 0 {
		var more backup.Restored
		more, err = backup.Restore(ctx, secrets, data, keys)
		done.Files = append(done.Files, "secrets")
		if done.Aside == "" {
			done.Aside = more.Aside
		}
	}
	if err != nil {
		return failed("Not all of it could be put back: %s. Nothing is deleted: say it again when that is mended. What was there before is in %s.", rootCause(err), filepath.Join(data, backup.AsidePrefix+"…"))
	}
	p.tellRestored(data, done)
	return nil
}

// readable refuses what is no backup, or none for this program, and returns the
// bot's device in it.
func readable(ctx context.Context, from string) (device string, err error) {
	s, err := store.Inspect(ctx, filepath.Join(from, "fraktalia.db"))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", failed("%s is no backup: there is no fraktalia.db in it. Backups are the folders in backups/ of the data folder, named by their time.", from)
	case err != nil:
		return "", failed("%s cannot be read: %s. Take another backup.", filepath.Join(from, "fraktalia.db"), rootCause(err))
	case len(s.Damage) > 0:
		return "", failed("%s is damaged: %s. Take another backup.", filepath.Join(from, "fraktalia.db"), s.Damage[0])
	case s.Version > s.Newest:
		return "", failed("This backup was made by a newer fraktalia. Restore it with that one.")
	}
	return s.Device, nil
}

// pickleKey is the key without which the database's room keys cannot be read.
const pickleKey = "pickle-key"

// keysFor are the keys of a device to be put into a data folder; none where it
// has its own and no others are named.
func keysFor(device, secrets, data string) (keys []backup.Place, err error) {
	if secrets == "" {
		return nil, ownKeys(device, filepath.Join(data, "secrets"))
	}
	entries, err := os.ReadDir(secrets)
	if err != nil {
		return nil, failed("%s cannot be read: %s", secrets, rootCause(err))
	}
	for _, entry := range entries {
		if entry.Type().IsRegular() {
			keys = append(keys, backup.Place{Name: entry.Name(), Path: filepath.Join("secrets", entry.Name())})
		}
	}
	if !isThere(secrets, pickleKey) {
		return nil, failed("%s is no copy of the folder secrets: there is no %s in it.", secrets, pickleKey)
	}
	return keys, nil
}

// ownKeys wants the keys in a data folder to be those of the bot's device.
func ownKeys(device, folder string) error {
	if !isThere(folder, pickleKey) {
		return failed("There are no keys in %s, and none are in a backup: without them the bot cannot read its own database. --secrets names a copy of the folder secrets of the old data folder.", folder)
	}
	var session struct {
		Device string `json:"device_id"`
	}
	text, err := os.ReadFile(filepath.Join(folder, "bot-session.json"))
	if err == nil && json.Unmarshal(text, &session) == nil && device != "" && session.Device != device {
		return failed("The keys in %s are of another device of the bot's (%s) than this backup (%s). If they are of another installation, --secrets names a copy of the folder secrets that belongs to the backup; if they are the right ones all the same, say --secrets %[1]s.", folder, session.Device, device)
	}
	return nil
}

// holdIdle takes a data folder on which nothing runs.
func holdIdle(data string) (release func() error, err error) {
	if c, err := net.Dial("unix", socketIn(data)); err == nil {
		c.Close()
		return nil, failed("Fraktalia runs on %s. Stop it first.", data)
	}
	if info, err := os.Stat(data); err == nil {
		if owner, ok := info.Sys().(*syscall.Stat_t); ok && int(owner.Uid) != os.Geteuid() {
			return nil, failed("%s belongs to another user (number %d). Restore as that user: what is put back has to be theirs.", data, owner.Uid)
		}
	}
	release, err = stack.Hold(data)
	var locked stack.ErrLocked
	var strange stack.ErrDataFolder
	switch {
	case errors.As(err, &locked):
		return nil, failed("Something runs on %s (pid %d). Stop it first.", data, locked.PID)
	case errors.As(err, &strange):
		return nil, failed("%s holds something else (%s). Name an empty folder, or one of fraktalia's.", data, strange.Found)
	}
	return release, err
}

// tellRestored says what was put back, what a backup does not hold, and how to go on.
func (p *program) tellRestored(data string, done backup.Restored) {
	say := func(format string, args ...any) { fmt.Fprintf(p.stdout, format+"\n", args...) }
	say("Put back into %s: %s.", data, strings.Join(done.Files, ", "))
	if done.Aside != "" {
		say("What was there before is in %s.", done.Aside)
	}
	ours := isThere(data, "synapse", "homeserver.db")
	if ours && !isThere(data, "synapse", "media") {
		say("Pictures and files that people have sent are in no backup: copy the old folder synapse/media to %s.", filepath.Join(data, "synapse", "media"))
	}
	c, err := config.Load(filepath.Join(data, "fraktalia.yaml"))
	if err == nil && c.OpenClaw.Run && !isThere(data, "openclaw") {
		say("OpenClaw's folder is in no backup: copy the old folder openclaw to %s, before you start.", filepath.Join(data, "openclaw"))
	}
	if ours {
		say("Start it: fraktalia up --data %s", data)
		return
	}
	say("Start it: fraktalia run --config %s", filepath.Join(data, "fraktalia.yaml"))
}

func isThere(parts ...string) bool {
	_, err := os.Stat(filepath.Join(parts...))
	return err == nil
}
