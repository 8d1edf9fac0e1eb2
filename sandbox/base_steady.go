package sandbox

import (
	"sync"
	"time"
)

// steady reports one long piece of work that says little by itself: at each
// line it writes, and at every heartbeat.
type steady struct {
	report  func(Progress)
	start   time.Time
	mutex   sync.Mutex
	at      Progress
	done    chan struct{}
	stopped sync.WaitGroup
}

func newSteady(name string, report func(Progress)) *steady {
	s := &steady{report: report, start: time.Now(), at: Progress{Name: name}, done: make(chan struct{})}
	s.stopped.Go(s.beat)
	return s
}

func (s *steady) beat() {
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.tell("")
		case <-s.done:
			return
		}
	}
}

// line takes the last line that was written.
func (s *steady) line(text string) { s.tell(text) }

// tell reports; the lock keeps reports one after the other.
func (s *steady) tell(line string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if line != "" {
		s.at.Line = line
	}
	s.at.Elapsed = time.Since(s.start)
	if s.report != nil {
		s.report(s.at)
	}
}

// stop ends the reports; after it there are none.
func (s *steady) stop() {
	close(s.done)
	s.stopped.Wait()
}
