package sandbox

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/distribution/reference"
)

// Stale lists the sandbox containers that were made from tag and run another
// image than tag names now. OpenClaw itself never notices: it compares names.
// Where nothing goes by that name, nothing is stale.
func (e *Engine) Stale(ctx context.Context, tag string) ([]Container, error) {
	live, err := e.ImageInfo(ctx, tag)
	if err != nil || !live.Exists {
		return nil, err
	}
	all, err := e.Containers(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(c Container) bool {
		return !SameName(c.Image, tag) || c.ImageID == live.ID
	}), nil
}

// SameName says whether two image names mean the same, e.g. "debian" and
// "docker.io/library/debian:latest".
func SameName(a, b string) bool {
	first, err1 := reference.ParseDockerRef(a)
	second, err2 := reference.ParseDockerRef(b)
	return a == b || err1 == nil && err2 == nil && first.String() == second.String()
}

// goneLimit bounds the wait for a container that somebody else is removing.
const goneLimit = 10 * time.Second

// Recreate removes a sandbox container, whatever runs in it, and returns when
// it is gone: OpenClaw makes a new one, from the image that the tag names by
// then, as soon as it needs one. What is not OpenClaw's is refused; one that
// is gone already is no error.
func (e *Engine) Recreate(ctx context.Context, id string) error {
	var c Container
	if err := e.inspect(ctx, id, &c); err != nil || c.ID == "" {
		return err
	}
	if !c.sandbox {
		return fmt.Errorf("container %.12s is no sandbox of OpenClaw's", id)
	}
	ctx, cancel := context.WithTimeout(ctx, goneLimit)
	defer cancel()
	for {
		err := e.RemoveContainer(ctx, c.ID)
		var still Container
		if looked := e.inspect(ctx, c.ID, &still); looked == nil && still.ID == "" {
			return nil // also where somebody else was removing it
		}
		if ctx.Err() != nil {
			return fmt.Errorf("container %s does not go: %w", c.Name, err)
		}
		sleep(ctx, 100*time.Millisecond)
	}
}
