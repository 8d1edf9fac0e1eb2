package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/githabideri/fraktalia/crashpoint"
	"github.com/githabideri/fraktalia/homeserver"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

// joining gives people access as one act: the account or token, invitations,
// OpenClaw's lists, the record, the card. What was done is taken back where a
// later step fails.
type joining struct {
	*run
	driver homeserver.Driver
	rooms  []Place
	token  bool
	valid  time.Duration
}

// What follows a registration goes on for a while after the program or the
// person has stopped it: half an access helps nobody.
const (
	joinExtra = 4 * time.Second
	// joinLimit is how long one step may take.
	joinLimit = 20 * time.Second
)

// one adds one friend.
func (j *joining) one(ctx context.Context, f friend) (reply.Answer, error) {
	var undo steps
	made, err := j.makeAccount(ctx, f, &undo)
	if err != nil {
		return reply.Answer{}, err
	}
	ctx, cancel := Outlast(ctx, joinExtra)
	defer cancel()
	listed, err := j.letIn(ctx, made, &undo)
	if err != nil {
		return reply.Answer{}, undo.failed(ctx, err, j.resumable(made.User))
	}
	secret, err := j.confidence(made)
	if err == nil {
		err = j.talk.Confide(ctx, secret)
	}
	if err != nil {
		return reply.Answer{}, undo.failed(ctx, Because(err, "The joining card could not be shown."), j.resumable(made.User))
	}
	if err := j.Records.ShowGuests(ctx, []string{made.User}, time.Now()); err != nil {
		return reply.Answer{}, err
	}
	return reply.Answer{Doc: listed, Undo: "removeuser " + localpart(made.User)}, nil
}

// resumable says what becomes of an account whose card was not shown.
func (j *joining) resumable(userID string) string {
	again := fmt.Sprintf("Say %sadduser %s again when that is mended", prompt(j.request), localpart(userID))
	if j.token {
		return again + "."
	}
	return again + ": I go on with the same account, of which nobody has the password. Its name stays taken, since homeservers give no name twice."
}

// makeAccount makes the account or the token. It is written down before: a
// program that is killed here knows the account for its own when it is asked
// again, and nobody has seen a password by then.
func (j *joining) makeAccount(ctx context.Context, f friend, undo *steps) (card, error) {
	userID := "@" + f.name + ":" + j.Settings.ServerName
	found, err := j.look(ctx, userID)
	if err != nil {
		return card{}, err
	}
	guest := store.Guest{UserID: userID, Party: j.request.Ref, AddedBy: j.request.Sender, BegunAt: time.Now(), Rooms: ids(j.rooms)}
	if err := j.begin(ctx, guest, found); err != nil {
		return card{}, err
	}
	if j.token {
		return j.makeToken(ctx, guest, undo)
	}
	made := card{Address: j.Settings.Address(ctx), User: userID, Password: homeserver.NewPassword()}
	if err := j.register(ctx, f, made, found); err != nil {
		return card{}, j.notMade(ctx, userID, found, err)
	}
	crashpoint.At("adduser.registered")
	undo.add("the account", func(ctx context.Context) error {
		err := j.driver.SetLocked(ctx, userID, true)
		if notForUs(err) {
			return nil // nobody has its password
		}
		return err
	})
	longer, cancel := Outlast(ctx, joinExtra)
	defer cancel()
	if err := j.Records.SavePerson(longer, store.Person{UserID: userID, AddedBy: guest.AddedBy, AddedAt: time.Now()}); err != nil {
		return card{}, undo.failed(ctx, err, j.resumable(userID))
	}
	undo.add("", func(ctx context.Context) error { return j.Records.ForgetPerson(ctx, userID) })
	return made, nil
}

// begin writes down who is to be added. Who was begun earlier keeps the time of
// the first try, by which the account is known for our own.
func (j *joining) begin(ctx context.Context, guest store.Guest, found known) error {
	if before, ok, err := j.Records.GuestOf(ctx, guest.UserID); err != nil {
		return err
	} else if ok && found.exists {
		guest.BegunAt = before.BegunAt
	}
	return j.Records.SaveGuest(ctx, guest)
}

// register makes the account, or gives the one of an earlier try that nobody
// has ever used a new password.
func (j *joining) register(ctx context.Context, f friend, c card, found known) error {
	if !found.exists {
		_, err := j.driver.Register(ctx, homeserver.Account{Localpart: f.name, Password: c.Password, DisplayName: f.shown})
		return err
	}
	if found.locked {
		if err := j.driver.SetLocked(ctx, c.User, false); err != nil {
			return err
		}
	}
	return j.driver.ResetPassword(ctx, c.User, c.Password)
}

