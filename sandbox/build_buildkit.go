package sandbox

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// The ids of BuildKit's messages; the classic builder's have none.
const (
	traceMessage = "moby.buildkit.trace"
	imageMessage = "moby.image.id"
)

// takeTrace applies one trace of BuildKit.
func (t *buildTracker) takeTrace(m buildMessage) error {
	t.traced = true
	var raw []byte
	if err := json.Unmarshal(m.Aux, &raw); err != nil {
		return fmt.Errorf("read BuildKit's trace: %w", err)
	}
	decoded, err := decodeTrace(raw)
	if err != nil {
		return err
	}
	for _, vertex := range decoded.vertexes {
		t.takeVertex(vertex)
	}
	for _, log := range decoded.logs {
		if step := t.steps[log.digest]; step != nil {
			t.write(step, log.text)
		}
	}
	return nil
}

func (t *buildTracker) takeVertex(v traceVertex) {
	step := t.steps[v.digest]
	if step == nil {
		step = newKitStep(v.name)
		t.steps[v.digest] = step
		if step.number > 0 {
			t.totals[step.stage] = step.of
		}
	}
	step.cached = step.cached || v.cached
	if v.failure != "" {
		step.failure = v.failure
	}
	if !v.started.IsZero() {
		t.begin(step, v.started)
	}
	if !v.completed.IsZero() {
		t.end(step, v.completed)
	}
}

// newKitStep reads BuildKit's name of a step: "[2/7] RUN make",
// "[tools 2/7] RUN make" in one of several stages, or free text.
func newKitStep(name string) *buildStep {
	free := &buildStep{command: oneLine(name)}
	inside, command, ok := strings.Cut(strings.TrimPrefix(name, "["), "] ")
	if !ok || !strings.HasPrefix(name, "[") {
		return free
	}
	stage, count := "", inside
	if space := strings.LastIndexByte(inside, ' '); space >= 0 {
		stage, count = inside[:space], inside[space+1:]
	}
	number, of, ok := parseCount(count)
	if !ok {
		return free
	}
	return &buildStep{stage: stage, number: number, of: of, command: oneLine(command)}
}

// parseCount reads "2/7".
func parseCount(text string) (number, of int, ok bool) {
	left, right, found := strings.Cut(text, "/")
	number, err := strconv.Atoi(left)
	of, err2 := strconv.Atoi(right)
	return number, of, found && err == nil && err2 == nil && 1 <= number && number <= of
}

// takeImage notes the id of what was made. The classic builder sends one at
// the end of every stage: it counts when the builder says that all is done.
func (t *buildTracker) takeImage(m buildMessage) error {
	var made struct{ ID string }
	if err := json.Unmarshal(m.Aux, &made); err != nil {
		return fmt.Errorf("read the id of the image: %w", err)
	}
	if m.ID == imageMessage {
		t.image = made.ID
	}
	t.staged = made.ID
	return nil
}
