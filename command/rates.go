package command

import (
	"sync"
	"time"
)

// rates counts what accounts do in a span of time. Its zero value is ready.
type rates struct {
	mu   sync.Mutex
	seen map[rateKey]*rate
}

type rateKey struct{ sender, what string }

type rate struct {
	times []time.Time // within the span
	told  time.Time
}

// take counts one more, unless there have been most within span; first says
// that this is the refusal that should be told.
func (r *rates) take(sender, what string, most int, span time.Duration) (taken, first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil {
		r.seen = map[rateKey]*rate{}
	}
	one := r.seen[rateKey{sender, what}]
	if one == nil {
		one = &rate{}
		r.seen[rateKey{sender, what}] = one
	}
	now := time.Now()
	for len(one.times) > 0 && now.Sub(one.times[0]) > span {
		one.times = one.times[1:]
	}
	if len(one.times) < most {
		one.times = append(one.times, now)
		return true, false
	}
	first = now.Sub(one.told) > span
	if first {
		one.told = now
	}
	return false, first
}

// tell says whether a refusal should be told that is counted elsewhere.
func (r *rates) tell(sender, what string, span time.Duration) bool {
	_, first := r.take(sender, what, 0, span)
	return first
}
