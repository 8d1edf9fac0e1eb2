package sandbox

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// logsMost bounds what is kept of a container's log, in bytes.
const logsMost = 1 << 20

// Logs reads the last lines of what a container's own program has written,
// both of its streams together. What OpenClaw runs there with exec is not in it.
func (e *Engine) Logs(ctx context.Context, c Container, lines int) ([]byte, error) {
	read, err := e.api.ContainerLogs(ctx, c.ID, container.LogsOptions{ShowStdout: true, ShowStderr: true, Tail: strconv.Itoa(lines)})
	if err != nil {
		return nil, e.engineError(err, "read the log of container %s", c.Name)
	}
	defer read.Close()
	kept := &Tail{Most: logsMost}
	if c.tty {
		_, err = io.Copy(kept, read)
	} else {
		_, err = stdcopy.StdCopy(kept, kept, read)
	}
	if err != nil {
		return nil, fmt.Errorf("read the log of container %s: %w", c.Name, err)
	}
	return kept.Bytes(), nil
}

// Tail keeps the end of what is written to it.
type Tail struct {
	Most    int   // bytes that are kept
	Written int64 // bytes in all

	kept []byte
}

// Write never fails.
func (t *Tail) Write(p []byte) (int, error) {
	t.Written += int64(len(p))
	t.kept = append(t.kept, p...)
	if len(t.kept) > 2*t.Most { // moved seldom, and never more than twice what is kept
		t.kept = append(t.kept[:0], t.Bytes()...)
	}
	return len(p), nil
}

// Bytes are the last that were written; good until the next Write.
func (t *Tail) Bytes() []byte { return t.kept[max(0, len(t.kept)-t.Most):] }
