package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/crashpoint"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/sandbox"
)

const (
	// idleTick is the time between two looks whether a busy sandbox is idle.
	idleTick = time.Second
	// busyLimit is how long a busy sandbox is waited for.
	busyLimit = 24 * time.Hour
)

func (r *run) recreateCommand() *cobra.Command {
	var now bool
	cmd := &cobra.Command{
		Use:   "recreate-sandbox [AGENT|all] [--now]",
		Short: "has sandboxes made anew, from the image as it is now",
		Long: "Without a name: those that run an older image. A sandbox in which nothing runs is removed at once, and OpenClaw makes a new one when the agent next needs it; " +
			"one in which something runs is waited for, or removed when you say so. The workspace stays; what was written elsewhere in the container goes. Forwarded ports follow.",
		Example:     "recreate-sandbox mox",
		Aliases:     []string{"recreate"},
		Args:        atMost(1),
		Annotations: map[string]string{interruptedKey: "What is removed already is made anew by OpenClaw; say it again for the rest."},
		RunE: r.does(func(ctx context.Context, r *run, args []string) (reply.Answer, error) {
			chosen, err := r.chosen(ctx, first(args))
			if err != nil {
				return reply.Answer{}, err
			}
			if len(chosen) == 0 {
				return reply.Answer{Doc: reply.Say("No sandbox runs an older image. ", reply.Mono("%srecreate-sandbox all", prompt(r.request)), " has all of them made anew.")}, nil
			}
			return r.recreate(ctx, chosen, now)
		}),
	}
	cmd.Flags().BoolVar(&now, "now", false, "also those in which something runs")
	return cmd
}

// chosen are the containers that are to go.
func (r *run) chosen(ctx context.Context, whose string) ([]sandbox.Container, error) {
	all, err := r.Containers.Containers(ctx)
	if err != nil {
		return nil, r.containerProblem(err)
	}
	if len(all) == 0 {
		return nil, Sorry("There is no sandbox container. OpenClaw makes one when an agent first needs it.")
	}
	switch whose {
	case "all":
		return all, nil
	case "":
		live, err := r.liveImages(ctx, all)
		if err != nil {
			return nil, r.containerProblem(err)
		}
		return slices.DeleteFunc(all, func(c sandbox.Container) bool { return !stale(c, live[whichImage(c)]) }), nil
	}
	found := slices.DeleteFunc(slices.Clone(all), func(c sandbox.Container) bool { return c.Name != whose && owner(c) != whose })
	if len(found) == 0 {
		return nil, r.noContainer(all, whose)
	}
	return found, nil
}

// recreation is the removal of containers, and how it goes.
type recreation struct {
	*run
	gone []sandbox.Container
	busy []sandbox.Container
	does map[string][]sandbox.Work // by the container's id
}

// recreate removes idle containers at once, and busy ones once they are idle
// or somebody says so; now says so from the start.
func (r *run) recreate(ctx context.Context, chosen []sandbox.Container, now bool) (reply.Answer, error) {
	re := &recreation{run: r, busy: chosen, does: map[string][]sandbox.Work{}}
	if err := re.step(ctx, now); err != nil {
		return reply.Answer{}, re.problem(err)
	}
	if len(re.busy) > 0 {
		if err := re.wait(ctx); err != nil {
			return reply.Answer{}, re.problem(err)
		}
	}
	doc := re.doc()
	if len(re.busy) > 0 {
		doc = append(doc, reply.P("What is busy is as it was."))
	}
	return reply.Answer{Doc: doc}, nil
}

// step removes what is idle, or all. Between the look and the removal an agent
// may begin something; the engine has no call that would do both at once.
func (re *recreation) step(ctx context.Context, all bool) error {
	var busy []sandbox.Container
	for i, c := range re.busy {
		works, err := re.Containers.Works(ctx, c)
		if err == nil && (all || len(works) == 0) {
			if err = re.Containers.Recreate(ctx, c.ID); err == nil {
				re.gone = append(re.gone, c)
				crashpoint.At("recreate.one")
				continue
			}
		}
		if err != nil {
			re.busy = append(busy, re.busy[i:]...)
			return err
		}
		busy, re.does[c.ID] = append(busy, c), works
	}
	re.busy = busy
	return nil
}

