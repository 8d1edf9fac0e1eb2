package sandbox

import (
	"context"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
)

// RemoveContainer removes a container, running or not; OpenClaw makes a new
// one when it needs one. One that is gone already is no error.
func (e *Engine) RemoveContainer(ctx context.Context, id string) error {
	err := e.api.ContainerRemove(ctx, id, container.RemoveOptions{Force: true})
	if err == nil || errdefs.IsNotFound(err) {
		return nil
	}
	return e.engineError(err, "remove container %.12s", id)
}
