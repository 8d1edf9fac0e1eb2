package sandbox

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/system"
)

// Machine is what the engine's machine has left.
type Machine struct {
	Memory int64 // bytes that new processes can have
	Disk   int64 // bytes free where the engine keeps its images
	// Containerd says that images are in containerd's store, which holds them
	// three times while they are made: layers, their archives, and what is
	// unpacked of them.
	Containerd bool
}

// Machine asks what is left on the engine's machine. A container of the image
// probe looks where the engine is on another machine.
func (e *Engine) Machine(ctx context.Context, probe string) (Machine, error) {
	info, err := e.api.Info(ctx)
	if err != nil {
		return Machine{}, e.engineError(err, "ask the engine for its folder")
	}
	m := Machine{Containerd: containerdStore(info)}
	if e.here(info) {
		m.Memory, m.Disk, err = OwnMachine(info.DockerRootDir)
		return m, err
	}
	m.Memory, m.Disk, err = e.otherMachine(ctx, probe)
	return m, err
}

func containerdStore(info system.Info) bool {
	for _, status := range info.DriverStatus {
		if status[0] == "driver-type" && strings.Contains(status[1], "containerd") {
			return true
		}
	}
	return false
}

// here says whether the engine is on this machine: its socket is a file, and
// the name is ours. A socket alone may lead elsewhere.
func (e *Engine) here(info system.Info) bool {
	name, err := os.Hostname()
	return err == nil && name == info.Name && strings.HasPrefix(e.api.DaemonHost(), "unix://")
}

// OwnMachine is what this machine has left: of memory, and of disk in a folder.
func OwnMachine(folder string) (memory, disk int64, err error) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, 0, fmt.Errorf("read the machine's memory: %w", err)
	}
	if memory, err = memAvailable(string(text)); err != nil {
		return 0, 0, err
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(folder, &fs); err != nil {
		return 0, 0, fmt.Errorf("look at the disk of %s: %w", folder, err)
	}
	return memory, int64(fs.Bavail) * fs.Bsize, nil
}

// otherMachine looks from inside: a container's root has the free space of the
// folder that the engine keeps it in, and its /proc/meminfo is the machine's.
func (e *Engine) otherMachine(ctx context.Context, probe string) (memory, disk int64, err error) {
	id, err := e.startProbe(ctx, probe, &container.HostConfig{NetworkMode: "none"})
	defer e.stopProbe(ctx, id)
	if err != nil {
		return 0, 0, err
	}
	output, code, err := e.ask(ctx, id, "cat /proc/meminfo && df -kP / | tail -n 1")
	if err != nil || code != 0 {
		return 0, 0, fmt.Errorf("look at the engine's machine: status %d, %w", code, err)
	}
	if memory, err = memAvailable(output); err != nil {
		return 0, 0, err
	}
	words := strings.Fields(output[strings.LastIndexByte(strings.TrimSpace(output), '\n')+1:])
	if len(words) < 4 {
		return 0, 0, fmt.Errorf("df said %q", words)
	}
	free, err := strconv.ParseInt(words[3], 10, 64)
	return memory, free << 10, err
}

// memAvailable reads /proc/meminfo.
func memAvailable(text string) (int64, error) {
	_, rest, found := strings.Cut(text, "MemAvailable:")
	words := strings.Fields(rest)
	if !found || len(words) == 0 {
		return 0, fmt.Errorf("/proc/meminfo has no MemAvailable")
	}
	kib, err := strconv.ParseInt(words[0], 10, 64)
	return kib << 10, err
}