// wait looks again until nothing is left, or the person says what to do.
func (re *recreation) wait(ctx context.Context) error {
	re.talk.Update(re.waiting())
	stoppable, release := re.talk.Cancelable(ctx)
	defer release()
	waiting, stop := context.WithTimeout(stoppable, busyLimit)
	defer stop()
	told := re.ask(waiting)
	tick := time.NewTicker(idleTick)
	defer tick.Stop()
	for len(re.busy) > 0 {
		all := false
		select {
		case <-waiting.Done():
			return ctx.Err() // stopped by a click: what is busy stays
		case all = <-told:
			told = nil
			if !all {
				return nil
			}
		case <-tick.C:
		}
		before := len(re.busy)
		if err := re.look(ctx, all); err != nil {
			return err
		}
		if len(re.busy) < before && len(re.busy) > 0 {
			re.talk.Update(re.waiting())
		}
	}
	return nil
}

// look is a step, unless OpenClaw or somebody else has removed a container
// meanwhile: that is what was wanted.
func (re *recreation) look(ctx context.Context, all bool) error {
	there, err := re.Containers.Containers(ctx)
	if err != nil {
		return err
	}
	var left []sandbox.Container
	for _, c := range re.busy {
		at := slices.IndexFunc(there, func(other sandbox.Container) bool { return other.ID == c.ID })
		if at < 0 {
			re.gone = append(re.gone, c)
			continue
		}
		left = append(left, there[at]) // its own program may have another number by now
	}
	re.busy = left
	return re.step(ctx, all)
}

// ask asks in a room whether to wait; nobody is asked in the shell, where one
// cannot answer and look on at a time.
func (re *recreation) ask(ctx context.Context) <-chan bool {
	told := make(chan bool, 1)
	if re.request.Shell {
		return told
	}
	question := append(re.works(), reply.P("Remove ", strings.Join(owners(re.busy), " and "), " now all the same? ✅ does, and what runs is cut off; ❌ leaves it as it is."))
	go func() {
		begun := time.Now()
		yes, err := re.talk.Ask(ctx, question)
		if err == nil && (yes || time.Since(begun) < answerTime) {
			told <- yes
		}
	}()
	return told
}

// answerTime tells a no from a question that nobody has answered: questions
// are open for longer than this.
const answerTime = 9 * time.Minute

func (re *recreation) waiting() reply.Doc {
	doc := re.doc()
	how := "I wait until nothing runs there; ❌ ends the waiting."
	if re.request.Shell {
		how = "I wait until nothing runs there; --now does not wait."
	}
	return append(doc, reply.P(how))
}

// doc says what is done and what is left.
func (re *recreation) doc() reply.Doc {
	var doc reply.Doc
	if len(re.gone) > 0 {
		doc = append(doc, reply.P("Removed: ", reply.Bold("%s", strings.Join(owners(re.gone), ", ")),
			fmt.Sprintf(" (%d %s). OpenClaw makes it anew when the agent next needs it.", len(re.gone), plural(len(re.gone), "container", "containers"))))
	}
	if len(re.busy) > 0 {
		doc = append(doc, re.works()...)
	}
	return doc
}

// works lists what keeps the busy ones.
func (re *recreation) works() reply.Doc {
	var list reply.List
	for _, c := range re.busy {
		list.Items = append(list.Items, reply.Line{reply.Bold("%s", owner(c)), " is busy: ", worksText(re.does[c.ID])})
	}
	return reply.Doc{list}
}

// problem words an error; what was removed before it is told as well.
func (re *recreation) problem(err error) error {
	worded := re.containerProblem(err)
	if len(re.gone) == 0 || errors.Is(err, context.Canceled) {
		return worded
	}
	var problem *Problem
	if !errors.As(worded, &problem) {
		problem = &Problem{Sentence: "The engine did not remove all of them; the log says why.", Cause: err}
	}
	problem.Detail = append(problem.Detail, re.doc()...)
	return problem
}
