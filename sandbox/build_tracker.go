package sandbox

import (
	"fmt"
	"time"
)

// buildTracker follows one build by what the engine says about it, in either
// builder's words, and knows at every moment where the build stands.
type buildTracker struct {
	start   time.Time
	log     *buildLog
	steps   map[string]*buildStep // all that are known, by digest or number
	begun   []*buildStep          // in the order they began
	totals  map[string]int        // how many steps each stage has
	current *buildStep            // the last one that began or spoke
	line    string                // the last line written
	percent int                   // the highest reported, which never falls
	image   string                // id of what was made; "" until the build is done
	staged  string                // id of the last stage's image
	failed  *buildFailure
	traced  bool // BuildKit speaks, and names the step that failed itself
}

// buildFailure is how the engine ended a build.
type buildFailure struct {
	message string
	code    int // exit code, where the engine sends it apart
}

// buildStep is one step, from its announcement on. Steps of BuildKit's own
// (reading the context, exporting) have no number.
type buildStep struct {
	stage      string // of a Dockerfile with several, else ""
	number, of int
	command    string
	started    time.Time
	ended      time.Time
	cached     bool
	failure    string
	lines      lines
	tail       tail
	apt        aptGauge
}

func (s *buildStep) title() string {
	if s.number == 0 {
		return s.command
	}
	return fmt.Sprintf("step %d of %d: %s", s.number, s.of, s.command)
}

// done is the part of the step that is behind us, 0 to 1, as far as its
// output tells.
func (s *buildStep) done() float64 {
	if !s.ended.IsZero() {
		return 1
	}
	return s.apt.done()
}

func newBuildTracker(start time.Time, log *buildLog) *buildTracker {
	return &buildTracker{
		start:  start,
		log:    log,
		steps:  make(map[string]*buildStep),
		totals: make(map[string]int),
	}
}

// take applies one message of the engine.
func (t *buildTracker) take(m buildMessage) error {
	switch {
	case m.Error != "":
		t.fail(m)
	case m.ID == traceMessage:
		return t.takeTrace(m)
	case len(m.Aux) > 0:
		return t.takeImage(m)
	case m.Stream != "":
		t.takeStream(m.Stream)
	case m.Status != "":
		t.line = plainLine(m.Status)
	}
	return nil
}

// fail notes the engine's last word. The classic builder does not say which
// step it is about: it is the one at work.
func (t *buildTracker) fail(m buildMessage) {
	t.failed = &buildFailure{message: m.Error, code: m.Detail.Code}
	if !t.traced && t.current != nil {
		t.current.failure = m.Error
	}
}

// begin notes that a step is at work.
func (t *buildTracker) begin(step *buildStep, at time.Time) {
	if !step.started.IsZero() {
		return
	}
	step.started = at
	t.begun = append(t.begun, step)
	t.current = step
	if step.number > 0 {
		t.log.heading(step)
	}
}

// end notes that a step is over. What it wrote is kept if it failed only:
// there may be hundreds of steps.
func (t *buildTracker) end(step *buildStep, at time.Time) {
	if !step.ended.IsZero() {
		return
	}
	step.lines.end(func(line string) { t.output(step, line) })
	step.ended = at
	if step.cached {
		t.log.heading(step)
		t.log.line("cached")
	}
	if step.failure == "" {
		step.tail = tail{}
	}
}

// write takes a piece of a step's output.
func (t *buildTracker) write(step *buildStep, piece []byte) {
	t.current = step
	t.log.heading(step)
	step.lines.add(piece, func(line string) { t.output(step, line) })
}

func (t *buildTracker) output(step *buildStep, line string) {
	line = plainLine(line)
	t.log.line(line)
	if line == "" {
		return
	}
	line = shortened(line)
	t.line = line
	step.tail.add(line)
	step.apt.read(line)
}

// progress tells where the build stands.
func (t *buildTracker) progress(now time.Time) Progress {
	p := Progress{Name: "preparing", Elapsed: now.Sub(t.start), Line: t.line}
	p.Step, p.Steps = t.position()
	if t.current != nil {
		p.Name = t.current.command
	}
	done := 0.0
	for _, step := range t.begun {
		if step.number > 0 {
			done += step.done()
		}
	}
	if p.Steps > 0 {
		t.percent = max(t.percent, min(99, int(100*done/float64(p.Steps))))
	}
	p.Percent = t.percent
	return p
}

// position tells the numbered step that began last, and how many there are
// over all stages.
func (t *buildTracker) position() (step, steps int) {
	for _, total := range t.totals {
		steps += total
	}
	for _, s := range t.begun {
		if s.number > 0 {
			step = max(step, t.ordinal(s))
		}
	}
	return step, steps
}

// ordinal is the number of a step in the order they began, which for a
// Dockerfile of one stage is the step's own number.
func (t *buildTracker) ordinal(step *buildStep) int {
	if len(t.totals) == 1 || step.number == 0 {
		return step.number
	}
	n := 0
	for _, s := range t.begun {
		if s.number > 0 {
			n++
		}
		if s == step {
			break
		}
	}
	return n
}

// finish closes what is open when the engine has said its last word.
func (t *buildTracker) finish(now time.Time) {
	for _, step := range t.begun {
		t.end(step, now)
	}
	if t.failed != nil {
		t.log.line("\n== failed: " + t.failed.message)
	}
	t.log.flush()
}

// ended lists the numbered steps.
func (t *buildTracker) ended() []BuildStep {
	var steps []BuildStep
	for _, s := range t.begun {
		if s.number > 0 {
			steps = append(steps, BuildStep{Command: s.command, Cached: s.cached, Elapsed: s.ended.Sub(s.started)})
		}
	}
	return steps
}
