package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/githabideri/fraktalia/crashpoint"
	"github.com/githabideri/fraktalia/docker"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/sandbox"
	"github.com/githabideri/fraktalia/store"
)

// rebuildFlags are the flags of !rebuild-sandbox.
type rebuildFlags struct {
	noCache, recreate, anyway bool
	profile, memory           string
}

// building is one build of the sandbox image, from the wish to the answer.
type building struct {
	*run
	flags     rebuildFlags
	catalog   docker.Catalog
	selection docker.Selection
	own       OwnDockerfile
	isOwn     bool
	user      User
	base      sandbox.Base
	machine   sandbox.Machine
	limit     int64 // of memory, for what is heavy
	plan      plan
	options   sandbox.BuildOptions
	record    store.Build
	result    sandbox.BuildResult
	tested    []sandbox.Answer
	log       *os.File
	unlogged  error // why the log could not be handed over
}

// rebuildOn builds on the host that is named, or where the sandboxes live.
func rebuildOn(ctx context.Context, r *run, on string, flags rebuildFlags) (reply.Answer, error) {
	hosts, err := r.places(ctx, on, "Where shall the image be built?")
	if err != nil {
		return reply.Answer{}, err
	}
	answer, err := r.everywhere(hosts, func(r *run) (reply.Answer, error) { return rebuildSandbox(ctx, r, flags) })
	return r.renewed(ctx, answer, err, hosts, flags.recreate)
}

func rebuildSandbox(ctx context.Context, r *run, flags rebuildFlags) (reply.Answer, error) {
	if !r.shared.building.TryLock() {
		return reply.Answer{}, Sorry("The sandbox image is being built already; wait for it, or stop it with the ❌ under it.")
	}
	unlock := r.shared.building.Unlock
	b := &building{run: r, flags: flags}
	b.record = store.Build{Tag: r.Settings.Image, StartedAt: time.Now(), StartedBy: r.request.Sender, Engine: r.host}
	err := b.work(ctx)
	unlock()
	if err != nil {
		return reply.Answer{}, err
	}
	return reply.Answer{Doc: b.built(), Data: newBuildData(b.record)}, nil
}

// work builds, and writes down how that ended, whatever it was.
func (b *building) work(ctx context.Context) error {
	if err := b.read(ctx); err != nil {
		return err
	}
	log, err := os.CreateTemp("", "fraktalia-build-*.log")
	if err != nil {
		return fmt.Errorf("make the build's log: %w", err)
	}
	defer os.Remove(log.Name())
	defer log.Close()
	b.log = log
	b.talk.Update(reply.Say("Building ", reply.Mono("%s", b.Settings.Image), b.onHost()+" …"))
	cancelable, stop := b.talk.Cancelable(ctx)
	err = b.prepare(cancelable)
	if err == nil {
		err = b.build(cancelable)
	}
	err = b.outcome(ctx, cancelable, err)
	stop()
	b.unlogged = b.attachLog(ctx)
	if err != nil {
		return errors.Join(err, b.unlogged)
	}
	return nil // a log that is lost is told, and takes no image away
}

// read finds out what is to be built; nothing is asked of the engine yet.
func (b *building) read(ctx context.Context) (err error) {
	if b.catalog, err = docker.Shipped(); err != nil {
		return err
	}
	if b.own, b.isOwn, err = b.Recipe.Own(); err == nil && !b.isOwn {
		b.selection, err = b.Recipe.Selection()
	}
	if err != nil {
		return b.recipeProblem(err)
	}
	if b.flags.profile != "" {
		if b.isOwn {
			return Sorry("The image is made from %s (sandbox.dockerfile in fraktalia.yaml), which has no profiles.", b.own.Path)
		}
		b.selection.Profile = b.flags.profile
	}
	if b.user, err = b.Recipe.User(ctx); err != nil {
		return err
	}
	return b.readHeavy()
}

// prepare asks the engine for all that a build needs, and refuses one that
// would end badly.
func (b *building) prepare(ctx context.Context) (err error) {
	b.base, err = b.Builder.EnsureBase(ctx, sandbox.BaseOptions{Ref: b.Settings.Base}, func(p sandbox.Progress) {
		b.talk.Update(buildProgress("Making the base image"+b.onHost(), p, 0))
	})
	if err != nil {
		return err
	}
	image, err := b.Builder.ImageInfo(ctx, b.base.Ref)
	if err != nil {
		return err
	}
	b.record.BaseID, b.record.Profile = image.ID, b.selection.Profile
	builder, err := b.Builder.DefaultBuilder(ctx)
	if err != nil {
		return err
	}
	if err := b.write(builder); err != nil {
		return b.recipeProblem(err)
	}
	builds, err := b.Records.Builds(ctx, b.Settings.Image, recordedBuilds)
	if err != nil {
		return err
	}
	b.plan.foresee(b.buildsHere(builds), b.record.BaseID, string(b.options.Builder), b.flags.noCache)
	if err := b.preflight(ctx); err != nil {
		return err
	}
	return b.checkNames(ctx, b.plan.unproven(builds))
}

