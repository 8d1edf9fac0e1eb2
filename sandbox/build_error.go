package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// BuildError says which step failed and what it wrote last.
type BuildError struct {
	Step, Steps int      // as in Progress; 0 if it failed before or between steps
	Command     string   // the Dockerfile's instruction; "" if none is to blame
	ExitCode    int      // of the command; 0 if it was no command that failed
	Line        int      // of the Dockerfile where the engine names one, else 0
	Message     string   // the engine's own words, for the log
	Tail        []string // the last lines of the failed step, oldest first
}

func (e *BuildError) Error() string {
	if e.Command == "" {
		return "build: " + e.Message
	}
	return fmt.Sprintf("build step %d of %d, %s: %s", e.Step, e.Steps, e.Command, e.Message)
}

// refusal is the error of a build that the engine did not begin, e.g. for a
// Dockerfile that it cannot read.
func (e *Engine) refusal(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("build: %w", context.Cause(ctx))
	}
	var unsent *ContextError
	if errors.As(err, &unsent) {
		return unsent
	}
	if line := dockerfileLine(err.Error()); line > 0 {
		return &BuildError{Line: line, Message: err.Error()}
	}
	return e.engineError(err, "begin the build")
}

// verdict tells how a build ended. The engine's own word about a failed step
// comes before what its stream ended with; a stream that ends without any
// word means that the engine or the connection to it is gone.
func (e *Engine) verdict(ctx context.Context, t *buildTracker, streamErr error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("build: %w", context.Cause(ctx))
	case t.failed != nil:
		return t.buildError()
	case streamErr != nil:
		return &EngineDownError{Host: e.place(), Err: streamErr}
	case t.image == "":
		return &EngineDownError{Host: e.place(), Err: io.ErrUnexpectedEOF}
	}
	return nil
}

// buildError says what failed.
func (t *buildTracker) buildError() *BuildError {
	message := t.failed.message
	e := &BuildError{Message: plainLine(message), Line: dockerfileLine(message), ExitCode: t.failed.code}
	if e.ExitCode == 0 {
		e.ExitCode = numberAfter(message, "exit code: ")
	}
	if step := t.culprit(); step != nil {
		_, e.Steps = t.position()
		e.Step, e.Command, e.Tail = t.ordinal(step), step.command, step.tail.all()
	}
	return e
}

// culprit is the step that failed. When one stage of several fails, BuildKit
// cancels the others: those are not to blame.
func (t *buildTracker) culprit() *buildStep {
	for _, step := range t.begun {
		if step.failure != "" && !strings.Contains(step.failure, context.Canceled.Error()) {
			return step
		}
	}
	return nil
}

// dockerfileLine finds the line that the engine complains about: "dockerfile
// parse error line 3: ..." on old engines, "... on line 3" on newer ones.
func dockerfileLine(message string) int {
	return max(numberAfter(message, "parse error line "), numberAfter(message, "parse error on line "))
}

// numberAfter reads the number that follows a phrase; 0 if there is none.
func numberAfter(text, phrase string) int {
	_, rest, found := strings.Cut(text, phrase)
	if !found {
		return 0
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(rest)
	}
	number, err := strconv.Atoi(rest[:end])
	if err != nil {
		return 0
	}
	return number
}
