package sandbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/image"
)

// pullPatience is how long a pull may be silent. A machine without a way to
// the registry should not wait for the engine's own, longer, timeouts.
const pullPatience = 20 * time.Second

// BaseOrigin tells where a base image came from.
type BaseOrigin string

// Origins of a base image.
const (
	BasePresent BaseOrigin = "present" // it was there under the wanted name
	BaseKept    BaseOrigin = "kept"    // what an earlier run made in its place was there
	BasePulled  BaseOrigin = "pulled"  // from its registry
	BaseMade    BaseOrigin = "made"    // from the distribution's packages
)

// BaseOptions says which image to build on.
type BaseOptions struct {
	Ref        string // the wanted image, e.g. "debian:bookworm-slim"
	Substitute string // name of what is made in its place; "" takes "fraktalia/base:<suite>"
	TempDir    string // where a base is put together, 0.5 GB for half a minute; "" takes the system's
}

// Base is an image to build on.
type Base struct {
	Ref    string // goes after FROM; not the wanted name where one was made
	Origin BaseOrigin
}

// BaseError says that there is no base image, and why neither way brought it.
type BaseError struct {
	Ref  string // the wanted image
	Pull error  // why it could not be pulled
	Make error  // why none could be made, see MakeBase
}

func (e *BaseError) Error() string {
	return fmt.Sprintf("base image %s: pull: %v; make: %v", e.Ref, e.Pull, e.Make)
}

func (e *BaseError) Unwrap() []error { return []error{e.Pull, e.Make} }

// ErrNotDebian says that the wanted base is no release of Debian, so that
// there is no telling what to put in its place.
var ErrNotDebian = errors.New("not a Debian release")

// EnsureBase sees to it that there is an image to build on: the wanted one if
// the engine has it, else what an earlier run made in its place, else the
// wanted one pulled, else one made from the distribution's packages with
// mmdebstrap. What is made has a name of its own: it does not pretend to be
// the registry's image.
//
// Errors: *EngineDownError, *BaseError, or the context's.
func (e *Engine) EnsureBase(ctx context.Context, o BaseOptions, report func(Progress)) (Base, error) {
	o = o.named()
	base, err := e.presentBase(ctx, o)
	if err != nil || base.Ref != "" {
		return base, err
	}
	pull := e.pull(ctx, o.Ref, report)
	if pull == nil {
		return Base{Ref: o.Ref, Origin: BasePulled}, nil
	}
	var down *EngineDownError
	if ctx.Err() != nil || errors.As(pull, &down) {
		return Base{}, pull
	}
	base, err = e.MakeBase(ctx, o, report)
	if err != nil && ctx.Err() == nil {
		err = &BaseError{Ref: o.Ref, Pull: pull, Make: err}
	}
	return base, err
}

// named fills in the name of what would be made.
func (o BaseOptions) named() BaseOptions {
	if o.Substitute == "" {
		o.Substitute = Substitute(o.Ref)
	}
	return o
}

// Substitute is the name of what is made in an image's place where it cannot be
// pulled; "" for one that is no release of Debian.
func Substitute(ref string) string {
	if suite := debianSuite(ref); suite != "" {
		return "fraktalia/base:" + suite
	}
	return ""
}

// presentBase finds what the engine has already; Base.Ref is "" for nothing.
func (e *Engine) presentBase(ctx context.Context, o BaseOptions) (Base, error) {
	for _, have := range []Base{{o.Ref, BasePresent}, {o.Substitute, BaseKept}} {
		if have.Ref == "" {
			continue
		}
		found, err := e.ImageInfo(ctx, have.Ref)
		if err != nil {
			return Base{}, err
		}
		if found.Exists {
			return have, nil
		}
	}
	return Base{}, nil
}

// debianSuite reads the release out of an image's name: "bookworm" of
// "debian:bookworm-slim". "" for anything that is not such a release, also
// for one that merely looks like it in somebody's own registry.
func debianSuite(ref string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil || named.Name() != "docker.io/library/debian" {
		return ""
	}
	tagged, ok := named.(reference.NamedTagged)
	if !ok {
		return ""
	}
	suite := strings.TrimSuffix(tagged.Tag(), "-slim")
	if !slices.Contains([]string{"bullseye", "bookworm", "trixie", "forky", "sid"}, suite) {
		return ""
	}
	return suite
}

// pull fetches an image from its registry, and gives up where nothing moves.
func (e *Engine) pull(ctx context.Context, ref string, report func(Progress)) error {
	pulling, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(pullPatience, func() {
		cancel(fmt.Errorf("the registry was silent for %s", pullPatience))
	})
	defer watchdog.Stop()
	body, err := e.api.ImagePull(pulling, ref, image.PullOptions{})
	if err != nil {
		return e.pullError(pulling, ref, err)
	}
	defer body.Close()
	steady := newSteady("pull "+ref, report)
	defer steady.stop()
	err = eachMessage(body, func(m buildMessage) error {
		watchdog.Reset(pullPatience)
		steady.line(strings.TrimSpace(m.ID + " " + m.Status))
		return m.failure()
	})
	if err != nil {
		return e.pullError(pulling, ref, err)
	}
	return nil
}

// pullError prefers our own reason for giving up to what the client makes of it.
func (e *Engine) pullError(pulling context.Context, ref string, err error) error {
	if cause := context.Cause(pulling); cause != nil {
		err = cause
	}
	return e.engineError(err, "pull %s", ref)
}
