package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/sandbox"
)

const (
	// runLimit is how long a command runs unless it was said otherwise, and
	// mostRunLimit the most that may be said.
	runLimit, mostRunLimit = 10 * time.Minute, 6 * time.Hour
	// keptOutput is how much of a command's output is kept, and mostOutput after
	// how much it is stopped, in bytes.
	keptOutput, mostOutput = 1 << 20, 64 << 20
	// runTick is the time between two looks at what a command has written.
	runTick = time.Second
)

// relayedKey marks the command where its words come from the shell, which puts
// dashes in front of all of them.
const relayedKey = "relayed"

var (
	errOutput = errors.New("too much output")
	errTime   = errors.New("too much time")
)

func (r *run) runCommand() *cobra.Command {
	limit := runLimit
	cmd := &cobra.Command{
		Use:   "run [--limit TIME] [AGENT] -- COMMAND",
		Short: "runs a command in a sandbox and shows what it writes",
		Long: "As the container's own user, by its shell, without input. Click ❌ under the answer to stop it. " +
			"The command is kept in the record of commands, its output is not.",
		Example: "sandbox run mox -- ls -l /workspace | head",
		Args: func(cmd *cobra.Command, args []string) error {
			_, _, err := behindDashes(cmd, args)
			return err
		},
		Annotations: map[string]string{rawKey: "yes", interruptedKey: "What it ran may still run; the sandbox command shows that."},
	}
	if r.request.Shell {
		cmd.Annotations[relayedKey] = "yes"
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		whose, words, err := behindDashes(cmd, args)
		if err == nil && (limit < time.Second || limit > mostRunLimit) {
			err = Sorry("--limit takes a time between 1s and 6h, such as 30s or 1h.")
		}
		if err == nil {
			r.answer, err = runInSandbox(cmd.Context(), r, whose, r.script(words), limit)
		}
		return err
	}
	cmd.Flags().DurationVar(&limit, "limit", limit, "stop it after this `time`")
	cmd.Flags().SetInterspersed(false) // flags behind the agent's name are the command's
	return cmd
}

// isDashes says that a word parts the agent from the command; telephones make
// a long dash of two.
func isDashes(word string) bool { return word == "--" || word == "—" }

// behindDashes takes "[AGENT] -- COMMAND" apart: a command looks like words and
// flags of ours, and must not be taken for them. The parser has dropped the
// dashes where they come first; the shell puts them back.
func behindDashes(cmd *cobra.Command, args []string) (whose string, words []string, err error) {
	at := slices.IndexFunc(args[:min(2, len(args))], isDashes)
	switch {
	case at >= 0 && (cmd.ArgsLenAtDash() < 0 || cmd.Annotations[relayedKey] != ""):
		whose, words = strings.Join(args[:at], ""), args[at+1:]
	case cmd.ArgsLenAtDash() == 0:
		words = args
	default:
		return "", nil, Sorry("Put -- in front of the command")
	}
	if len(words) == 0 {
		return "", nil, Sorry("Say the command behind --")
	}
	return whose, words, nil
}

// script is what runs: in a room the rest of the line as it was typed, quotes
// and pipes and all. The shell has split its words already.
func (r *run) script(words []string) []string {
	if at := slices.IndexFunc(r.request.Args, isDashes); at >= 0 && !r.request.Shell {
		_, typed := wordAt(r.request.Line, at)
		return []string{"/bin/sh", "-c", typographic.Replace(typed)}
	}
	if len(words) == 1 {
		return []string{"/bin/sh", "-c", words[0]}
	}
	return words
}

func runInSandbox(ctx context.Context, r *run, whose string, script []string, limit time.Duration) (reply.Answer, error) {
	c, err := r.pick(ctx, whose)
	if err != nil {
		return reply.Answer{}, err
	}
	if err := runnable(c); err != nil {
		return reply.Answer{}, err
	}
	r.talk.Update(reply.Say("Running in the sandbox of ", reply.Bold("%s", owner(c)), " …"))
	stoppable, release := r.talk.Cancelable(ctx)
	defer release()
	running, stop := context.WithCancelCause(stoppable)
	defer stop(nil)
	timer := time.AfterFunc(limit, func() { stop(errTime) })
	defer timer.Stop()
	out := &output{tail: sandbox.Tail{Most: keptOutput}, full: func() { stop(errOutput) }}
	began := time.Now()
	ended := r.follow(running, owner(c), out, began)
	status, err := r.Containers.Exec(running, c.ID, sandbox.Command{Args: script, Stdout: out, Stderr: out})
	why := context.Cause(running)
	stop(nil)
	<-ended
	return r.ran(ctx, c, out, status, time.Since(began), errors.Join(err, why))
}

