package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/mount"
)

// emptyImage has nothing in it: no container of it can run, and none does.
const emptyImage = "fraktalia-empty:1"

// SameFiles says whether the engine sees this machine's files: it has it mount
// folder into a container that is never started, and looks there for a file that
// is in it here. An engine on another machine, or in another container, has
// another folder by that name, or none.
func (e *Engine) SameFiles(ctx context.Context, folder, file string) (bool, error) {
	if err := e.importEmpty(ctx); err != nil {
		return false, err
	}
	const inside = "/here"
	made, err := e.api.ContainerCreate(ctx, &container.Config{Image: emptyImage, Cmd: []string{"-"}, Labels: map[string]string{ImageLabel: "probe"}},
		&container.HostConfig{NetworkMode: "none", Mounts: []mount.Mount{{Type: mount.TypeBind, Source: folder, Target: inside, ReadOnly: true}}}, nil, nil, "")
	if errdefs.IsInvalidArgument(err) {
		return false, nil // there is no such folder
	}
	if err != nil {
		return false, e.engineError(err, "mount %s", folder)
	}
	defer e.stopProbe(ctx, made.ID)
	if _, err := e.api.ContainerStatPath(ctx, made.ID, path.Join(inside, file)); errdefs.IsNotFound(err) {
		return false, nil
	} else if err != nil {
		return false, e.engineError(err, "look for %s", file)
	}
	return true, nil
}

func (e *Engine) importEmpty(ctx context.Context) error {
	if known, err := e.ImageInfo(ctx, emptyImage); err != nil || known.Exists {
		return err
	}
	nothing := image.ImportSource{Source: bytes.NewReader(make([]byte, 1024)), SourceName: "-"}
	said, err := e.api.ImageImport(ctx, nothing, emptyImage, image.ImportOptions{Changes: []string{"LABEL " + ImageLabel + "=empty"}})
	if err != nil {
		return e.engineError(err, "import an empty image")
	}
	defer said.Close()
	if _, err := io.Copy(io.Discard, said); err != nil {
		return fmt.Errorf("import an empty image: %w", err)
	}
	return nil
}
