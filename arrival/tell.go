package arrival

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

// tell brings the room to what is so of a party, the people of one command, and
// forgets a party that has come whole.
func (w *Watch) tell(ctx context.Context, party string, guests []store.Guest) error {
	text, over := w.words(ctx, guests)
	first := guests[0]
	if text != "" && text != first.Told {
		notice, err := w.Room.Tell(ctx, first.Notice, reply.Say(text))
		if err != nil {
			return fmt.Errorf("tell who has come: %w", err)
		}
		if err := w.Records.TellParty(ctx, party, text, notice); err != nil {
			return err
		}
	}
	if len(with(guests, func(g store.Guest) bool { return g.SeenAt.IsZero() })) == 0 {
		if err := w.Records.Vanish(ctx, party); err != nil { // the cards in one file
			return err
		}
	}
	for _, g := range guests {
		if !over && time.Since(g.ShownAt) < patience {
			continue
		}
		if err := w.Records.ForgetGuest(ctx, g.UserID); err != nil {
			return err
		}
	}
	return nil
}

// words are what people are told of a party, "" for nothing yet; over says that
// nothing more will come.
func (w *Watch) words(ctx context.Context, guests []store.Guest) (text string, over bool) {
	joined := with(guests, func(g store.Guest) bool { return !g.JoinedAt.IsZero() })
	seen := with(guests, func(g store.Guest) bool { return !g.SeenAt.IsZero() && g.JoinedAt.IsZero() })
	missing := with(guests, func(g store.Guest) bool { return g.SeenAt.IsZero() })
	late := with(missing, w.late)
	over = len(joined) == len(guests) || len(guests) == 1 && len(late) == 1 && guests[0].Token != ""
	switch {
	case len(joined)+len(seen)+len(late) == 0:
		return "", false
	case len(guests) == 1:
		return w.wordsOf(ctx, guests[0]), over
	}
	text = fmt.Sprintf("%d of %d friends have joined.", len(joined), len(guests))
	if len(seen) > 0 {
		text += " Logged in, but not in every room yet: " + names(seen) + "."
	}
	if len(missing) > 0 {
		text += " Not logged in yet: " + names(missing) + "."
	}
	if len(late) > 0 {
		text += " Their cards are gone from here; !passwd with a name shows a new one."
	}
	return text, over
}

// wordsOf are what people are told of one friend.
func (w *Watch) wordsOf(ctx context.Context, g store.Guest) string {
	name := localpart(g.UserID)
	switch {
	case !g.JoinedAt.IsZero() && len(g.Rooms) > 0:
		return fmt.Sprintf("%s has logged in and is in %s.", name, w.rooms(ctx, g.Rooms))
	case !g.JoinedAt.IsZero():
		return name + " has logged in."
	case !g.SeenAt.IsZero():
		return fmt.Sprintf("%s has logged in, and is not in %s yet.", name, w.rooms(ctx, g.Rooms))
	case g.Token != "":
		return fmt.Sprintf("The token for %s was not used in time and is no good any more. !adduser %s --token makes another.", name, name)
	}
	return fmt.Sprintf("%s has not logged in yet, and the card is gone. !passwd %s shows a new one.", name, name)
}

// late says that somebody has not come while their card stood here, or their
// token was good.
func (w *Watch) late(g store.Guest) bool {
	return time.Since(g.ShownAt) > w.Lifetime && time.Now().After(g.TokenUntil)
}

func (w *Watch) rooms(ctx context.Context, ids []string) string {
	list := make([]string, len(ids))
	for i, id := range ids {
		if list[i] = w.Room.RoomName(ctx, id); list[i] == "" {
			list[i] = id
		}
	}
	return strings.Join(list, ", ")
}

func with(guests []store.Guest, is func(store.Guest) bool) (list []store.Guest) {
	for _, g := range guests {
		if is(g) {
			list = append(list, g)
		}
	}
	return list
}

// mostNames is how many are named in a sentence.
const mostNames = 25

func names(guests []store.Guest) string {
	var list []string
	for _, g := range guests[:min(mostNames, len(guests))] {
		list = append(list, localpart(g.UserID))
	}
	if more := len(guests) - mostNames; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(list, ", "), more)
	}
	return strings.Join(list, ", ")
}

func localpart(userID string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(userID, "@"), ":")
	return name
}
