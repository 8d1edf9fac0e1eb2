package command

import (
	"context"
	"slices"
	"sync"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/reply"
)

func (r *run) deploymentFamily() []*cobra.Command {
	status := &cobra.Command{
		Use:         "status",
		Short:       "how every part of the deployment is, and what to do about it",
		Args:        none,
		Annotations: map[string]string{quickKey: "yes", jsonKey: "yes"},
		RunE:        r.does(status),
	}
	return append([]*cobra.Command{status, r.doctorCommand(), r.backupCommand()}, r.trustFamily()...)
}

func status(ctx context.Context, r *run, _ []string) (reply.Answer, error) {
	checks := slices.DeleteFunc(slices.Clone(r.Health), func(c Check) bool { return c.OwnersOnly && r.request.Role != Owner })
	findings := make([]partFinding, len(checks))
	var looking sync.WaitGroup
	for i, check := range checks {
		looking.Go(func() { findings[i] = r.discreetFinding(partFinding{check.Part, look(ctx, check)}) })
	}
	looking.Wait()
	table := reply.Table{Head: []string{"", "part", "how it is"}}
	var todo reply.List
	for _, f := range findings {
		table.Rows = append(table.Rows, []any{f.Mark.sign(r.request.Shell), f.Part, f.Fact})
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
