package command

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/reply"
)

// lanes let one command of a lane run at a time, whoever asked for it: the
// room has its own order, but the shell's commands come from beside it.
type lanes struct {
	mu   sync.Mutex
	open map[string]chan struct{}
}

// of gives a lane's lock: who can put something into it may run.
func (l *lanes) of(name string) chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil {
		l.open = map[string]chan struct{}{}
	}
	if l.open[name] == nil {
		l.open[name] = make(chan struct{}, 1)
	}
	return l.open[name]
}

// enterLane waits until the command's lane is free. It stands where cobra has
// found nothing wrong with the line, so mistakes and help wait for nobody.
func (r *run) enterLane(cmd *cobra.Command, _ []string) error {
	name := cmd.Annotations[laneKey]
	if name == "" || cmd.Annotations[quickKey] != "" && !slowed(cmd) {
		return nil
	}
	if name == r.within {
		r.lane = name
		return nil
	}
	return r.enter(cmd.Context(), name)
}

// slowed says that a quick command has got the flag with which it is none.
func slowed(cmd *cobra.Command) bool {
	flag := cmd.Annotations[slowKey]
	return flag != "" && cmd.Flags().Changed(flag)
}

// enter waits until a lane is free.
func (r *run) enter(ctx context.Context, name string) error {
	lane := r.shared.lanes.of(name)
	select {
	case lane <- struct{}{}:
	default:
		r.talk.Update(reply.Say("Another command has to end first; this one waits for it."))
		select {
		case lane <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	r.lane, r.leave = name, sync.OnceFunc(func() { <-lane })
	return nil
}

// outsideLane does something that takes a person's time, such as a question,
// while others may have the lane. What was looked at before may be otherwise
// after. A command that runs for another one stays within that one's lane.
func (r *run) outsideLane(ctx context.Context, do func() error) error {
	if r.within != "" || r.lane == "" {
		return do()
	}
	r.leave()
	if err := do(); err != nil {
		return err
	}
	return r.enter(ctx, r.lane)
}

// in runs do within a lane, for what is no command.
func (l *lanes) in(ctx context.Context, name string, do func() error) error {
	lane := l.of(name)
	select {
	case lane <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-lane }()
	return do()
}

// takeBack runs the lines that take a command back, in the lanes of their own:
// all of them or none.
func (r *run) takeBack(ctx context.Context, lines string) (reply.Answer, error) {
	var whole reply.Answer
	var done []string
	for line := range strings.Lines(lines) {
		answer, err := r.also(ctx, line)
		if err != nil {
			for _, undo := range done {
				_, back := r.also(context.WithoutCancel(ctx), undo)
				err = errors.Join(err, back)
			}
			return reply.Answer{}, err
		}
		done = append(done, answer.Undo)
		whole.Doc = append(whole.Doc, answer.Doc...)
	}
	return whole, nil
}

// also runs another line for a command that has its lane.
func (r *run) also(ctx context.Context, line string) (reply.Answer, error) {
	line = strings.TrimSpace(line)
	args, err := Split(line)
	if err != nil {
		return reply.Answer{}, err
	}
	request := r.request
	request.Args, request.Line = args, line
	return (&run{Services: r.Services, shared: r.shared, request: request, talk: r.talk, within: r.lane}).execute(ctx)
}
