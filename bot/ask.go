package bot

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/reply"
)

// Ask implements command.Conversation: a message of its own with ✅ and ❌
// under it, and an owner's click on either.
func (t *talk) Ask(ctx context.Context, question reply.Doc) (bool, error) {
	key, err := t.ask(ctx, question, doneMark, failedMark)
	return key == doneMark, err
}

// Choose implements command.Conversation: the answers stand in the message
// behind 1️⃣, 2️⃣ and so on, and the same marks under it.
func (t *talk) Choose(ctx context.Context, question reply.Doc, answers []reply.Line) (int, error) {
	keys := make([]string, len(answers))
	list := reply.Lines{}
	for i, answer := range answers {
		keys[i] = keycap(i + 1)
		list.Items = append(list.Items, reply.Line{keys[i], " ", answer})
	}
	key, err := t.ask(ctx, append(slices.Clone(question), list), keys...)
	return slices.Index(keys, key), err
}

// keycap is the emoji of a digit: the digit, the wish to see it as an emoji,
// and the frame of a key.
func keycap(digit int) string { return fmt.Sprintf("%d\ufe0f\u20e3", digit) }

// ask puts a question with keys under it, and returns the one that an owner
// clicks; "" when nobody did in time. While it waits, the room's next commands
// are begun: an owner may answer by typing something better.
func (t *talk) ask(ctx context.Context, question reply.Doc, keys ...string) (string, error) {
	sent, err := t.bot.reply(ctx, t.room, t.evt, question, t.part("question"))
	if err != nil {
		return "", err
	}
	clicked := make(chan string, 1)
	t.bot.clicks.await(sent, clicked, keys...)
	defer t.bot.clicks.forget(sent)
	t.letOthersRun()
	for _, key := range keys {
		if err := t.bot.mark(ctx, t.room, sent, key); err != nil {
			return "", err
		}
	}
	key := ""
	select {
	case key = <-clicked:
	case <-time.After(askLimit):
	case <-ctx.Done(): // nobody needs an answer any more
		err = ctx.Err()
	}
	t.bot.work.after(func(ctx context.Context) { t.bot.unmarkAll(ctx, t.room, sent, others(keys, key)) })
	return key, err
}

// others are the answers that were not given: they are taken away, so that the
// question shows what was said.
func others(keys []string, given string) []string {
	return slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return key == given })
}

func (b *Bot) unmarkAll(ctx context.Context, room id.RoomID, evt id.EventID, keys []string) {
	for _, key := range keys {
		b.unmark(ctx, room, evt, key)
	}
}

// bare is a reaction without the wish to see it as an emoji, which some
// clients leave out.
func bare(key string) string { return strings.ReplaceAll(key, "\ufe0f", "") }
