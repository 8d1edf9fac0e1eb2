package sandbox

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"time"
)

// Builder names one of the engine's two ways to build.
type Builder string

const (
	// BuilderAuto takes BuildKit where the engine has it.
	BuilderAuto Builder = ""
	// BuilderBuildKit is the builder of every engine since 20.10.
	BuilderBuildKit Builder = "buildkit"
	// BuilderClassic is the first builder: slower, one container a step.
	BuilderClassic Builder = "classic"
)

// BuildOptions says what to build.
type BuildOptions struct {
	Context fs.FS // holds a Dockerfile at its root; nil if Dockerfile is enough

	// Dockerfile is the text to build by; "" takes the one in Context.
	Dockerfile string

	Tag     string            // the live tag, moved only by a build that ended well
	Base    string            // the build argument BASE; "" leaves the Dockerfile's own
	Args    map[string]string // other build arguments; they stay visible in the image's history
	Labels  map[string]string // put on the image
	NoCache bool              // run every step anew
	Builder Builder           // BuilderAuto unless a test or an engine needs one
	Log     io.Writer         // gets the whole log as it comes; nil drops it
	Network string            // of the steps: "none", "host", ...; "" takes the engine's own

	// Memory is the most that a step may take, in bytes; 0 is no limit. Only the
	// classic builder keeps one (BuildKit ignores it), so it is taken then.
	Memory int64

	// Heavy is the text of a second Dockerfile, built with the limit HeavyMemory
	// on what the first has made, which is its argument BASE; "" for none.
	Heavy       string
	HeavyMemory int64

	// Check looks at the candidate before the live tag moves; an error of it
	// ends the build with that error and the live tag as it was. nil trusts.
	Check func(ctx context.Context, candidate Image) error
}

// BuildResult is what a build that ended well made.
type BuildResult struct {
	Image    Image         // now under the live tag
	Replaced string        // id of the image the live tag named before, kept under PreviousTag; "" if none or the same
	Builder  Builder       // the one that was used
	Steps    []BuildStep   // in the order they began
	Elapsed  time.Duration // wall time, with the check
	LogError error         // why the log is not whole, e.g. a full disk; the image is good all the same
}

// BuildStep is one step of a build that has ended.
type BuildStep struct {
	Command string // e.g. "RUN apt-get update"
	Cached  bool   // the engine had its result already
	Elapsed time.Duration
}

// Progress is where a build stands. While something is under way it is
// reported at least once a second.
type Progress struct {
	Step, Steps int           // the step at work, counted from 1; both 0 before the first
	Name        string        // what the step does, e.g. "RUN apt-get update"
	Percent     int           // of the whole, 0 to 99, never falling
	Elapsed     time.Duration // since the start
	Line        string        // the last line written, without control characters
}

// Build builds an image under CandidateTag(o.Tag), lets o.Check look at it, and
// only then moves the live tag o.Tag to it. In every other case (a failed
// step, a refusing check, a cancelled context, an engine that went away) the
// live tag and what runs on it stay as they are. report is called from this
// goroutine only and must not block for long.
//
// Errors: *BuildError, *EngineDownError, the context's own, or the check's.
func (e *Engine) Build(ctx context.Context, o BuildOptions, report func(Progress)) (BuildResult, error) {
	start := time.Now()
	candidate, err := CandidateTag(o.Tag)
	if err != nil {
		return BuildResult{}, err
	}
	defer e.untag(ctx, candidate)
	result, id, err := e.buildParts(ctx, o, candidate, report)
	if err != nil {
		return BuildResult{}, err
	}
	result.Image, result.Replaced, err = e.release(ctx, o, id)
	result.Elapsed = time.Since(start)
	return result, err
}

// buildParts builds the image and what is heavy on top of it, and returns the
// id of the last.
func (e *Engine) buildParts(ctx context.Context, o BuildOptions, candidate string, report func(Progress)) (BuildResult, string, error) {
	run, err := e.runBuild(ctx, o, candidate, report)
	if err != nil {
		return BuildResult{}, "", err
	}
	result := BuildResult{Builder: run.builder, Steps: run.tracker.ended(), LogError: run.tracker.log.err}
	if o.Heavy == "" {
		return result, run.tracker.image, nil
	}
	second := o
	second.Context, second.Dockerfile, second.Base = nil, o.Heavy, candidate
	second.Builder, second.Memory = BuilderClassic, o.HeavyMemory
	before, percent := time.Since(run.tracker.start), run.tracker.percent
	run, err = e.runBuild(ctx, second, candidate, func(p Progress) {
		p.Elapsed += before
		p.Percent = max(p.Percent, percent)
		if report != nil {
			report(p)
		}
	})
	if err != nil {
		return BuildResult{}, "", err
	}
	result.Steps = append(result.Steps, run.tracker.ended()...)
	return result, run.tracker.image, nil
}

// release checks the candidate and moves the live tag to it.
func (e *Engine) release(ctx context.Context, o BuildOptions, id string) (Image, string, error) {
	image, err := e.ImageInfo(ctx, id)
	if err != nil {
		return Image{}, "", err
	}
	if o.Check != nil {
		if err := o.Check(ctx, image); err != nil {
			return Image{}, "", fmt.Errorf("check of the new image: %w", err)
		}
	}
	replaced, err := e.Promote(ctx, image.ID, o.Tag)
	return image, replaced, err
}
