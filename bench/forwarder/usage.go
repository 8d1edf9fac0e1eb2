package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ticksPerSecond is the kernel's USER_HZ, which is 100 on every Linux.
const ticksPerSecond = 100

// members lists the processes of a peer: itself and what it has forked, all
// in its process group.
func members(r *running) []string {
	if r.cmd == nil {
		return nil
	}
	group := strconv.Itoa(r.cmd.Process.Pid)
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	var found []string
	for _, file := range stats {
		if fields := statFields(filepath.Dir(file)); len(fields) > 2 && fields[2] == group {
			found = append(found, filepath.Dir(file))
		}
	}
	return found
}

// statFields are the fields of /proc/PID/stat after the program's name, which
// may have blanks in it: state, parent, group, ...
func statFields(process string) []string {
	text, err := os.ReadFile(filepath.Join(process, "stat"))
	if err != nil {
		return nil // it has ended
	}
	return strings.Fields(string(text)[strings.LastIndexByte(string(text), ')')+1:])
}

// cpuSeconds is what a peer has used so far, in the user's and the kernel's
// mode, with its children that have ended.
func cpuSeconds(r *running) float64 {
	var ticks float64
	for _, process := range members(r) {
		fields := statFields(process)
		for i := 11; i <= 14 && i < len(fields); i++ { // utime, stime, cutime, cstime
			value, _ := strconv.ParseFloat(fields[i], 64)
			ticks += value
		}
	}
	return ticks / ticksPerSecond
}

// residentKiB is a peer's own memory: pages of files are shared and not its.
func residentKiB(r *running) float64 {
	var sum float64
	for _, process := range members(r) {
		text, _ := os.ReadFile(filepath.Join(process, "status"))
		_, rest, _ := strings.Cut(string(text), "RssAnon:")
		var kib float64
		fmt.Sscan(rest, &kib)
		sum += kib
	}
	return sum
}

func openFiles(r *running) float64 {
	var sum int
	for _, process := range members(r) {
		entries, _ := os.ReadDir(filepath.Join(process, "fd"))
		sum += len(entries)
	}
	return float64(sum)
}
