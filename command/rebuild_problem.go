package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/githabideri/fraktalia/docker"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/sandbox"
)

// ImageUntouched ends every sentence about a build that failed.
const ImageUntouched = "The image in use is as it was."

// failure words why there is no new image.
func (b *building) failure(ctx context.Context, err error) error {
	var failed *sandbox.BuildError
	var smoke *sandbox.SmokeError
	var unsent *sandbox.ContextError
	switch {
	case errors.As(err, &unsent):
		return Because(err, "%s, which lies beside %s, cannot be sent to the engine: %v. %s", unsent.Path, b.own.Path, unsent.Err, ImageUntouched)
	case errors.As(err, &failed) && failed.Line > 0:
		return b.lineProblem(failed)
	case errors.As(err, &failed):
		return b.stepProblem(failed)
	case errors.As(err, &smoke):
		return smokeProblem(smoke)
	}
	return b.buildProblem(ctx, err)
}

// buildProblem words what keeps the engine from building at all.
func (r *run) buildProblem(_ context.Context, err error) error {
	var down *sandbox.EngineDownError
	var noBase *sandbox.BaseError
	switch {
	case errors.As(err, &down) && r.host != "":
		return Because(err, "The Docker engine on %s does not answer, or the connection to it was lost in the middle. %sstatus says what hinders it; say it again when it is back, and what was finished is cached there. %s",
			r.host, prompt(r.request), ImageUntouched)
	case errors.As(err, &down):
		return Because(err, "The Docker engine at %s does not answer, or stopped answering. Start it (systemctl start docker), and say it again. %s", down.Host, ImageUntouched)
	case errors.As(err, &noBase) && errors.Is(err, sandbox.ErrNoMmdebstrap):
		return Because(err, "The base image %s can be neither pulled nor made: install mmdebstrap, or let the engine reach its registry. %s", noBase.Ref, ImageUntouched)
	case errors.As(err, &noBase) && errors.Is(err, sandbox.ErrNotDebian):
		return Because(err, "The base image %s cannot be pulled, and it is no release of Debian that I could make: let the engine reach its registry, or set sandbox.base. %s", noBase.Ref, ImageUntouched)
	case errors.As(err, &noBase):
		return Because(err, "The base image %s can be neither pulled nor made from the distribution's packages: see that the machine is online. %s", noBase.Ref, ImageUntouched)
	}
	return err
}

// lineProblem shows the line that the engine cannot read.
func (b *building) lineProblem(failed *sandbox.BuildError) error {
	text, name, line := b.options.Dockerfile, "the Dockerfile", failed.Line
	if b.isOwn {
		name = b.own.Path
	} else if own := docker.FragmentLine(b.options.Dockerfile, b.selection.Fragment, line); own > 0 {
		text, name, line = b.selection.Fragment, "your own instructions (sandbox.fragment)", own
	}
	problem := &Problem{Cause: failed, Sentence: fmt.Sprintf("The engine cannot read line %d of %s%s. %s", line, name, engineWords(failed.Message), ImageUntouched)}
	if lines := strings.Split(text, "\n"); line <= len(lines) {
		problem.Detail = reply.Doc{reply.Code{Text: fmt.Sprintf("%d: %s", line, shorten(lines[line-1], 200))}}
	}
	return problem
}

// engineWords takes what is wrong out of "... parse error line 3: unknown
// instruction: RUNN".
func engineWords(message string) string {
	_, rest, found := strings.Cut(message, "line ")
	_, what, colon := strings.Cut(rest, ": ")
	if !found || !colon {
		return ""
	}
	return ": " + shorten(strings.TrimRight(what, ". \n"), 120)
}

// stepProblem says why a step failed, and shows the end of its output.
func (b *building) stepProblem(failed *sandbox.BuildError) error {
	problem := &Problem{Cause: failed, Detail: reply.Doc{reply.Code{Text: strings.Join(failed.Tail, "\n")}}}
	if len(failed.Tail) == 0 {
		problem.Detail = nil
	}
	where := "The build failed"
	if failed.Command != "" {
		where = fmt.Sprintf("Step %d of %d failed (%s)", failed.Step, failed.Steps, shorten(b.named(failed.Command), 100))
	}
	problem.Sentence = fmt.Sprintf("%s: %s. %s", where, b.reason(failed), ImageUntouched)
	return problem
}

func (b *building) named(command string) string {
	if i := b.plan.of(command, -1); i >= 0 {
		return b.plan.layers[i].Name
	}
	return command
}

// reason tells the failures that have a cure from the others.
func (b *building) reason(failed *sandbox.BuildError) string {
	said := failed.Message + "\n" + strings.Join(failed.Tail, "\n")
	says := func(phrases ...string) bool {
		for _, phrase := range phrases {
			if strings.Contains(said, phrase) {
				return true
			}
		}
		return false
	}
	switch {
	case says("no space left on device", "No space left on device", "not enough free space", "don't have enough free space"):
		return "the disk where the engine keeps its images is full; make room there"
	case failed.ExitCode == 137 || says("Cannot allocate memory", "out of memory", "Killed"):
		if b.limit > 0 {
			return fmt.Sprintf("it was ended at its limit of memory, %s; --memory sets another", size(b.limit))
		}
		return "it was ended because the machine has no memory left; stop something else, or leave out what needs so much"
	case says("Unable to locate package"):
		name, _, _ := strings.Cut(after(said, "Unable to locate package "), "\n")
		return fmt.Sprintf("the distribution has no package %s; %spackages remove %[1]s takes it out", strings.TrimSpace(name), prompt(b.request))
	case says("Temporary failure resolving", "Could not resolve", "Could not connect", "Network is unreachable", "Connection timed out", "Failed to fetch"):
		return "the distribution's mirror cannot be reached from the build; see that the machine is online"
	case failed.ExitCode != 0:
		return fmt.Sprintf("exit code %d", failed.ExitCode)
	}
	return shorten(strings.TrimRight(failed.Message, ". \n"), 200)
}

func after(text, phrase string) string {
	_, rest, _ := strings.Cut(text, phrase)
	return rest
}

// smokeProblem says which tests the new image failed.
func smokeProblem(smoke *sandbox.SmokeError) error {
	var list reply.List
	for _, a := range smoke.Failed {
		list.Items = append(list.Items, reply.Line{reply.Bold("%s", a.Name), fmt.Sprintf(": status %d, ", a.ExitCode), reply.Mono("%s", a.Output)})
	}
	return &Problem{
		Sentence: fmt.Sprintf("The new image was built, but failed %d of its tests, so it is not used. %s", len(smoke.Failed), ImageUntouched),
		Detail:   reply.Doc{list},
		Cause:    smoke,
	}
}
