package shell

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/reply"
)

// progressEvery is the least time between two lines of progress.
const progressEvery = 200 * time.Millisecond

// askLimit is how long a question waits for its answer: other commands may be
// waiting for this one.
const askLimit = 10 * time.Minute

// fileLimit is how long a shell may take to write a file.
const fileLimit = time.Minute

// maxFile is the largest file that is handed over, in bytes.
const maxFile = 256 << 20

// talk is the conversation with one shell. It implements command.Conversation.
type talk struct {
	out     *lines
	answers chan answer
	fates   chan fate

	mu   sync.Mutex
	last time.Time
}

// listen reads the shell's answers; its end is the wish to stop.
func (t *talk) listen(in *bufio.Reader, cancel context.CancelFunc) {
	defer cancel()
	for {
		var said answer
		if readLine(in, &said) != nil {
			return
		}
		if said.File != "" {
			select {
			case t.fates <- said.File:
			default:
			}
			continue
		}
		select {
		case t.answers <- said:
		default:
		}
	}
}

// Update implements command.Conversation.
func (t *talk) Update(doc reply.Doc) {
	if t.due() {
		_ = t.out.write(message{Kind: progressKind, Text: doc.Text()}) // a shell that left cancels by itself
	}
}

// due says whether it is time for another line of progress.
func (t *talk) due() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.last) < progressEvery {
		return false
	}
	t.last = time.Now()
	return true
}

// Ask implements command.Conversation.
func (t *talk) Ask(ctx context.Context, question reply.Doc) (bool, error) {
	given, err := t.ask(ctx, message{Kind: askKind, Text: question.Text()})
	return given.Yes, err
}

// Choose implements command.Conversation: the answers are numbered.
func (t *talk) Choose(ctx context.Context, question reply.Doc, answers []reply.Line) (int, error) {
	list := reply.Lines{}
	for i, answer := range answers {
		list.Items = append(list.Items, reply.Line{fmt.Sprintf("%d  ", i+1), answer})
	}
	text := append(slices.Clone(question), list).Text()
	given, err := t.ask(ctx, message{Kind: chooseKind, Text: text, Choices: len(answers)})
	if given.Choice < 1 || given.Choice > len(answers) {
		return -1, err
	}
	return given.Choice - 1, err
}

// ask sends a question and waits for what the shell says; nothing is the zero
// answer.
func (t *talk) ask(ctx context.Context, question message) (answer, error) {
	select {
	case <-t.answers: // came too late for an earlier question
	default:
	}
	if err := t.out.write(question); err != nil {
		return answer{}, fmt.Errorf("ask the shell: %w", err)
	}
	select {
	case given := <-t.answers:
		return given, nil
	case <-time.After(askLimit):
		return answer{}, nil
	case <-ctx.Done():
		return answer{}, ctx.Err()
	}
}

// Cancelable implements command.Conversation: Ctrl-C ends the connection, and
// that ends ctx.
func (t *talk) Cancelable(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}

// Attach implements command.Conversation. It fails where the file could not be
// written: passwords that are only in it would be lost, and said to be handed
// over.
func (t *talk) Attach(ctx context.Context, file reply.File) error {
	data, err := io.ReadAll(io.LimitReader(file.Body, maxFile))
	if err != nil {
		return fmt.Errorf("read %s: %w", file.Name, err)
	}
	select {
	case <-t.fates: // came too late for an earlier file
	default:
	}
	if err := t.out.write(message{Kind: fileKind, Name: file.Name, Data: data}); err != nil {
		return fmt.Errorf("hand over %s: %w", file.Name, err)
	}
	select {
	case became := <-t.fates:
		if became != kept {
			return fmt.Errorf("the shell could not write %s", file.Name)
		}
		return nil
	case <-time.After(fileLimit):
		return fmt.Errorf("the shell does not say what became of %s", file.Name)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Confide implements command.Conversation. A terminal cannot forget, and shows
// no pictures.
func (t *talk) Confide(ctx context.Context, secret command.Confidence) error {
	for _, file := range secret.Files {
		if file.IsPicture() {
			continue
		}
		if err := t.Attach(ctx, file); err != nil {
			return err
		}
	}
	if len(secret.Doc) == 0 {
		return nil
	}
	return t.out.write(message{Kind: secretKind, Text: secret.Doc.Text()})
}
