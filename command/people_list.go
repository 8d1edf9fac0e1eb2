package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/githabideri/fraktalia/crashpoint"
	"github.com/githabideri/fraktalia/homeserver"
	"github.com/githabideri/fraktalia/reply"
)

const (
	// mostFriends is how many are added by one list.
	mostFriends = 200
	// atOnce is how many accounts are made side by side: the homeserver's work
	// is hashing passwords, which keeps a core busy for a third of a second.
	atOnce = 3
)

// list adds the friends of a pasted list. Said again it goes on from where it
// was: who has a card keeps it, everybody else gets one.
func (j *joining) list(ctx context.Context, pasted string) (reply.Answer, error) {
	friends, err := j.readList(pasted)
	if err != nil {
		return reply.Answer{}, err
	}
	todo, done, err := j.remaining(ctx, friends)
	if err != nil {
		return reply.Answer{}, err
	}
	if len(todo) == 0 {
		return reply.Answer{Doc: reply.Say(fmt.Sprintf("All %d have accounts already; nothing was changed.", len(friends)))}, nil
	}
	working, stop := j.talk.Cancelable(ctx)
	made, failures := j.makeAll(working, todo, done)
	stop()
	ctx, cancel := Outlast(ctx, joinExtra)
	defer cancel()
	doc, err := j.handOut(ctx, made)
	if err != nil {
		return reply.Answer{}, err
	}
	return j.listed(friends, done, made, failures, doc)
}

// readList reads the names, and tells everything that is wrong with them at once.
func (j *joining) readList(pasted string) ([]friend, error) {
	var friends []friend
	var wrong []string
	seen := map[string]bool{}
	for line := range strings.Lines(pasted) {
		line = strings.TrimSpace(strings.TrimLeft(strings.TrimSpace(line), "-*•"))
		if line == "" || strings.HasPrefix(line, "```") {
			continue
		}
		typed, shown, _ := strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
		name, err := homeserver.Localpart(strings.TrimRight(typed, ",;"), j.Settings.ServerName)
		switch {
		case err != nil:
			wrong = append(wrong, fmt.Sprintf("%.60q: %s", typed, sentenceOf(accountProblem(err, j.run))))
		case seen[name]:
			wrong = append(wrong, fmt.Sprintf("%.60q is there twice.", name))
		}
		seen[name] = true
		friends = append(friends, friend{name, strings.Trim(strings.TrimSpace(shown), `"`)})
	}
	switch {
	case len(wrong) > 0:
		return nil, &Problem{Sentence: "The list cannot be used as it is; nothing was changed.", Detail: reply.Doc{bullets(wrong)}}
	case len(friends) == 0:
		return nil, Sorry("There is no name in that list: put one on each line below the command.")
	case len(friends) > mostFriends:
		return nil, Sorry("That list has %d names, and %d is the most at once. Cut it in two; nothing was changed.", len(friends), mostFriends)
	}
	return friends, nil
}

// mostBullets is how many mistakes are told one by one.
const mostBullets = 20

func bullets(lines []string) reply.List {
	var list reply.List
	for i, line := range lines {
		if i == mostBullets {
			list.Items = append(list.Items, reply.Line{fmt.Sprintf("… and %d more", len(lines)-i)})
			break
		}
		list.Items = append(list.Items, reply.Line{line})
	}
	return list
}

// remaining are those of a list who have no card yet; done is how many have. A
// name that somebody else has is told, before anything is changed.
func (j *joining) remaining(ctx context.Context, friends []friend) (todo []friend, done int, err error) {
	taken := map[string]bool{}
	users, err := j.driver.Users(ctx)
	if err != nil && !notForUs(err) {
		return nil, 0, peopleProblem(err)
	}
	for _, user := range users {
		taken[user.ID] = true
	}
	var wrong []string
	for _, f := range friends {
		userID := "@" + f.name + ":" + j.Settings.ServerName
		guest, begun, err := j.Records.GuestOf(ctx, userID)
		if err != nil {
			return nil, 0, err
		}
		_, ours, err := j.Records.PersonOf(ctx, userID)
		switch {
		case err != nil:
			return nil, 0, err
		case begun && guest.ShownAt.IsZero():
			todo = append(todo, f)
		case ours || begun:
			done++
		case taken[userID]:
			wrong = append(wrong, userID+" exists already, and not by me. Choose another name.")
		default:
			todo = append(todo, f)
		}
	}
	if len(wrong) > 0 {
		return nil, 0, &Problem{Sentence: "The list cannot be used as it is; nothing was changed.", Detail: reply.Doc{bullets(wrong)}}
	}
	return todo, done, nil
}

