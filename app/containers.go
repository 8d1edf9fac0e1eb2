package app

import (
	"context"
	"errors"

	"github.com/githabideri/fraktalia/sandbox"
)

// containers joins what the engines say now to what was seen since the start.
// A container is asked about where it runs; images are this machine's, where
// no host is named.
type containers struct {
	*sandbox.Engine
	*sandbox.Watcher
	engines *engines
}

// Containers lists those of every host.
func (c containers) Containers(ctx context.Context) ([]sandbox.Container, error) {
	return c.engines.Containers(ctx)
}

// ImageOn looks up an image on a host.
func (c containers) ImageOn(ctx context.Context, host, ref string) (sandbox.Image, error) {
	engine, err := c.engines.on(host)
	if err != nil {
		return sandbox.Image{}, err
	}
	return engine.ImageInfo(ctx, ref)
}

// OldImages lists those of every host that can be reached, this machine's first.
func (c containers) OldImages(ctx context.Context, kind string) ([]sandbox.Image, error) {
	all, err := c.Engine.OldImages(ctx, kind)
	if err != nil {
		return nil, err
	}
	for _, h := range c.engines.hosts {
		theirs, _ := h.engine.OldImages(ctx, kind) // status tells of a host that is away
		all = append(all, theirs...)
	}
	return all, nil
}

// RemoveImages removes each where it is.
func (c containers) RemoveImages(ctx context.Context, old []sandbox.Image) error {
	var failed []error
	for _, one := range old {
		engine, err := c.engines.on(one.Host)
		if err == nil {
			err = engine.RemoveImages(ctx, []sandbox.Image{one})
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// Usages asks every host about its own.
func (c containers) Usages(ctx context.Context, list []sandbox.Container) []sandbox.Usage {
	all := make([]sandbox.Usage, len(list))
	for _, name := range append([]string{""}, c.engines.Hosts()...) {
		var theirs []sandbox.Container
		var at []int
		for i, one := range list {
			if one.Host == name {
				theirs, at = append(theirs, one), append(at, i)
			}
		}
		engine, err := c.engines.on(name)
		if err != nil || len(theirs) == 0 {
			continue
		}
		for i, usage := range engine.Usages(ctx, theirs) {
			all[at[i]] = usage
		}
	}
	return all
}

// Works asks where the container runs.
func (c containers) Works(ctx context.Context, one sandbox.Container) ([]sandbox.Work, error) {
	return c.engines.holding(one.ID).Works(ctx, one)
}

// Logs asks where the container runs.
func (c containers) Logs(ctx context.Context, one sandbox.Container, lines int) ([]byte, error) {
	return c.engines.holding(one.ID).Logs(ctx, one, lines)
}

// Exec runs a command where the container runs.
func (c containers) Exec(ctx context.Context, id string, what sandbox.Command) (int, error) {
	return c.engines.holding(id).Exec(ctx, id, what)
}

// Recreate removes a container where it runs.
func (c containers) Recreate(ctx context.Context, id string) error {
	return c.engines.holding(id).Recreate(ctx, id)
}
