package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/crashpoint"
	"github.com/githabideri/fraktalia/docker"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/sandbox"
	"github.com/githabideri/fraktalia/store"
)

// Builder is what the commands for the image act on.
type Builder interface {
	EnsureBase(ctx context.Context, o sandbox.BaseOptions, report func(sandbox.Progress)) (sandbox.Base, error)
	Build(ctx context.Context, o sandbox.BuildOptions, report func(sandbox.Progress)) (sandbox.BuildResult, error)
}

func (r *run) sandboxFamily() []*cobra.Command {
	var noCache bool
	rebuild := &cobra.Command{
		Use:     "rebuild-sandbox [--no-cache]",
		Short:   "builds the sandbox image anew",
		Long:    "The image in use changes only when the build has ended well. Click ❌ under the answer to stop it.",
		Aliases: []string{"rebuild"},
		Args:    none,
		RunE: r.does(func(ctx context.Context, r *run, _ []string) (reply.Answer, error) {
			return rebuildSandbox(ctx, r, noCache)
		}),
	}
	rebuild.Flags().BoolVar(&noCache, "no-cache", false, "run every step anew, also those whose result is there")
	return []*cobra.Command{rebuild}
}

func rebuildSandbox(ctx context.Context, r *run, noCache bool) (reply.Answer, error) {
	if !r.shared.building.TryLock() {
		return reply.Answer{}, Sorry("The sandbox image is being built already; wait for it, or stop it with the ❌ under it.")
	}
	defer r.shared.building.Unlock()
	log, err := os.CreateTemp("", "fraktalia-build-*.log")
	if err != nil {
		return reply.Answer{}, fmt.Errorf("make the build's log: %w", err)
	}
	defer os.Remove(log.Name())
	defer log.Close()
	r.talk.Update(reply.Say("Building ", reply.Mono("%s", r.Settings.Image), " …"))
	building, stop := r.talk.Cancelable(ctx)
	defer stop()
	started := time.Now()
	base, result, err := r.build(building, noCache, log)
	attached := r.attachLog(ctx, log)
	if err != nil {
		return reply.Answer{}, errors.Join(r.buildProblem(ctx, building, err), attached)
	}
	crashpoint.At("rebuild.built")
	record := store.Build{Tag: r.Settings.Image, ImageID: result.Image.ID, Size: result.Image.Size,
		StartedAt: started, Duration: result.Elapsed, StartedBy: r.request.Sender, Outcome: store.BuildDone}
	if record.ID, err = r.Records.BeginBuild(ctx, record); err == nil {
		err = r.Records.EndBuild(ctx, record)
	}
	if err != nil {
		return reply.Answer{}, fmt.Errorf("record the build: %w", err)
	}
	doc := r.built(base, result)
	if attached != nil {
		doc = append(doc, reply.P("Its log could not be handed over."))
	}
	return reply.Answer{Doc: doc, Data: record}, nil
}

func (r *run) build(ctx context.Context, noCache bool, log io.Writer) (base sandbox.Base, result sandbox.BuildResult, err error) {
	base, err = r.Builder.EnsureBase(ctx, sandbox.BaseOptions{Ref: r.Settings.Base}, func(p sandbox.Progress) {
		r.talk.Update(buildProgress("Making the base image", p))
	})
	if err != nil {
		return base, result, err
	}
	context, err := docker.Sandbox()
	if err != nil {
		return base, result, err
	}
	options := sandbox.BuildOptions{Context: context, Tag: r.Settings.Image, Base: base.Ref, NoCache: noCache, Log: log}
	result, err = r.Builder.Build(ctx, options, func(p sandbox.Progress) {
		r.talk.Update(buildProgress("Building "+r.Settings.Image, p))
	})
	return base, result, err
}

// barWidth is the length of a progress bar in characters.
const barWidth = 20

