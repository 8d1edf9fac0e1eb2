package sandbox

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/versions"
)

// heartbeat is how often progress is reported while nothing else happens.
const heartbeat = time.Second

// reportEvery bounds reports from above: a log comes in thousands of lines.
const reportEvery = 250 * time.Millisecond

// buildKitSince is the first API version whose engines have BuildKit for
// certain (18.09, not experimental any more).
const buildKitSince = "1.39"

// buildRun is one request to build, under way.
type buildRun struct {
	builder  Builder
	tracker  *buildTracker
	report   func(Progress)
	reported time.Time
}

// runBuild builds under the tag candidate and returns when the engine has
// said its last word, or the context ended: the engine then stops the step at
// work because its client is gone.
func (e *Engine) runBuild(ctx context.Context, o BuildOptions, candidate string, report func(Progress)) (*buildRun, error) {
	streaming, cancel := context.WithCancel(ctx)
	defer cancel()
	run := &buildRun{report: report, tracker: newBuildTracker(time.Now(), newBuildLog(o.Log))}
	var err error
	if o.Memory > 0 {
		o.Builder = BuilderClassic
	}
	if run.builder, err = e.chooseBuilder(ctx, o.Builder); err != nil {
		return nil, err
	}
	files := streamContext(o)
	defer files.Close()
	response, err := e.api.ImageBuild(streaming, files, run.request(o, candidate))
	if err != nil {
		return nil, e.refusal(ctx, err)
	}
	defer response.Body.Close()
	err = run.follow(streaming, cancel, response.Body)
	run.tracker.finish(time.Now())
	return run, e.verdict(ctx, run.tracker, err)
}

// DefaultBuilder tells which builder a build takes that asks for none.
func (e *Engine) DefaultBuilder(ctx context.Context) (Builder, error) {
	return e.chooseBuilder(ctx, BuilderAuto)
}

// chooseBuilder asks the engine which builders it has. On engines before 23
// the ping names the classic one as its default, though BuildKit is there.
func (e *Engine) chooseBuilder(ctx context.Context, wanted Builder) (Builder, error) {
	ping, err := e.api.Ping(ctx)
	if err != nil {
		return "", e.engineError(err, "ask the engine for its builders")
	}
	if wanted != BuilderAuto {
		return wanted, nil
	}
	if ping.OSType == "windows" || versions.LessThan(ping.APIVersion, buildKitSince) {
		return BuilderClassic, nil
	}
	return BuilderBuildKit, nil
}

func (r *buildRun) request(o BuildOptions, candidate string) build.ImageBuildOptions {
	request := build.ImageBuildOptions{
		Tags:        []string{candidate},
		NoCache:     o.NoCache,
		Remove:      true,
		ForceRemove: true, // a failed step of the classic builder leaves no container
		Labels:      o.Labels,
		BuildArgs:   make(map[string]*string),
		Version:     build.BuilderV1,
		NetworkMode: o.Network,
		Memory:      o.Memory,
		MemorySwap:  o.Memory, // the sum of both: no swap
	}
	if r.builder == BuilderBuildKit {
		request.Version = build.BuilderBuildKit
	}
	for name, value := range o.Args {
		request.BuildArgs[name] = &value
	}
	if o.Base != "" {
		request.BuildArgs["BASE"] = &o.Base
	}
	return request
}

// follow applies the engine's messages until the last, and reports meanwhile.
// It returns after its reader ended.
func (r *buildRun) follow(ctx context.Context, cancel func(), body io.Reader) error {
	messages, ended := make(chan buildMessage), make(chan error, 1)
	go func() {
		ended <- eachMessage(body, func(message buildMessage) error {
			select {
			case messages <- message:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	var broken error
	for {
		select {
		case err := <-ended:
			return errors.Join(broken, err)
		case message := <-messages:
			if err := r.apply(message); err != nil && broken == nil {
				broken = err
				cancel()
			}
		case <-beat.C:
			r.tracker.log.flush()
			r.tell()
		}
	}
}

// apply takes one message, and reports at once when another step is at work.
func (r *buildRun) apply(message buildMessage) error {
	before := r.tracker.current
	if err := r.tracker.take(message); err != nil {
		return err
	}
	if r.tracker.current != before || time.Since(r.reported) > reportEvery {
		r.tell()
	}
	return nil
}

func (r *buildRun) tell() {
	r.reported = time.Now()
	if r.report != nil {
		r.report(r.tracker.progress(r.reported))
	}
}
