package sandbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
)

// ImageLabel marks the images that Fraktalia made; its value is their kind,
// e.g. "sandbox". What lacks it is somebody else's and never removed.
const ImageLabel = "io.fraktalia.image"

// Image is an image in the engine's store.
type Image struct {
	Host    string // the other machine that it is on; "" is this one
	Exists  bool   // false: nothing goes by that name, and all else is zero
	ID      string
	Created time.Time
	Size    int64 // bytes, as the engine counts them; layers are shared between images
	Labels  map[string]string
	Tags    []string
}

// EngineDownError says that no Docker engine answers, or that it stopped
// answering.
type EngineDownError struct {
	Host string // e.g. "unix:///var/run/docker.sock", or the name of the other machine
	Err  error
}

func (e *EngineDownError) Error() string {
	return fmt.Sprintf("Docker engine at %s: %v", e.Host, e.Err)
}

func (e *EngineDownError) Unwrap() error { return e.Err }

// engineError puts what was tried before an error of the engine's client, and
// turns a failed connection into an *EngineDownError.
func (e *Engine) engineError(err error, format string, args ...any) error {
	// A proxy before the engine says "unavailable" where there is none.
	if client.IsErrConnectionFailed(err) || errdefs.IsUnavailable(err) {
		err = &EngineDownError{Host: e.place(), Err: err}
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}

// ImageInfo looks up an image by tag or id. One that is not there is no
// error: Exists tells.
func (e *Engine) ImageInfo(ctx context.Context, ref string) (Image, error) {
	details, err := e.api.ImageInspect(ctx, ref)
	if errdefs.IsNotFound(err) {
		return Image{}, nil
	}
	if err != nil {
		return Image{}, e.engineError(err, "inspect image %q", ref)
	}
	found := Image{Host: e.host, Exists: true, ID: details.ID, Size: details.Size, Tags: details.RepoTags}
	if details.Config != nil {
		found.Labels = details.Config.Labels
	}
	if details.Created != "" {
		found.Created, err = time.Parse(time.RFC3339Nano, details.Created)
	}
	if err != nil {
		return Image{}, fmt.Errorf("date of image %q: %w", ref, err)
	}
	return found, nil
}

// CandidateTag is where a build goes before it is good enough for tag.
func CandidateTag(tag string) (string, error) { return siblingTag(tag, "candidate") }

// PreviousTag is where the image stays that tag named before the last build.
func PreviousTag(tag string) (string, error) { return siblingTag(tag, "previous") }

// siblingTag makes "name:tag-suffix" of "name:tag".
func siblingTag(tag, suffix string) (string, error) {
	named, err := reference.ParseNormalizedNamed(tag)
	if err != nil {
		return "", fmt.Errorf("image tag %q: %w", tag, err)
	}
	tagged, ok := reference.TagNameOnly(named).(reference.NamedTagged)
	if !ok {
		return "", fmt.Errorf("image tag %q names a digest", tag)
	}
	sibling, err := reference.WithTag(reference.TrimNamed(named), tagged.Tag()+"-"+suffix)
	if err != nil {
		return "", fmt.Errorf("image tag %q: %w", tag, err)
	}
	return reference.FamiliarString(sibling), nil
}

// Promote makes tag name the image id. The image that tag named before stays
// under PreviousTag(tag), and its id is returned; "" if there was none or it
// is the same.
func (e *Engine) Promote(ctx context.Context, id, tag string) (replaced string, err error) {
	previous, err := PreviousTag(tag)
	if err != nil {
		return "", err
	}
	live, err := e.ImageInfo(ctx, tag)
	if err != nil || live.ID == id {
		return "", err
	}
	if live.Exists {
		if err := e.api.ImageTag(ctx, live.ID, previous); err != nil {
			return "", e.engineError(err, "keep %s as %s", tag, previous)
		}
	}
	if err := e.api.ImageTag(ctx, id, tag); err != nil {
		return "", e.engineError(err, "tag the new image %s", tag)
	}
	return live.ID, nil
}

// ErrNoPrevious says that there is no earlier image to go back to.
var ErrNoPrevious = errors.New("no previous image is kept")

// Rollback exchanges tag and PreviousTag(tag), so that a second one undoes
// the first. It returns the image that tag names now.
func (e *Engine) Rollback(ctx context.Context, tag string) (Image, error) {
	previous, err := PreviousTag(tag)
	if err != nil {
		return Image{}, err
	}
	back, err := e.ImageInfo(ctx, previous)
	if err != nil {
		return Image{}, err
	}
	if !back.Exists {
		return Image{}, fmt.Errorf("%s: %w", previous, ErrNoPrevious)
	}
	_, err = e.Promote(ctx, back.ID, tag)
	return back, err
}

// untagPatience bounds the clean-up after a build; it outlives a cancelled
// context.
const untagPatience = 10 * time.Second

// untag takes a tag away, with its image if that has no other. It is
// clean-up: where it fails the next build takes the tag over.
func (e *Engine) untag(ctx context.Context, tag string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), untagPatience)
	defer cancel()
	_, _ = e.api.ImageRemove(ctx, tag, image.RemoveOptions{PruneChildren: true})
}
