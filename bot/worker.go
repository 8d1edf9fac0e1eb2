package bot

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/crashpoint"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

const (
	seenMark   = "👀"
	doneMark   = "✅"
	failedMark = "❌"
	// oldAfter is the age at which a command is not run without asking.
	oldAfter = 10 * time.Minute
	// quickAtOnce bounds the commands that only read.
	quickAtOnce = 8
)

// worker runs the journal's rows: those of one lane one after another, in the
// order in which they came; those that only read, at once.
type worker struct {
	bot      *Bot
	commands *command.Commands
	quick    chan struct{}

	mu    sync.Mutex
	ctx   context.Context // of start; nil before, and tasks are dropped
	lanes map[string][]store.Command
	tasks sync.WaitGroup
}

func newWorker(b *Bot) *worker {
	return &worker{bot: b, quick: make(chan struct{}, quickAtOnce), lanes: map[string][]store.Command{}}
}

// start settles what an earlier run of the program left open. It returns
// before anything fresh may be taken, so that no row is met twice.
func (w *worker) start(ctx context.Context, commands *command.Commands) error {
	open, err := w.bot.Store.OpenCommands(ctx)
	if err != nil {
		return fmt.Errorf("read the journal: %w", err)
	}
	w.mu.Lock()
	w.ctx, w.commands = ctx, commands
	w.mu.Unlock()
	for _, row := range open {
		w.resume(ctx, row)
	}
	return nil
}

// wait returns when every task has ended.
func (w *worker) wait() { w.tasks.Wait() }

// resume takes up a row of an earlier run of the program.
func (w *worker) resume(ctx context.Context, row store.Command) {
	switch {
	case !fromRoom(row):
		w.after(func(ctx context.Context) { w.bot.giveUp(ctx, row) })
	case row.State == store.New:
		w.requeue(ctx, row)
	case row.State == store.Running:
		w.after(func(ctx context.Context) { w.bot.reportInterrupted(ctx, row) })
	default:
		w.after(func(ctx context.Context) { w.bot.answerLate(ctx, row) })
	}
}

// requeue takes up a row that was not begun, unless its marks say otherwise:
// then the database is a copy from the moment before.
func (w *worker) requeue(ctx context.Context, row store.Command) {
	ended := false
	err := w.bot.patiently(ctx, "look for marks", func() (err error) {
		ended, err = w.bot.marked(ctx, id.RoomID(row.RoomID), target(row), doneMark, failedMark)
		return err
	})
	if err != nil && ctx.Err() != nil {
		return
	}
	if err != nil || ended {
		w.bot.logRow(row).WithError(err).Warn("not run: it has run before, or nobody can tell")
		w.bot.giveUp(ctx, row)
		return
	}
	w.queue(row)
}

// take queues fresh rows.
func (w *worker) take(rows []store.Command) {
	for _, row := range rows {
		w.queue(row)
	}
}

// after runs a small task beside the commands.
func (w *worker) after(task func(ctx context.Context)) {
	w.mu.Lock()
	ctx := w.ctx
	w.mu.Unlock()
	if ctx == nil || ctx.Err() != nil {
		return
	}
	w.tasks.Go(func() { task(ctx) })
}

func (w *worker) queue(row store.Command) {
	lane, quick := w.commands.Lane(words(row.Line))
	if quick {
		w.after(func(ctx context.Context) { w.atOnce(ctx, row) })
		return
	}
	if lane == "" {
		w.after(func(ctx context.Context) { w.perform(ctx, row, false, alone) })
		return
	}
	w.mu.Lock()
	busy := len(w.lanes[lane]) > 0
	w.lanes[lane] = append(w.lanes[lane], row)
	w.mu.Unlock()
	if !busy {
		w.after(func(ctx context.Context) { w.drain(ctx, lane) })
	}
}

// alone is for a command that nobody waits for.
func alone() {}

// drain runs a lane until it is empty. The row that runs stays at its head,
// until it has ended or waits for a person: then the next one is begun.
func (w *worker) drain(ctx context.Context, lane string) {
	for {
		w.mu.Lock()
		if len(w.lanes[lane]) == 0 {
			w.mu.Unlock()
			return
		}
		row := w.lanes[lane][0]
		w.mu.Unlock()
		next := make(chan struct{})
		letOthersRun := sync.OnceFunc(func() { close(next) })
		w.tasks.Go(func() {
			defer letOthersRun()
			w.perform(ctx, row, false, letOthersRun)
		})
		<-next
		w.mu.Lock()
		w.lanes[lane] = w.lanes[lane][1:]
		w.mu.Unlock()
	}
}

func (w *worker) atOnce(ctx context.Context, row store.Command) {
	if time.Since(row.SentAt) > oldAfter { // it may wait for an answer: not in one of the few places
		w.perform(ctx, row, true, alone)
		return
	}
	select {
	case w.quick <- struct{}{}:
		defer func() { <-w.quick }()
		w.perform(ctx, row, true, alone)
	case <-ctx.Done():
	}
}

