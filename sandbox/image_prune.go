package sandbox

import (
	"context"
	"errors"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
)

// OldImages lists what can go: images that Fraktalia made of that kind (the
// value of ImageLabel), that no tag names and no container runs or ran on.
// Their sizes count layers that other images share.
func (e *Engine) OldImages(ctx context.Context, kind string) ([]Image, error) {
	used, err := e.imagesInUse(ctx)
	if err != nil {
		return nil, err
	}
	found, err := e.api.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(
		filters.Arg("label", ImageLabel+"="+kind), filters.Arg("dangling", "true"))})
	if err != nil {
		return nil, e.engineError(err, "list old images")
	}
	var old []Image
	for _, summary := range found {
		if used[summary.ID] {
			continue
		}
		info, err := e.ImageInfo(ctx, summary.ID)
		if err != nil {
			return nil, err
		}
		if info.Exists {
			old = append(old, info)
		}
	}
	return old, nil
}

func (e *Engine) imagesInUse(ctx context.Context) (map[string]bool, error) {
	containers, err := e.api.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return nil, e.engineError(err, "list containers")
	}
	used := make(map[string]bool)
	for _, c := range containers {
		used[c.ImageID] = true
	}
	return used, nil
}

// RemoveImages removes images that OldImages listed. The engine refuses one
// that came into use since; the others go all the same, and the error names
// those that stayed.
func (e *Engine) RemoveImages(ctx context.Context, old []Image) error {
	var stayed []error
	for _, o := range old {
		if _, err := e.api.ImageRemove(ctx, o.ID, image.RemoveOptions{PruneChildren: true}); err != nil {
			stayed = append(stayed, e.engineError(err, "remove image %s", o.ID))
		}
	}
	return errors.Join(stayed...)
}