func buildProgress(what string, p sandbox.Progress) reply.Doc {
	done := min(max(p.Percent, 0), 100) * barWidth / 100
	head := fmt.Sprintf("%s  %s%s %d %%", what, strings.Repeat("█", done), strings.Repeat("░", barWidth-done), p.Percent)
	if p.Steps > 0 {
		head += fmt.Sprintf(", step %d of %d", p.Step, p.Steps)
	}
	doc := reply.Doc{reply.P(fmt.Sprintf("%s, %s", head, p.Elapsed.Round(time.Second)))}
	if p.Name != "" || p.Line != "" {
		doc = append(doc, reply.Code{Text: strings.TrimSpace(shorten(p.Name, 100) + "\n" + shorten(p.Line, 100))})
	}
	return doc
}

func shorten(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:most-1]) + "…"
}

func (r *run) built(base sandbox.Base, result sandbox.BuildResult) reply.Doc {
	cached := 0
	for _, step := range result.Steps {
		if step.Cached {
			cached++
		}
	}
	doc := reply.Doc{reply.P(reply.Mono("%s", r.Settings.Image), fmt.Sprintf(" is built: %s in %s, %d steps, %d of them cached.",
		units.HumanSize(float64(result.Image.Size)), result.Elapsed.Round(time.Second), len(result.Steps), cached))}
	switch base.Origin {
	case sandbox.BaseMade:
		doc = append(doc, reply.P(r.Settings.Base, " could not be pulled, so I made a base from the distribution's packages: ", reply.Mono("%s", base.Ref), "."))
	case sandbox.BaseKept:
		doc = append(doc, reply.P("The base is ", reply.Mono("%s", base.Ref), ", made here earlier from the distribution's packages."))
	}
	if result.Replaced != "" {
		doc = append(doc, reply.P("Containers that run keep the old image until they are made anew."))
	}
	return doc
}

// attachLimit is how long the log of a build may be on its way after the
// program was told to stop.
const attachLimit = 3 * time.Second

// attachLog hands over the whole log, however the build ended. One that says
// nothing is not sent.
func (r *run) attachLog(ctx context.Context, log *os.File) error {
	ctx, cancel := Outlast(ctx, attachLimit)
	defer cancel()
	size, err := log.Seek(0, io.SeekEnd)
	if err != nil || size == 0 {
		return err
	}
	if _, err := log.Seek(0, io.SeekStart); err != nil {
		return err
	}
	name := "rebuild-sandbox-" + time.Now().Format("2006-01-02-150405") + ".log"
	return r.talk.Attach(ctx, reply.File{Name: name, Type: "text/plain", Size: size, Body: log})
}

func (r *run) buildProblem(ctx, building context.Context, err error) error {
	var failed *sandbox.BuildError
	var down *sandbox.EngineDownError
	var noBase *sandbox.BaseError
	switch {
	case building.Err() != nil && ctx.Err() == nil:
		return Sorry("Stopped, as you said. The image in use is as it was.")
	case errors.As(err, &failed):
		return r.stepProblem(failed)
	case errors.As(err, &down):
		return Because(err, "The Docker engine at %s does not answer. Start it (systemctl start docker), and say it again.", down.Host)
	case errors.As(err, &noBase) && errors.Is(err, sandbox.ErrNoMmdebstrap):
		return Because(err, "The base image %s can be neither pulled nor made: install mmdebstrap, or let the engine reach its registry.", noBase.Ref)
	case errors.As(err, &noBase):
		return Because(err, "The base image %s can be neither pulled nor made; the log says why. The image in use is as it was.", noBase.Ref)
	}
	return err
}

// stepProblem shows the end of a failed step's output.
func (r *run) stepProblem(failed *sandbox.BuildError) error {
	what := failed.Message
	if failed.Command != "" {
		what = fmt.Sprintf("step %d of %d failed with exit code %d: %s", failed.Step, failed.Steps, failed.ExitCode, shorten(failed.Command, 160))
	}
	return &Problem{
		Sentence: fmt.Sprintf("The build failed; the image in use is as it was. %s", sentenceCase(what)),
		Detail:   reply.Doc{reply.Code{Text: strings.Join(failed.Tail, "\n")}},
		Cause:    failed,
	}
}
