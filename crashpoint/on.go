//go:build crashpoints

// Package crashpoint names the places at which the tests kill the program.
package crashpoint

import (
	"os"
	"syscall"
)

// At ends the process as kill -9 would, where FRAKTALIA_CRASH_AT names place.
func At(place string) {
	if os.Getenv("FRAKTALIA_CRASH_AT") == place {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal is on its way
	}
}