// makeAll makes the accounts and invites, several side by side, and shows how
// far it is. One who fails does not hold up the others; a homeserver that does
// not answer does.
func (j *joining) makeAll(ctx context.Context, todo []friend, done int) (made []card, failures []string) {
	var mu sync.Mutex
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var making errgroup.Group
	making.SetLimit(atOnce)
	for _, f := range todo {
		making.Go(func() error {
			if ctx.Err() != nil {
				return nil
			}
			c, err := j.makeOne(ctx, f)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failures = append(failures, f.name+": "+sentenceOf(err))
				if isAway(err) {
					stop()
				}
				return nil
			}
			made = append(made, c)
			j.talk.Update(reply.Say(fmt.Sprintf("%d of %d have accounts; %s is in.", done+len(made), done+len(todo), f.name)))
			crashpoint.At(fmt.Sprintf("adduser.listed-%d", len(made)))
			return nil
		})
	}
	_ = making.Wait() // none of them fails
	return made, failures
}

// makeOne makes one account of a list and invites.
func (j *joining) makeOne(ctx context.Context, f friend) (card, error) {
	var undo steps
	c, err := j.makeAccount(ctx, f, &undo)
	if err != nil {
		return card{}, err
	}
	ctx, cancel := Outlast(ctx, joinExtra)
	defer cancel()
	if err := j.invite(ctx, c.User, &undo); err != nil {
		return card{}, undo.failed(ctx, err, "")
	}
	return c, nil
}

// handOut puts all of them on OpenClaw's lists, in one change, and gives out
// the cards as one file.
func (j *joining) handOut(ctx context.Context, made []card) (reply.Doc, error) {
	if len(made) == 0 {
		return nil, nil
	}
	users := make([]string, len(made))
	for i, c := range made {
		users[i] = c.User
	}
	admitted, err := j.admit(ctx, fmt.Sprintf("adduser, a list of %d", len(made)), new(steps), users...)
	doc := admitted.Doc
	if err != nil { // the accounts are good without it
		doc = reply.Doc{reply.P(sentenceOf(err))}
	}
	file, err := cardsFile(made)
	if err != nil {
		return nil, err
	}
	if err := j.talk.Confide(ctx, Confidence{Files: []reply.File{file}, Lifetime: j.Settings.CardLifetime, Subject: j.request.Ref,
		Doc: reply.Say(fmt.Sprintf("The cards of %d friends are in the file: open it, print it, or send each their own; ", len(made)), j.ending("when all have logged in, ")),
	}); err != nil {
		return nil, Because(err, "The accounts are made, but their cards could not be shown, so nobody has the passwords. Paste the same list again: everybody in it gets a new one.")
	}
	crashpoint.At("adduser.handed")
	return doc, j.Records.ShowGuests(ctx, users, time.Now())
}

// listed tells how it went.
func (j *joining) listed(friends []friend, done int, made []card, failures []string, doc reply.Doc) (reply.Answer, error) {
	names := make([]string, len(made))
	for i, c := range made {
		names[i] = localpart(c.User)
	}
	sentence := fmt.Sprintf("%d of %d friends have accounts", done+len(made), len(friends))
	if done > 0 {
		sentence += fmt.Sprintf(", %d of them from before", done)
	}
	if len(failures) > 0 || done+len(made) < len(friends) {
		left := len(friends) - done - len(made)
		return reply.Answer{}, &Problem{Sentence: fmt.Sprintf("%s. %d %s missing: paste the same list again, and I go on from there.", sentence, left, plural(left, "is", "are")),
			Detail: append(doc, bullets(failures)), Cause: errors.New(strings.Join(failures, "; "))}
	}
	undo := ""
	if len(names) > 0 {
		undo = "removeuser " + strings.Join(names, " ")
	}
	return reply.Answer{Doc: append(reply.Doc{reply.P(sentence + ".")}, doc...), Undo: undo}, nil
}
