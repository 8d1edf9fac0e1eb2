package sandbox_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// processRuns looks for a process by its command line, whose words end in NUL.
// A container's processes are the host's too.
func processRuns(t *testing.T, commandLine string) bool {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err == nil && bytes.Contains(content, []byte(commandLine)) {
			return true
		}
	}
	return false
}

// within waits for a condition, for as long as a busy machine may need.
func within(t *testing.T, patience time.Duration, complaint string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(complaint)
		}
	}
}