// runnable says why nothing can be run in a container.
func runnable(c sandbox.Container) error {
	switch {
	case c.Running():
		return nil
	case c.State == "paused":
		return Sorry("The sandbox of %s is paused: docker unpause %s lets it go on.", owner(c), c.Name)
	}
	return Sorry("The sandbox of %s does not run (%s). OpenClaw starts it, or makes a new one, when the agent next needs it.", owner(c), c.State)
}

// output keeps the end of what a command writes.
type output struct {
	mu   sync.Mutex
	tail sandbox.Tail
	full func() // called once there is more than anybody will read
}

// Write never fails: who has written too much is stopped by other means.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.tail.Written <= mostOutput && o.tail.Written+int64(len(p)) > mostOutput {
		o.full()
	}
	return o.tail.Write(p)
}

// end is the last of it, as text.
func (o *output) end(most int) (text string, written int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	kept := o.tail.Bytes()
	return strings.ToValidUTF8(string(kept[max(0, len(kept)-most):]), "�"), o.tail.Written
}

// followedOutput is how much of the output is shown while a command runs.
const followedOutput = 1 << 10

// follow shows how a command gets on until running ends.
func (r *run) follow(running context.Context, whose string, out *output, began time.Time) (ended chan struct{}) {
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(runTick)
		defer tick.Stop()
		for {
			select {
			case <-running.Done():
				return
			case <-tick.C:
			}
			text, written := out.end(followedOutput)
			doc := reply.Say("Running in the sandbox of ", reply.Bold("%s", whose),
				fmt.Sprintf(" for %s, %s written …", time.Since(began).Round(time.Second), size(written)))
			if text != "" {
				doc = append(doc, reply.Code{Text: lineFeeds.Replace(text)})
			}
			r.talk.Update(doc)
		}
	}()
	return ended
}

// ran tells how a command ended.
func (r *run) ran(ctx context.Context, c sandbox.Container, out *output, status int, took time.Duration, err error) (reply.Answer, error) {
	ctx, cancel := Outlast(ctx, attachLimit)
	defer cancel()
	stopped := ""
	switch {
	case errors.Is(err, errTime):
		stopped = "It did not end in time, so I stopped it; --limit gives it more."
	case errors.Is(err, errOutput):
		stopped = fmt.Sprintf("It wrote more than %s, so I stopped it.", size(mostOutput))
	case errors.Is(err, context.Canceled):
		stopped = "Stopped, as you said."
	case err != nil:
		return reply.Answer{}, r.containerProblem(err)
	}
	shown := r.showOutput(ctx, "run-"+owner(c), out.tail.Bytes(), out.tail.Written)
	if len(shown) == 0 {
		shown = reply.Say("It wrote nothing.")
	}
	if stopped != "" {
		return reply.Answer{}, &Problem{Sentence: stopped + r.leftRunning(ctx, c), Detail: shown, Private: true}
	}
	ended := fmt.Sprintf("Ended with exit status %d after %s.", status, took.Round(10*time.Millisecond))
	if status != 0 {
		return reply.Answer{}, &Problem{Sentence: ended + reason(status), Detail: shown, Private: true}
	}
	return reply.Answer{Doc: append(reply.Say(ended), shown...), Private: true}, nil
}

// leftRunning tells of what goes on in the container after a command was
// stopped: it may have put a program beside itself.
func (r *run) leftRunning(ctx context.Context, c sandbox.Container) string {
	works, err := r.Containers.Works(ctx, c)
	if err != nil || len(works) == 0 {
		return ""
	}
	return fmt.Sprintf(" Still running in the sandbox: %s.", worksText(works))
}

func worksText(works []sandbox.Work) string {
	var list []string
	for _, w := range works[:min(len(works), 3)] {
		list = append(list, shorten(w.Command, 60))
	}
	if len(works) > 3 {
		list = append(list, fmt.Sprintf("%d more", len(works)-3))
	}
	return strings.Join(list, ", ")
}

// reason is what shells mean by some statuses.
func reason(status int) string {
	switch status {
	case sandbox.StatusNotExecutable:
		return " That is: it cannot be executed."
	case sandbox.StatusNotFound:
		return " That is: there is no such program in the sandbox."
	case 137:
		return " That is: it was killed, perhaps for want of memory."
	}
	return ""
}

func size(bytes int64) string { return units.HumanSize(float64(bytes)) }
