package sandbox

import (
	"strings"
	"time"
)

// takeStream applies a piece of the classic builder's text. Its own words come
// in pieces of their own, which tells them from a command's output.
func (t *buildTracker) takeStream(text string) {
	if number, of, command, ok := classicStep(text); ok && number == len(t.begun)+1 {
		t.nextClassic(&buildStep{number: number, of: of, command: command})
		return
	}
	if strings.HasPrefix(text, "Successfully built ") {
		t.image = t.staged
	}
	if t.current == nil {
		return
	}
	if text == " ---> Using cache\n" {
		t.current.cached = true
		return
	}
	if !classicNoise(text) {
		t.write(t.current, []byte(text))
	}
}

// nextClassic ends the step at work and begins the next: the classic builder
// takes them one by one.
func (t *buildTracker) nextClassic(step *buildStep) {
	now := time.Now()
	if t.current != nil {
		t.end(t.current, now)
	}
	t.totals[""] = step.of
	t.begin(step, now)
}

// classicStep reads "Step 2/7 : RUN make".
func classicStep(text string) (number, of int, command string, ok bool) {
	count, command, found := strings.Cut(strings.TrimPrefix(text, "Step "), " : ")
	number, of, counted := parseCount(count)
	ok = found && counted && strings.HasPrefix(text, "Step ")
	return number, of, oneLine(command), ok
}

// classicNoise tells the builder's talk of its containers, which says nothing
// to a person.
func classicNoise(text string) bool {
	return text == "\n" || strings.HasPrefix(text, " ---> ") ||
		strings.HasPrefix(text, "Removing intermediate container ") ||
		strings.HasPrefix(text, "Successfully ")
}
