package command

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/githabideri/fraktalia/reply"
)

// doctorLane keeps two doctors from trying the same things at once.
const doctorLane = "doctor"

// checksAtOnce bounds the checks that run side by side: some start containers.
const checksAtOnce = 6

func (r *run) doctorCommand() *cobra.Command {
	var deep bool
	cmd := &cobra.Command{
		Use:   "doctor [--deep]",
		Short: "tries every part of the deployment, and says what to do about it",
		Long: "Where status looks, the doctor tries: it asks the homeserver for what only an administrator may, encrypts and decrypts, writes into the database and reads it back, " +
			"runs a container, tests the sandbox image, connects to every forward. Everything at once, each within a limit of its own; a line is shown as soon as it is known. " +
			"In the shell the exit status is 1 where something is not well; a warning alone leaves it 0. " +
			"It takes some seconds. --deep goes on for up to some minutes: it tries from inside what sandboxes can reach, and asks every agent, in a room where it answers, " +
			"to write a file in its sandbox and to say so. Who is in that room sees question and answer, until they are removed ten seconds later; each agent takes a request or two of its model.",
		Args:        none,
		Annotations: map[string]string{laneKey: doctorLane, jsonKey: "yes", interruptedKey: "It changes nothing; say it again."},
		RunE: r.does(func(ctx context.Context, r *run, _ []string) (reply.Answer, error) {
			return Examine(ctx, r.proofs(deep), r.request.Shell, r.talk.Update), nil
		}),
	}
	cmd.Flags().BoolVar(&deep, "deep", false, "try isolation from inside, and ask every agent in its room (takes requests of its model)")
	return cmd
}

// healthOf looks at a part as status does: what is not well there need not be
// tried.
func (r *run) healthOf(ctx context.Context, part string) Finding {
	at := slices.IndexFunc(r.Health, func(c Check) bool { return c.Part == part })
	if at < 0 {
		return Finding{Mark: Well}
	}
	return look(ctx, r.Health[at])
}

// say is a command as the person would type it.
func (r *run) say(line string) string { return prompt(r.request) + line }

// proofs are all that a doctor tries.
func (r *run) proofs(deep bool) []Check {
	all := slices.Concat(r.Proofs, r.proveImages(), []Check{
		{Part: "containers", Look: r.proveContainers, Needs: dockerPart},
		{Part: forwardsPart, Look: r.proveForwards},
		{Part: "backups", Look: r.proveBackups, Limit: startLimit},
	})
	if !deep {
		return all
	}
	for i, c := range all {
		if c.Deep != nil {
			all[i].Look, all[i].Limit = c.Deep, c.DeepLimit
		}
	}
	return append(all, r.proveAgents()...)
}

// examination is what is known so far.
type examination struct {
	checks   []Check
	terminal bool
	show     func(reply.Doc)

	mu       sync.Mutex
	findings []*Finding // nil as long as it is tried
}

// Diagnosis is an examination for programs.
type Diagnosis struct {
	Well   bool          `json:"well"`
	Checks []partFinding `json:"checks"`
}

// Examine runs all checks, a few at a time, and shows each as soon as it is
// known. The answer is unwell where one of them is not well.
func Examine(ctx context.Context, checks []Check, terminal bool, show func(reply.Doc)) reply.Answer {
	e := &examination{checks: checks, terminal: terminal, show: show, findings: make([]*Finding, len(checks))}
	var looking errgroup.Group
	looking.SetLimit(checksAtOnce) // in their order: those that take long are last
	for i := range checks {
		looking.Go(func() error { e.note(i, look(ctx, checks[i])); return nil })
	}
	_ = looking.Wait() // none of them fails
	return e.answer()
}

// note shows what has just become known.
func (e *examination) note(i int, f Finding) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.findings[i] = &f
	if known := e.known(); known < len(e.checks) {
		e.show(append(reply.Sayf("Tried %d of %d …", known, len(e.checks)), e.table()))
	}
}

// known is how many have been tried.
func (e *examination) known() (n int) {
	for _, f := range e.findings {
		if f != nil {
			n++
		}
	}
	return n
}

func (e *examination) table() reply.Table {
	table := reply.Table{Head: []string{"", "part", "how it is"}}
	for i, f := range e.findings {
		if f == nil {
			table.Rows = append(table.Rows, []any{"⏳", e.checks[i].Part, "…"})
			continue
		}
		fact := reply.Lines{Items: []reply.Line{{f.Fact}}}
		if f.Todo != "" {
			fact.Items = append(fact.Items, reply.Line{"→ ", f.Todo})
		}
		table.Rows = append(table.Rows, []any{f.Mark.sign(e.terminal), e.checks[i].Part, fact})
	}
	return table
}

func (e *examination) answer() reply.Answer {
	data := Diagnosis{}
	for i, f := range e.findings {
		data.Checks = append(data.Checks, partFinding{e.checks[i].Part, *f})
	}
	data.Well = len(data.parts(NotWell)) == 0
	mark, text := data.summary()
	line := reply.P(mark.sign(false) + " " + text)
	if e.terminal {
		line = reply.P(text)
	}
	return reply.Answer{Doc: reply.Doc{line, e.table()}, Data: data, Unwell: !data.Well}
}

// summary says in a line how it is.
func (d Diagnosis) summary() (Mark, string) {
	bad, doubtful := len(d.parts(NotWell)), len(d.parts(Unsure))
	switch {
	case bad > 0:
		return NotWell, fmt.Sprintf("%d of %d parts %s not well.", bad, len(d.Checks), plural(bad, "is", "are"))
	case doubtful > 0:
		return Unsure, fmt.Sprintf("Nothing is broken; %d of %d parts %s a look.", doubtful, len(d.Checks), plural(doubtful, "wants", "want"))
	}
	return Well, fmt.Sprintf("All %d parts are well.", len(d.Checks))
}

// Line is the summary with the names of the parts that it is about: those that
// are not well, else those that want a look.
func (d Diagnosis) Line() string {
	mark, text := d.summary()
	if mark == Well {
		return text
	}
	return strings.TrimSuffix(text, ".") + ": " + strings.Join(d.parts(mark), ", ") + "."
}

// parts are the names of those that are marked so.
func (d Diagnosis) parts(mark Mark) (names []string) {
	for _, c := range d.Checks {
		if c.Mark == mark {
			names = append(names, c.Part)
		}
	}
	return names
}