// write makes the Dockerfile and everything that goes with it.
func (b *building) write(builder sandbox.Builder) (err error) {
	b.options = sandbox.BuildOptions{
		Tag:     b.Settings.Image,
		Base:    b.base.Ref,
		NoCache: b.flags.noCache,
		Builder: builder,
		Log:     b.log,
		Labels:  map[string]string{sandbox.ImageLabel: "sandbox"},
		Args:    map[string]string{"AGENT_UID": strconv.Itoa(b.user.UID), "AGENT_GID": strconv.Itoa(b.user.GID), "AGENT_OTHERS": strings.Join(b.user.Others, " ")},
		Check:   b.check,
	}
	if b.isOwn {
		b.options.Dockerfile, b.options.Context, b.options.Memory = b.own.Text, b.own.Folder, b.limit
		b.limited()
		return nil
	}
	layers, err := b.catalog.Layers(b.selection)
	if err != nil {
		return err
	}
	heavy, err := docker.HeavyLayers(b.selection)
	if err != nil {
		return err
	}
	if len(b.catalog.HeavyOnes(words(b.selection.Fragment)...)) > 0 {
		b.options.Memory = b.limit
	}
	b.limited()
	style := docker.Style{CacheMounts: b.options.Builder == sandbox.BuilderBuildKit}
	if b.options.Dockerfile, err = b.catalog.Dockerfile(b.selection, style); err != nil {
		return err
	}
	if b.options.Heavy, err = b.catalog.HeavyDockerfile(b.selection); err != nil {
		return err
	}
	b.options.HeavyMemory = b.limit
	b.plan = newPlan(layers, heavy, b.selection.Fragment, b.user)
	b.options.Context, err = docker.Sandbox()
	return err
}

// limited takes the builder that keeps a limit of memory, where there is one.
func (b *building) limited() {
	if b.options.Memory > 0 {
		b.options.Builder = sandbox.BuilderClassic
	}
}

// build builds and tests.
func (b *building) build(ctx context.Context) (err error) {
	if b.record.ID, err = b.Records.BeginBuild(ctx, b.record); err != nil {
		return err
	}
	memory := b.Builder.WatchMemory(ctx)
	b.result, err = b.Builder.Build(ctx, b.options, func(p sandbox.Progress) {
		crashpoint.At("rebuild.step")
		b.talk.Update(b.plan.progress("Building "+b.Settings.Image+b.onHost(), p))
	})
	b.record.Memory = memory()
	if err != nil {
		return err
	}
	crashpoint.At("rebuild.built")
	return b.keepProfile()
}

// keepProfile makes the profile of this build the chosen one. Whatever else
// was chosen while it was built stays.
func (b *building) keepProfile() error {
	if b.flags.profile == "" {
		return nil
	}
	selection, err := b.Recipe.Selection()
	if err != nil {
		return b.recipeProblem(err)
	}
	selection.Profile = b.flags.profile
	return b.Recipe.Choose(selection)
}

// check tests the candidate before it becomes the live image. One that is the
// live image already was tested when it became that.
func (b *building) check(ctx context.Context, candidate sandbox.Image) (err error) {
	live, err := b.Builder.ImageInfo(ctx, b.Settings.Image)
	if err != nil {
		return err
	}
	if live.ID != candidate.ID {
		crashpoint.At("rebuild.candidate")
		stop := b.waiting("Testing the new image")
		b.tested, err = b.Builder.Smoke(ctx, candidate.ID, b.probes())
		stop()
		if err != nil {
			return err
		}
		crashpoint.At("rebuild.tested")
	}
	// From here on the record knows what the live image becomes.
	return b.Records.CandidateBuild(ctx, b.record.ID, candidate.ID)
}

// outcome writes down how the build ended, and words it.
func (b *building) outcome(ctx, cancelable context.Context, err error) error {
	b.record.Duration = time.Since(b.record.StartedAt)
	b.record.Builder = string(b.options.Builder)
	switch {
	case err == nil:
		b.record.Outcome = store.BuildDone
		b.record.ImageID, b.record.Size = b.result.Image.ID, b.result.Image.Size
		b.record.Layers = b.layers(ctx)
	case cancelable.Err() != nil && ctx.Err() == nil:
		b.record.Outcome = store.BuildStopped
		err = Sorry("Stopped, as you said. The image in use is as it was.")
	default:
		b.record.Outcome = store.BuildFailed
		err = b.failure(ctx, err)
		b.record.Why = err.Error()
	}
	if b.record.ID == 0 {
		return err // it never began
	}
	if recorded := b.Records.EndBuild(context.WithoutCancel(ctx), b.record); recorded != nil && err == nil {
		return fmt.Errorf("record the build: %w", recorded)
	}
	return err
}

// layers measures what was built.
func (b *building) layers(ctx context.Context) []store.BuildLayer {
	history, err := b.Builder.History(ctx, b.result.Image.ID)
	if err != nil {
		history = nil // sizes are for the eye
	}
	if b.isOwn {
		return ownLayers(b.result.Steps)
	}
	return b.plan.measured(b.result.Steps, history)
}
