package command

import (
	"context"
	"fmt"
	"time"
)

// Check looks at one part of the deployment.
type Check struct {
	// Part is what people call it, e.g. "homeserver".
	Part string
	// OwnersOnly parts have names that are not for everybody in a chat room.
	OwnersOnly bool
	// Look finds out how it is. That of a status changes nothing; a doctor's may
	// try, and leaves nothing behind.
	Look func(ctx context.Context) Finding
	// Limit is how long it may take; 0 is checkLimit.
	Limit time.Duration
	// Needs is the part without which nothing is known of this one; "" where
	// there is none. If this one hangs, that one's line says what to do.
	Needs string
	// Deep finds out more, where people asked for that: it takes longer than they
	// like to wait, or is seen by others. DeepLimit is how long it may take.
	Deep      func(ctx context.Context) Finding
	DeepLimit time.Duration
}

// Finding is how one part of the deployment stands.
type Finding struct {
	Mark Mark   `json:"mark"`
	Fact string `json:"fact"`
	// Todo is what to do where it is not well; "" where it is.
	Todo string `json:"todo,omitempty"`
}

// Mark is how well something is.
type Mark string

// Marks, from well to not.
const (
	Well    Mark = "ok"
	Unsure  Mark = "warning"
	NotWell Mark = "failed"
)

// sign is the mark as people see it: a terminal gets letters, which every font
// has and which can be searched for.
func (m Mark) sign(terminal bool) string {
	if terminal {
		return string(m)
	}
	return map[Mark]string{Well: "✅", Unsure: "⚠️", NotWell: "❌"}[m]
}

// checkLimit bounds one check: a part that does not answer by then is not well.
const checkLimit = 5 * time.Second

// lastWords is how long a check may take to tell in its own words that its time
// was over.
const lastWords = time.Second

// partFinding is a Finding with its part's name, for programs.
type partFinding struct {
	Part string `json:"part"`
	Finding
}

// look runs one check within its limit. One that hangs, or breaks, is a finding
// like any other.
func look(ctx context.Context, check Check) Finding {
	limit := check.Limit
	if limit == 0 {
		limit = checkLimit
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	over := time.NewTimer(limit + lastWords)
	defer over.Stop()
	found := make(chan Finding, 1)
	go func() {
		defer func() {
			if fault := recover(); fault != nil {
				found <- Finding{Mark: NotWell, Fact: fmt.Sprintf("looking at it broke: %v", fault), Todo: "tell the makers of Fraktalia: that is a mistake of the program"}
			}
		}()
		found <- check.Look(ctx)
	}()
	select {
	case f := <-found:
		return f
	case <-over.C:
		if check.Needs != "" {
			return notKnown(check.Needs)
		}
		return Finding{Mark: NotWell, Fact: "does not answer", Todo: "it gave no answer within " + limit.String() + "; look at the log"}
	}
}
