package app

import (
	"context"
	"fmt"
	"strings"

	"github.com/docker/go-units"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/sandbox"
)

const (
	// lowDisk is less than a build of the sandbox image takes; with noDisk a
	// database cannot be kept for long.
	lowDisk, noDisk = 4 << 30, 200 << 20
	// lowMemory is what a gateway and a sandbox together need.
	lowMemory, noMemory = 1 << 30, 100 << 20
)

// room is what a disk has left.
type room struct {
	whose string // e.g. a folder
	free  int64  // bytes
}

// lookAtMachine measures what is left of disk and memory.
func (d *deployment) lookAtMachine(ctx context.Context) command.Finding {
	memory, free, err := sandbox.OwnMachine(d.config.Data)
	if err != nil {
		return notWell("see that the folder is there", "the disk of %s cannot be measured: %s", d.config.Data, rootCause(err))
	}
	disks := []room{{d.config.Data, free}}
	// Without an engine docker's own line tells.
	if theirs, err := d.engine.Machine(ctx, d.config.Sandbox.Image); err == nil && theirs.Disk != free {
		disks = append(disks, room{"Docker", theirs.Disk})
	}
	return judgeMachine(disks, memory)
}

// judgeMachine says whether that is enough.
func judgeMachine(disks []room, memory int64) command.Finding {
	least, texts := disks[0].free, []string{}
	for _, disk := range disks {
		least = min(least, disk.free)
		texts = append(texts, fmt.Sprintf("%s free for %s", units.HumanSize(float64(disk.free)), disk.whose))
	}
	fact := strings.Join(append(texts, units.BytesSize(float64(memory))+" of memory free"), ", ")
	switch {
	case least < noDisk:
		return notWell("make room, or soon nothing can be written; !sandbox prune removes old images", "%s", fact)
	case memory < noMemory:
		return notWell("see what takes the memory (free -h, docker stats)", "%s", fact)
	case least < lowDisk:
		return unsure("a build of the sandbox image may not fit; !sandbox prune removes old images", "%s", fact)
	case memory < lowMemory:
		return unsure("a build or a busy agent may be killed for lack of memory", "%s", fact)
	}
	return well("%s", fact)
}
