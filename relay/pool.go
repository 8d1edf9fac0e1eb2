package relay

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// startLimit bounds the start of the program and its first word.
	startLimit = 10 * time.Second
	// After a failure the program is not started again for a while, so that a
	// sandbox without it costs nothing, and one that kills it not much.
	firstBackOff = time.Second
	lastBackOff  = time.Minute
	// livesWell is how long a session lives that did not end by a fault.
	livesWell = 10 * time.Second
)

// Pool keeps one session for each container's run: it starts the program when
// it is first needed, again when it has ended, and closes it when the run is
// over. Runs are told apart by keys that whoever uses the pool chooses.
type Pool struct {
	mu    sync.Mutex
	lines map[string]*line
}

// Start starts the program in a container.
type Start func(ctx context.Context) (Link, error)

// line is the session of one run, or why there is none.
type line struct {
	mu      sync.Mutex // held while a session is begun
	session *Session
	failed  error
	retryAt time.Time
	backOff time.Duration

	life context.Context
	end  context.CancelFunc
}

// NewPool makes a pool without sessions.
func NewPool() *Pool { return &Pool{lines: map[string]*line{}} }

// Dial connects to a port of the loopback of the run called key. Errors: those
// of Session.Dial, of start, and *StrangerError.
func (p *Pool) Dial(ctx context.Context, key string, start Start, port int) (*Conn, error) {
	l := p.line(key)
	for again := true; ; again = false {
		session, err := l.open(ctx, start)
		if err != nil {
			return nil, err
		}
		conn, err := session.Dial(ctx, port)
		if err == nil || answered(err) || ctx.Err() != nil || !again {
			return conn, err
		}
		// The session has ended under our hands: another one may be well.
	}
}

func (p *Pool) line(key string) *line {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.lines[key]
	if l == nil {
		l = &line{backOff: firstBackOff}
		l.life, l.end = context.WithCancel(context.Background())
		p.lines[key] = l
	}
	return l
}

// errOver says that the run ended while its relay was being started.
var errOver = errors.New("the container's run is over")

// open returns the session, and begins it where there is none.
func (l *line) open(ctx context.Context, start Start) (*Session, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.life.Err() != nil {
		return nil, errOver
	}
	if l.session != nil && !l.session.Ended() {
		return l.session, nil
	}
	if l.session != nil {
		l.lost(time.Since(l.session.began))
	}
	if l.failed != nil && time.Now().Before(l.retryAt) {
		return nil, l.failed
	}
	session, err := l.begin(ctx, start)
	if err != nil {
		if ctx.Err() == nil {
			l.fail(err)
		}
		return nil, err
	}
	l.session, l.failed = session, nil
	return session, nil
}

// lost takes note of a session that ended by itself.
func (l *line) lost(lived time.Duration) {
	l.session = nil
	if lived < livesWell {
		l.fail(errors.New("the relay has ended soon after its start"))
	} else {
		l.backOff = firstBackOff
	}
}

func (l *line) fail(err error) {
	l.failed, l.retryAt = err, time.Now().Add(l.backOff)
	l.backOff = min(2*l.backOff, lastBackOff)
}

func (l *line) begin(ctx context.Context, start Start) (*Session, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	defer context.AfterFunc(l.life, cancel)()
	link, err := start(ctx)
	if err != nil {
		return nil, err
	}
	return Open(ctx, link)
}

// Keep closes the sessions of all runs but those that it is told of.
func (p *Pool) Keep(runs map[string]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, l := range p.lines {
		if !runs[key] {
			delete(p.lines, key)
			go l.close() // not waited for: one that is being begun ends first
		}
	}
}

// Close closes all sessions.
func (p *Pool) Close() { p.Keep(nil) }

func (l *line) close() {
	l.end()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.session != nil {
		l.session.Close()
	}
}
