package command

import (
	"context"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/reply"
)

// Check looks at one part of the deployment.
type Check struct {
	// Part is what people call it, e.g. "homeserver".
	Part string
	// Look finds out how it is; it must not change anything.
	Look func(ctx context.Context) Finding
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

func (m Mark) sign() string {
	return map[Mark]string{Well: "✅", Unsure: "⚠️", NotWell: "❌"}[m]
}

// checkLimit bounds one check: a part that does not answer by then is not well.
const checkLimit = 5 * time.Second

func (r *run) deploymentFamily() []*cobra.Command {
	status := &cobra.Command{
		Use:         "status",
		Short:       "how every part of the deployment is, and what to do about it",
		Args:        none,
		Annotations: map[string]string{quickKey: "yes", jsonKey: "yes"},
		RunE:        r.does(status),
	}
	return append([]*cobra.Command{status}, r.trustFamily()...)
}

// partFinding is a Finding with its part's name, for programs.
type partFinding struct {
	Part string `json:"part"`
	Finding
}

func status(ctx context.Context, r *run, _ []string) (reply.Answer, error) {
	findings := make([]partFinding, len(r.Health))
	var looking sync.WaitGroup
	for i, check := range r.Health {
		looking.Go(func() { findings[i] = partFinding{check.Part, look(ctx, check)} })
	}
	looking.Wait()
	table := reply.Table{Head: []string{"", "part", "how it is"}}
	var todo reply.List
	for _, f := range findings {
		table.Rows = append(table.Rows, []any{f.Mark.sign(), f.Part, f.Fact})
		if f.Todo != "" {
			todo.Items = append(todo.Items, reply.Line{reply.Bold("%s", f.Part), ": ", f.Todo})
		}
	}
	doc := reply.Doc{table}
	if len(todo.Items) > 0 {
		doc = append(doc, reply.P("What to do:"), todo)
	}
	return reply.Answer{Doc: doc, Data: findings}, nil
}

// look runs one check within its limit.
func look(ctx context.Context, check Check) Finding {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	found := make(chan Finding, 1)
	go func() { found <- check.Look(ctx) }()
	select {
	case f := <-found:
		return f
	case <-ctx.Done():
		return Finding{Mark: NotWell, Fact: "does not answer", Todo: "it gave no answer within " + checkLimit.String() + "; look at the log"}
	}
}
