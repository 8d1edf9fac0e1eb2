package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/google/uuid"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/firewall/probe"
	"github.com/githabideri/fraktalia/store"
)

// tryLimit bounds what starts containers, or reads a whole database through.
const tryLimit = 30 * time.Second

// encryptLimit bounds what asks the homeserver a few things.
const encryptLimit = 10 * time.Second

// proofs are what !doctor tries.
func (d *deployment) proofs() []command.Check {
	checks := []command.Check{
		{Part: "homeserver", Look: d.homeserverHealth},
		{Part: "encryption", Look: d.proveEncryption, Limit: tryLimit},
		{Part: "database", Look: d.proveDatabase, Limit: tryLimit},
		{Part: "disk and memory", Look: d.lookAtMachine, Needs: "docker"},
		{Part: "docker", Look: d.proveEngine, Limit: tryLimit},
		{Part: "versions", Look: d.versionsHealth, Limit: tryLimit, Needs: "docker"},
		{Part: "openclaw config", Look: d.openclawHealth, Limit: tryLimit},
		{Part: "openclaw gateway", Look: d.proveGateway, Limit: tryLimit},
		{Part: "isolation", Look: d.isolationHealth, Needs: "docker", Deep: d.proveIsolation, DeepLimit: proveLimit},
	}
	if d.config.OpenClaw.Run {
		checks = append(checks, command.Check{Part: "openclaw preloads", Look: d.preloadsHealth})
	}
	for _, h := range d.engines.hosts {
		checks = append(checks, command.Check{Part: "host " + h.Name, Look: d.hostHealth(h)})
	}
	return checks
}

// proveEncryption has the bot encrypt and decrypt.
func (d *deployment) proveEncryption(ctx context.Context) command.Finding {
	ctx, cancel := context.WithTimeout(ctx, encryptLimit)
	defer cancel()
	p, err := d.bot.ProveEncryption(ctx)
	switch {
	case err != nil:
		d.log.WithError(err).Info("doctor: the encryption")
		return unsure("see homeserver", "not known: the homeserver does not answer")
	case len(p.Plain) > 0:
		return notWell("name another room in rooms of fraktalia.yaml, or let me make one; I say nothing in this one", "the server says that %s is not encrypted", strings.Join(p.Plain, " and "))
	case p.Broken != nil:
		d.log.WithError(p.Broken).Error("doctor: a message cannot be encrypted and decrypted")
		return notWell("start fraktalia again; the log says what failed", "a message cannot be encrypted and decrypted again")
	case !p.Signed:
		return notWell("start fraktalia again, which signs it; the file secrets/recovery-key must be there", "the server does not show my device as signed by my identity: clients show a red shield, or give me no keys")
	case p.Unread > 0:
		return unsure("who wrote them says them again; their devices did not hand out the keys", "works; %s cannot be read so far", counted(p.Unread, "message"))
	}
	return well("my device is signed, %s encrypted, a message was encrypted and decrypted", counted(p.Rooms, "room"))
}

// proveDatabase reads the whole file, and writes into it.
func (d *deployment) proveDatabase(ctx context.Context) command.Finding {
	found := inspectDatabase(ctx, d.config.Data)
	if found.Mark != command.Well {
		return found
	}
	if err := d.store.ProveWrite(ctx, uuid.NewString()); err != nil {
		d.log.WithError(err).Error("doctor: the database takes no write")
		return notWell("look at the disk's space, and at the log", "is whole, but takes no write")
	}
	found.Fact += "; written and read back"
	return found
}

// inspectDatabase looks into the file, whoever has it open.
func inspectDatabase(ctx context.Context, data string) command.Finding {
	path := filepath.Join(data, "fraktalia.db")
	s, err := store.Inspect(ctx, path)
	switch {
	case ctx.Err() != nil:
		return notWell("try again when the machine has less to do", "%s could not be read through in time", path)
	case err != nil:
		return notWell("fraktalia restore puts the last backup in its place (docs/operations.md)", "%s cannot be read: %s", path, rootCause(err))
	case len(s.Damage) > 0:
		return notWell("stop fraktalia; fraktalia restore puts the last backup in its place (docs/operations.md)", "%s is damaged: %s", path, s.Damage[0])
	case s.Version > s.Newest:
		return notWell("run that one, or put back the copy from before the upgrade", "%s was written by a newer fraktalia", path)
	}
	return well("whole, version %d, %s and %s of log", s.Version, units.HumanSize(float64(s.Size)), units.HumanSize(float64(s.Log)))
}

// rootCause is the innermost of an error, which is the part that people can use.
func rootCause(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

// proveEngine runs a container and has it say something.
func (d *deployment) proveEngine(ctx context.Context) command.Finding {
	found := d.dockerHealth(ctx)
	if found.Mark != command.Well {
		return found
	}
	begun := time.Now()
	said, err := d.isolation.runContainer(ctx)
	switch {
	case err != nil:
		d.log.WithError(err).Warn("doctor: no container runs")
		return notWell("journalctl -u docker says why; the log has what the engine said", "%s answers, but no container runs", found.Fact)
	case !strings.HasPrefix(said, "fraktalia version"):
		return notWell("the log has what it said", "%s runs a container, but it says nothing sensible", found.Fact)
	}
	found.Fact += fmt.Sprintf("; a container ran, in %.1f s", time.Since(begun).Seconds())
	return found
}

// runContainer runs this very program in a container without network, and
// returns what it says of its version.
func (v prover) runContainer(ctx context.Context) (string, error) {
	if err := v.importProber(ctx); err != nil {
		return "", err
	}
	p, err := v.engine.StartProber(ctx, proberImage, "none", []string{probe.Program, "probe", "listen"})
	if err != nil {
		return "", err
	}
	defer v.engine.StopProber(ctx, p)
	said, err := v.engine.AskProber(ctx, p, []string{probe.Program, "--version"}, nil)
	return string(said), err
}
