package command

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/backup"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

// Backups are copies of what would be missed.
type Backups interface {
	// Make makes one.
	Make(ctx context.Context) (backup.Copy, error)
	// Last is the newest; ok is false where there is none.
	Last() (last backup.Copy, ok bool, err error)
	// Ahead are the paths of those that are dated later than now.
	Ahead() (paths []string, err error)
	// Every is how often one is made by itself; 0 is never.
	Every() time.Duration
}

func (r *run) backupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "backup",
		Short: "copies the databases and the configuration, while everything runs",
		Long: "A copy is whole or not there. It holds the bot's database, fraktalia.yaml, the choice of packages, and the database of a homeserver that fraktalia up runs. " +
			"It does not hold the keys (the folder secrets, which never changes: keep one copy of it elsewhere), nor pictures and files that people have sent.",
		Args:        none,
		Annotations: map[string]string{laneKey: "backup", jsonKey: "yes", interruptedKey: "What it had begun is removed by the next one; say it again."},
		RunE: r.does(func(ctx context.Context, r *run, _ []string) (reply.Answer, error) {
			made, err := r.Backups.Make(ctx)
			if err != nil {
				return reply.Answer{}, Because(err, "No backup could be made; the log says why. Those from before are as they were. %s looks at disk and database.", r.say("doctor"))
			}
			return reply.Answer{Doc: reply.Say("Backed up: ", strings.Join(made.Files, ", "), " (", units.HumanSize(float64(made.Size)), ") in ", reply.Mono("%s", made.Path),
				". It lies on the same machine, and the keys in the folder secrets are not in it: keep copies of both elsewhere."), Data: made}, nil
		}),
	}
}

// proveBackups looks at the backups.
func (r *run) proveBackups(ctx context.Context) Finding {
	return ProveBackups(ctx, r.Backups, r.say("backup"))
}

// ProveBackups looks how old the last backup is, and reads it through; line is
// what a person types to make one.
func ProveBackups(ctx context.Context, b Backups, line string) Finding {
	last, ok, err := b.Last()
	ahead, aheadErr := b.Ahead()
	every := b.Every()
	switch {
	case err != nil || aheadErr != nil:
		return Finding{NotWell, "the folder of backups cannot be read", "let this user read it, or name another in backups.folder"}
	case !ok && len(ahead) > 0:
		return Finding{NotWell, "none but of a time to come: " + ahead[len(ahead)-1], "set this machine's clock; " + line + " makes one"}
	case !ok && every == 0:
		return Finding{Unsure, "none, and none is made by itself (backups.every)", line + " makes one"}
	case !ok:
		return Finding{Unsure, "none yet", line + " makes one; the log says why none was made by itself"}
	}
	age := time.Since(last.At)
	fact := strings.ToLower(units.HumanDuration(age)) + " old: " + strings.Join(last.Files, ", ") + ", " + units.HumanSize(float64(last.Size))
	if every > 0 && age > every+every/2 || every == 0 && age > mostBackupAge {
		return Finding{NotWell, "the last is " + fact, line + " makes one; the log says why none was made by itself"}
	}
	if s, err := store.Inspect(ctx, filepath.Join(last.Path, "fraktalia.db")); err != nil || len(s.Damage) > 0 {
		return Finding{NotWell, "the last cannot be read: " + last.Path, "look at the disk; " + line + " makes another"}
	}
	if len(ahead) > 0 {
		return Finding{Unsure, "the last is " + fact + "; one is of a time to come: " + ahead[len(ahead)-1], "set this machine's clock; where it is right, rename or remove that folder"}
	}
	return Finding{Mark: Well, Fact: fact}
}

// mostBackupAge is when a backup that is made by hand is too old.
const mostBackupAge = 7 * 24 * time.Hour
