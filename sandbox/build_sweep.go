package sandbox

import (
	"context"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
)

// Sweep removes what a build of tag has left whose program was killed in its
// middle: the candidate, and the container that was testing it. The live image
// and what runs on it are not touched.
func (e *Engine) Sweep(ctx context.Context, tag string) error {
	candidate, err := CandidateTag(tag)
	if err != nil {
		return err
	}
	left, err := e.ImageInfo(ctx, candidate)
	if err != nil || !left.Exists {
		return err
	}
	probes, err := e.api.ContainerList(ctx, container.ListOptions{All: true,
		Filters: filters.NewArgs(filters.Arg("label", ImageLabel+"=probe"))})
	if err != nil {
		return e.engineError(err, "list what tests images")
	}
	for _, probe := range probes {
		if probe.ImageID == left.ID {
			e.stopProbe(ctx, probe.ID)
		}
	}
	e.untag(ctx, candidate)
	return nil
}