// notMade words that the account was not made. Where the homeserver did not
// answer it may be there all the same: then it stays written down as begun.
func (j *joining) notMade(ctx context.Context, userID string, found known, err error) error {
	if isAway(err) || ctx.Err() != nil {
		return Because(err, "The homeserver did not answer while I made the account %s, so I cannot tell whether it is there. Nobody has its password. Say it again when the homeserver is back: I go on from there.", userID)
	}
	if !found.guest {
		ctx, cancel := Outlast(ctx, joinExtra)
		defer cancel()
		if err := j.Records.ForgetGuest(ctx, userID); err != nil {
			return err
		}
	}
	return accountProblem(err, j.run)
}

// makeToken makes a registration token for one account.
func (j *joining) makeToken(ctx context.Context, guest store.Guest, undo *steps) (card, error) {
	forget := func(ctx context.Context) error { return j.Records.ForgetGuest(ctx, guest.UserID) }
	if err := j.tokensCount(ctx); err != nil {
		return card{}, errors.Join(err, forget(ctx))
	}
	until := time.Now().Add(j.valid)
	token, err := j.driver.NewToken(ctx, homeserver.Terms{Uses: 1, Expires: until})
	if err != nil {
		return card{}, errors.Join(peopleProblem(err), forget(context.WithoutCancel(ctx)))
	}
	crashpoint.At("adduser.registered")
	undo.add("the token", func(ctx context.Context) error { return j.driver.RevokeToken(ctx, token.Token) })
	undo.add("", forget)
	guest.Token, guest.TokenUntil = tokenHandle(token.Token), until
	if err := j.Records.SaveGuest(ctx, guest); err != nil {
		return card{}, undo.failed(ctx, err, j.resumable(guest.UserID))
	}
	return card{Address: j.Settings.Address(ctx), User: guest.UserID, Token: token.Token, Until: until}, nil
}

// letIn invites, and puts the friend on OpenClaw's lists.
func (j *joining) letIn(ctx context.Context, made card, undo *steps) (reply.Doc, error) {
	if err := j.invite(ctx, made.User, undo); err != nil {
		return nil, err
	}
	crashpoint.At("adduser.invited")
	admitted, err := j.admit(ctx, "adduser "+localpart(made.User), undo, made.User)
	return admitted.Doc, err
}

// invite invites to all rooms at once.
func (j *joining) invite(ctx context.Context, userID string, undo *steps) error {
	ctx, cancel := context.WithTimeout(ctx, joinLimit)
	defer cancel()
	failed := make([]error, len(j.rooms))
	var inviting errgroup.Group
	for i, room := range j.rooms {
		inviting.Go(func() error { failed[i] = j.People.Invite(ctx, room.ID, userID); return nil })
	}
	_ = inviting.Wait() // none of them fails
	var first error
	for i, room := range j.rooms {
		if failed[i] == nil || isAway(failed[i]) { // one that did not answer may be done
			undo.add("the invitation to "+room.Name, func(ctx context.Context) error { return j.People.Kick(ctx, room.ID, userID) })
		}
		if failed[i] != nil && first == nil {
			first = Because(failed[i], "Inviting %s to %s failed: %s", userID, room.Name, reasonOf(failed[i]))
		}
	}
	return first
}

// reasonOf is why a step of a whole failed.
func reasonOf(err error) string {
	if isAway(err) {
		return "the homeserver does not answer."
	}
	return sentenceOf(peopleProblem(err))
}

// sentenceOf is what people read of an error.
func sentenceOf(err error) string {
	var problem *Problem
	if errors.As(err, &problem) {
		return problem.Sentence
	}
	return "the log says why."
}

func ids(rooms []Place) []string {
	list := make([]string, len(rooms))
	for i, room := range rooms {
		list[i] = room.ID
	}
	return list
}

// steps are what was done of a whole, with what takes each back.
type steps []step

type step struct {
	// told names what is taken back; "" where nobody need hear of it.
	told string
	back func(context.Context) error
}

func (s *steps) add(told string, back func(context.Context) error) { *s = append(*s, step{told, back}) }

// failed takes all steps back, the last first, and says what could be and what
// could not.
func (s *steps) failed(ctx context.Context, cause error, next string) error {
	ctx, cancel := Outlast(ctx, joinExtra)
	defer cancel()
	var back, left []string
	causes := []error{cause}
	for i := len(*s) - 1; i >= 0; i-- {
		limited, stop := context.WithTimeout(ctx, joinLimit)
		err := (*s)[i].back(limited)
		stop()
		told := (*s)[i].told
		switch {
		case err != nil:
			causes = append(causes, err)
			if told != "" {
				left = append(left, told)
			}
		case told != "":
			back = append(back, told)
		}
	}
	sentence := sentenceOf(cause)
	if len(back) > 0 {
		sentence += " Taken back: " + strings.Join(back, ", ") + "."
	}
	if len(left) > 0 {
		sentence += " Taking back failed, too, for " + strings.Join(left, ", ") + "."
	}
	return &Problem{Sentence: strings.TrimSpace(sentence + " " + next), Cause: errors.Join(causes...)}
}
