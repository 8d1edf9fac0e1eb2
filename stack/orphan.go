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
	for _, pid := range synapses("/proc", s.layout.config()) {
		s.options.Log.WithField("pid", pid).Warn("stopping a synapse that an earlier run left behind")
		if err := s.stopOrphan(ctx, pid); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stack) stopOrphan(ctx context.Context, pid int) error {
	process, err := os.FindProcess(pid) // holds a pidfd: the number cannot change its meaning from here on
	if err != nil || !isSynapse("/proc", pid, s.layout.config()) {
		return nil // it has ended by itself
	}
	defer process.Release()
	gone := func() bool { return !isSynapse("/proc", pid, s.layout.config()) }
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if err := process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stop the Synapse of an earlier run (pid %d): %w", pid, err)
		}
		for deadline := time.Now().Add(stopPatience); !gone() && time.Now().Before(deadline); {
			if !sleep(ctx, 20*time.Millisecond) {
				return fmt.Errorf("stop the Synapse of an earlier run (pid %d): %w", pid, ctx.Err())
			}
		}
		if gone() {
			return nil
		}
	}
	return fmt.Errorf("the Synapse of an earlier run (pid %d) cannot be stopped", pid)
}

// synapses lists the processes that run Synapse with this configuration file.
func synapses(proc, config string) []int {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil
	}
	var found []int
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil && isSynapse(proc, pid, config) {
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
