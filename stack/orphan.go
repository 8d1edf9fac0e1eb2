package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// stopOrphans ends any Synapse of this data folder that runs although we, who
// hold the folder's lock, did not start it. The kernel ends our child with us,
// so this is for what escaped that: started by hand, or stopped by a debugger.
// It is known by its command line, which names our configuration file; a file
// with a process number would say less, as numbers are used again.
func (s *Stack) stopOrphans(ctx context.Context) error {
	ours := func(pid int) bool { return isSynapse("/proc", pid, s.layout.config()) }
	for _, pid := range processes("/proc", ours) {
		s.options.Log.WithField("pid", pid).Warn("stopping a synapse that an earlier run left behind")
		if err := stopOrphan(ctx, "Synapse", pid, stopPatience, ours); err != nil {
			return err
		}
	}
	return nil
}

// stopOrphan ends a process that is still one of ours.
func stopOrphan(ctx context.Context, name string, pid int, patience time.Duration, ours func(int) bool) error {
	process, err := os.FindProcess(pid) // holds a pidfd: the number cannot change its meaning from here on
	if err != nil || !ours(pid) {
		return nil // it has ended by itself
	}
	defer process.Release()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if err := process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stop %s of an earlier run (pid %d): %w", name, pid, err)
		}
		for deadline := time.Now().Add(patience); ours(pid) && time.Now().Before(deadline); {
			if !sleep(ctx, 20*time.Millisecond) {
				return fmt.Errorf("stop %s of an earlier run (pid %d): %w", name, pid, ctx.Err())
			}
		}
		if !ours(pid) {
			return nil
		}
	}
	return fmt.Errorf("%s of an earlier run (pid %d) cannot be stopped", name, pid)
}

// processes lists those that are ours.
func processes(proc string, ours func(pid int) bool) []int {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil
	}
	var found []int
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil && ours(pid) {
			found = append(found, pid)
		}
	}
	return found
}

// isSynapse reads the command line; that of a process that has ended but was
// not waited for is empty.
func isSynapse(proc string, pid int, config string) bool {
	line, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "cmdline"))
	if err != nil {
		return false
	}
	args := strings.Split(string(line), "\x00")
	return slices.Contains(args, synapseModule) && slices.Contains(args, config)
}