// perform runs one row, exactly once. The mark 👀 must be on the server before
// anything is changed: it is what tells a restored database that the command
// has run. What only reads is answered first, and marked after.
func (w *worker) perform(ctx context.Context, row store.Command, quick bool, letOthersRun func()) {
	longer, cancel := command.Outlast(ctx, stopLimit)
	defer cancel()
	talk := newTalk(longer, w.bot, row)
	role, _ := w.bot.roleIn(ctx, talk.room, id.UserID(row.Sender))
	if role == command.Nobody {
		w.bot.logRow(row).Info("not obeyed: the sender may not command any more")
		w.bot.giveUp(ctx, row)
		return
	}
	if ctx.Err() != nil || (time.Since(row.SentAt) > oldAfter && !w.stillWanted(ctx, talk, role)) {
		return
	}
	if !quick {
		if w.markSeen(ctx, talk) != nil {
			return // stopping: the row is still new
		}
		crashpoint.At("journal.seen")
	}
	talk.letOthersRun = letOthersRun // from here on: old commands are asked about one after another
	began, err := w.bot.Store.BeginCommand(ctx, row.ID)
	if err != nil || !began {
		w.bot.logRow(row).WithError(err).Warn("not begun")
		return
	}
	crashpoint.At("journal.begun")
	answer, err := w.do(ctx, row, talk)
	crashpoint.At("command.done")
	w.finish(longer, talk, answer, err)
}

// markSeen puts 👀 on what is about to be run: the line itself, or the proposal
// that an owner has approved.
func (w *worker) markSeen(ctx context.Context, talk *talk) error {
	p, err := w.bot.proposalOf(ctx, talk.row)
	if err != nil {
		return err
	}
	if p.MessageID != "" {
		return w.bot.mark(ctx, w.bot.places.admin(), id.EventID(p.MessageID), seenMark)
	}
	return w.bot.mark(ctx, talk.room, talk.evt, seenMark)
}

// finish writes the outcome before it shows it: killed in between, the answer
// is given after the restart. While the program runs it waits for a homeserver
// that is away as long as that takes.
func (w *worker) finish(ctx context.Context, talk *talk, answer reply.Answer, err error) {
	row, doc, mark, state := talk.row, answer.Doc, doneMark, store.Done
	if err != nil {
		doc, mark, state = w.bot.worded(row, err), failedMark, store.Failed
	}
	if answer.Unwell {
		mark = failedMark
	}
	if answer.Waits {
		mark = waitsMark
	}
	if err := w.bot.close(ctx, row, state, command.RecordedOutcome(doc, answer, err), answer.Undo); err != nil {
		w.bot.logRow(row).WithError(err).Error("cannot write the journal")
	}
	crashpoint.At("journal.ended")
	if err := talk.end(ctx, doc); err != nil {
		if ctx.Err() != nil {
			return // not delivered: given after the restart
		}
		w.bot.logRow(row).WithError(err).Error("the homeserver refused the answer")
	}
	if w.bot.mark(ctx, talk.room, talk.evt, seenMark) != nil || w.bot.mark(ctx, talk.room, talk.evt, mark) != nil {
		return
	}
	if row.Proposal != 0 {
		w.bot.unmark(ctx, talk.room, talk.evt, waitsMark)
	}
	w.bot.answered(ctx, row)
}

// do runs the command behind a row.
func (w *worker) do(ctx context.Context, row store.Command, talk *talk) (reply.Answer, error) {
	args, err := command.Split(row.Line[1:])
	if err != nil {
		return reply.Answer{}, err
	}
	request := w.bot.request(ctx, row, args)
	if request.Role == command.Owner {
		return w.commands.Do(ctx, request, talk)
	}
	p, err := w.bot.proposalOf(ctx, row)
	if err != nil {
		return reply.Answer{}, err
	}
	answer, err := w.commands.Do(ctx, request, newAside(talk, p.MessageID))
	if err == nil && len(answer.Doc) == 0 {
		answer.Doc = reply.Say("Done. The owners have what they need to pass on; it is not for this room.")
	}
	return answer, err
}

// stillWanted asks an owner about a command that waited too long to be run
// unasked. Others may say it again.
func (w *worker) stillWanted(ctx context.Context, talk *talk, role command.Role) bool {
	if role != command.Owner {
		w.finish(ctx, talk, reply.Answer{}, &command.Problem{Sentence: "Not run: it had waited too long. Say it again."})
		return false
	}
	yes, err := talk.Ask(ctx, oldNotice(talk.row))
	if ctx.Err() != nil {
		return false // stopping: asked again after the restart
	}
	if yes {
		return true
	}
	if err != nil {
		w.bot.logRow(talk.row).WithError(err).Warn("cannot ask about an old command")
	}
	w.finish(ctx, talk, reply.Answer{}, &command.Problem{Sentence: "Not run: it had waited too long."})
	return false
}

// worded turns an error into what people read: the sentence of a Problem, or
// a reference into the log.
func (b *Bot) worded(row store.Command, err error) reply.Doc {
	var problem *command.Problem
	var refused *command.Refused
	switch {
	case errors.As(err, &refused):
		return nil // silence: who is refused by it has been told before
	case errors.As(err, &problem):
		if problem.Cause != nil {
			b.logRow(row).WithError(problem.Cause).Warn("command failed")
		}
		return append(sentences(problem.Sentence), problem.Detail...)
	case errors.Is(err, context.Canceled):
		return reply.Say("Stopped; it did not finish.")
	}
	b.logRow(row).WithError(err).Error("command failed with an internal error")
	return reply.Say("Internal error, ref ", reply.Mono("%s", row.EventID), ". The log has more.")
}

// words are a line's words, or none where they cannot be told apart.
func words(line string) []string {
	args, err := command.Split(line[1:])
	if err != nil {
		return nil
	}
	return args
}
