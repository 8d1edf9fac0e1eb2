package app

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/githabideri/fraktalia/stack"
)

// screen shows how a start goes on: on a terminal one line with a spinner and
// a bar, elsewhere a line a step.
type screen struct {
	out      io.Writer
	terminal bool

	mu      sync.Mutex
	shown   string // what is at work; "" is nothing
	percent int
	stop    chan struct{}
	stopped sync.WaitGroup
	said    map[string]bool
}

var stepNames = map[stack.Step]string{
	stack.StepVenv:     "Making a Python environment",
	stack.StepPackages: "Installing Synapse, the homeserver",
	stack.StepConfig:   "Writing its configuration",
	stack.StepStart:    "Starting the homeserver",
}

func newScreen(out io.Writer) *screen {
	s := &screen{out: out, terminal: isTerminal(out), stop: make(chan struct{}), said: map[string]bool{}}
	if s.terminal {
		s.stopped.Go(s.spin)
	}
	return s
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// say prints a sentence of its own.
func (s *screen) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	fmt.Fprintf(s.out, format+"\n", args...)
}

// step shows an event of the homeserver's start.
func (s *screen) step(e stack.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.show(stepNames[e.Step], e.Percent)
	if e.Detail != "" {
		s.shown += ": " + e.Detail
	}
}

// part shows something that goes on beside the homeserver's start.
func (s *screen) part(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.show(name, stack.Unknown)
}

// show makes something what is at work; the caller holds the mutex. Where lines
// stay, each is printed once: several things go on side by side.
func (s *screen) show(name string, percent int) {
	if !s.terminal && !s.said[name] {
		fmt.Fprintln(s.out, name)
	}
	s.said[name], s.shown, s.percent = true, name, percent
}

// spin redraws the line ten times a second until the screen is closed.
func (s *screen) spin() {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	frames := []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
	for i := 0; ; i++ {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		s.mu.Lock()
		if s.shown != "" {
			fmt.Fprintf(s.out, "\r\x1b[K%c %s%s", frames[i%len(frames)], bar(s.percent), s.shown)
		}
		s.mu.Unlock()
	}
}

func bar(percent int) string {
	if percent < 0 {
		return ""
	}
	const width = 20
	done := min(percent, 100) * width / 100
	return fmt.Sprintf("%s%s %3d %%  ", strings.Repeat("█", done), strings.Repeat("░", width-done), percent)
}

// clear removes the line; the caller holds the mutex.
func (s *screen) clear() {
	if s.terminal {
		fmt.Fprint(s.out, "\r\x1b[K")
	}
}

// close leaves the screen clean; calling it again does nothing.
func (s *screen) close() {
	s.mu.Lock()
	select {
	case <-s.stop:
		s.mu.Unlock()
		return
	default:
		close(s.stop)
	}
	s.shown = ""
	s.clear()
	s.mu.Unlock()
	s.stopped.Wait()
}
