package stack

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

const (
	// dyingPatience is how long a program that was killed may still hold its port:
	// the kernel takes its memory, and with that its name, before its sockets.
	dyingPatience = 2 * time.Second
	dyingTick     = 20 * time.Millisecond
)

// awaitPort is CheckPort with patience for a holder that nobody knows, or that dies: most
// likely it is what an earlier run had started, and just ends with it.
func awaitPort(ctx context.Context, host string, port int) error {
	for end := time.Now().Add(dyingPatience); ; {
		err := CheckPort(host, port)
		var used ErrPortInUse
		if !errors.As(err, &used) || used.Holder.Known() && !dying(used.Holder.PID) || time.Now().After(end) || !sleep(ctx, dyingTick) {
			return err
		}
	}
}

// CheckListen fails as CheckPort does, for the HOST:PORT of a homeserver that is to
// be made. Errors: ErrListen, ErrPortInUse.
func CheckListen(ctx context.Context, listen string) error {
	host, port, err := resolveListen(ctx, listen)
	if err != nil {
		return err
	}
	return awaitPort(ctx, host, port)
}

// dying says whether a process is on its way out: its memory, and with it its
// command line, goes before its sockets do.
func dying(pid int) bool {
	line, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	return err != nil || len(line) == 0
}
