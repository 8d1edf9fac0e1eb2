package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/crashpoint"
	"github.com/githabideri/fraktalia/homeserver"
	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

func (r *run) removeUserCommand() *cobra.Command {
	var yes, erase bool
	cmd := &cobra.Command{
		Use:   "removeuser NAME... [--erase] [--yes]",
		Short: "takes everything back that somebody was given",
		Long: "Shows first what will go: the account is closed for ever, its sessions end, it leaves every room, its tokens are revoked, and OpenClaw listens to it no more. " +
			"The name stays taken. With --erase its messages are hidden from whoever joins later. Said again after a failure it does the rest.",
		Example: "removeuser alice",
		Aliases: []string{"remove-user"},
		Args:    some("whom, for example alice"),
		Annotations: map[string]string{laneKey: peopleLane,
			interruptedKey: "Say it again: what is done stays done, and I do the rest."},
		RunE: r.does(func(ctx context.Context, r *run, args []string) (reply.Answer, error) {
			return removeUsers(ctx, r, args, erase, yes)
		}),
	}
	cmd.Flags().BoolVar(&erase, "erase", false, "hide their messages from whoever joins later")
	skipsQuestion(cmd, &yes)
	return cmd
}

// leaver is somebody who is to be removed, with all that will go.
type leaver struct {
	user    homeserver.User
	account bool // there is one; else there is a token only
	devices int
	places  []Place // in which they are, or to which they are invited
	guest   store.Guest
	done    []string // what is done
}

func removeUsers(ctx context.Context, r *run, names []string, erase, yes bool) (reply.Answer, error) {
	driver, err := r.Server(ctx)
	if err != nil {
		return reply.Answer{}, peopleProblem(err)
	}
	places, err := r.People.Places(ctx)
	if err != nil {
		return reply.Answer{}, peopleProblem(err)
	}
	var list []*leaver
	var ids []string
	for _, name := range names {
		one, err := r.leaver(ctx, driver, name, places)
		if err != nil {
			return reply.Answer{}, err
		}
		list, ids = append(list, one), append(ids, one.user.ID)
	}
	question, err := r.removalPreview(list, ids, erase)
	if err != nil {
		return reply.Answer{}, err
	}
	if ok, err := r.confirm(ctx, yes, question); err != nil || !ok {
		return reply.Answer{}, errors.Join(err, Sorry("Not done; nothing was changed."))
	}
	return r.removeAll(ctx, driver, list, ids, erase)
}

// leaver finds what belongs to somebody.
func (r *run) leaver(ctx context.Context, driver homeserver.Driver, typed string, places []Place) (*leaver, error) {
	userID, err := r.userID(typed)
	if err != nil {
		return nil, err
	}
	if err := r.spared(userID, "remove"); err != nil {
		return nil, err
	}
	guest, invited, err := r.Records.GuestOf(ctx, userID)
	if err != nil {
		return nil, err
	}
	l := &leaver{guest: guest, account: true}
	l.user, err = r.person(ctx, driver, userID)
	switch {
	case errors.As(err, new(homeserver.ErrNotFound)) && invited:
		l.account, l.user, err = false, homeserver.User{ID: userID}, nil
	case cannot(err): // this server cannot look one up, and may close it all the same
		l.user, err = homeserver.User{ID: userID}, nil
	}
	if err != nil {
		return nil, err
	}
	for _, place := range places {
		if place.Members[userID] != "" {
			l.places = append(l.places, place)
		}
	}
	_, ours, err := r.Records.PersonOf(ctx, userID)
	if err != nil {
		return nil, err
	}
	if l.user.Deactivated && len(l.places) == 0 && !invited && !ours {
		return nil, Sorry("%s is removed already.", userID)
	}
	if l.account && !l.user.Deactivated {
		devices, err := driver.Devices(ctx, userID)
		if err != nil && !notForUs(err) {
			return nil, peopleProblem(err)
		}
		l.devices = len(devices)
	}
	return l, nil
}

// removalPreview shows what will go.
func (r *run) removalPreview(list []*leaver, ids []string, erase bool) (reply.Doc, error) {
	var doc reply.Doc
	var lines reply.List
	for _, l := range list {
		lines.Items = append(lines.Items, l.facts())
	}
	doc = append(doc, lines)
	diff, listed, err := r.plannedExpulsion(openclaw.Expel(ids...))
	if err != nil {
		return nil, err
	}
	if listed {
		doc = append(doc, reply.P("OpenClaw listens to them no more:"), diffBlock(diff))
	}
	sentence := "Remove them?"
	if len(list) == 1 {
		sentence = "Remove " + localpart(ids[0]) + "?"
	}
	sentence += " The account is closed for ever, and its name stays taken: that cannot be undone."
	if erase {
		sentence += " Their messages are hidden from whoever joins later."
	}
	return append(doc, reply.P(sentence)), nil
}

// facts is a leaver in one line.
func (l *leaver) facts() reply.Line {
	var facts []string
	switch {
	case !l.account:
		facts = append(facts, "no account yet")
	case l.user.Deactivated:
		facts = append(facts, "the account is closed")
	default:
		facts = append(facts, fmt.Sprintf("%d %s", l.devices, plural(l.devices, "session", "sessions")), "last seen "+seenText(l.user.LastSeen))
	}
	for _, place := range l.places {
		if place.Members[l.user.ID] == Joined {
			facts = append(facts, "in "+orElse(place.Name, place.ID))
		} else {
			facts = append(facts, "invited to "+orElse(place.Name, place.ID))
		}
	}
	if l.guest.Token != "" {
		facts = append(facts, "the token "+l.guest.Token+"…")
	}
	line := reply.Line{reply.Bold("%s", l.user.ID)}
	if l.user.DisplayName != "" && l.user.DisplayName != localpart(l.user.ID) {
		line = append(line, " (", l.user.DisplayName, ")")
	}
	return append(line, ": ", strings.Join(facts, ", "))
}

// removeAll removes one after another: the lists first, which a later try can
// bring back, and the account last, which nothing does.
func (r *run) removeAll(ctx context.Context, driver homeserver.Driver, list []*leaver, ids []string, erase bool) (reply.Answer, error) {
	ctx, cancel := Outlast(ctx, joinExtra)
	defer cancel()
	listed, err := r.expel(ctx, "removeuser "+shorten(strings.Join(ids, " "), 100), ids...)
	if err != nil {
		return reply.Answer{}, err
	}
	var doc reply.Doc
	var receipt reply.List
	for i, l := range list {
		if len(list) > 1 {
			r.talk.Update(reply.Say(fmt.Sprintf("%d of %d: %s …", i+1, len(list), l.user.ID)))
		}
		err := r.removeOne(ctx, driver, l, erase)
		receipt.Items = append(receipt.Items, reply.Line{reply.Bold("%s", l.user.ID), ": ", orElse(strings.Join(l.done, ", "), "nothing")})
		if err != nil {
			return reply.Answer{}, &Problem{Sentence: "Removing " + l.user.ID + " came to a stop: " + reasonOf(err) + " What is done stays done; say it again for the rest. Done:",
				Detail: append(reply.Doc{receipt}, listed...), Cause: err}
		}
	}
	doc = append(doc, receipt)
	if listed != nil {
		doc = append(append(doc, reply.P("Off OpenClaw's lists:")), listed...)
	}
	return reply.Answer{Doc: doc}, nil
}

func (r *run) removeOne(ctx context.Context, driver homeserver.Driver, l *leaver, erase bool) error {
	if err := l.revoke(ctx, driver); err != nil {
		return err
	}
	for _, place := range l.places {
		if err := r.People.Kick(ctx, place.ID, l.user.ID); err != nil {
			if !errors.As(err, new(*NotAllowed)) {
				return err
			}
			continue // closing the account takes it out
		}
		l.did("out of " + orElse(place.Name, place.ID))
	}
	crashpoint.At("removeuser.kicked")
	if l.account && !l.user.Deactivated {
		if err := l.closeAccount(ctx, driver, erase); err != nil {
			return err
		}
	}
	if l.user.Deactivated {
		l.did("the account was closed before")
	}
	crashpoint.At("removeuser.closed")
	return errors.Join(r.Records.Vanish(ctx, l.user.ID), r.Records.ForgetGuest(ctx, l.user.ID), r.Records.ForgetPerson(ctx, l.user.ID))
}

func (l *leaver) did(what string) { l.done = append(l.done, what) }

// revoke makes the friend's token invalid, where it was not used.
func (l *leaver) revoke(ctx context.Context, driver homeserver.Driver) error {
	if l.guest.Token == "" {
		return nil
	}
	tokens, err := driver.ListTokens(ctx)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(tokens, func(t homeserver.Token) bool { return tokenHandle(t.Token) == l.guest.Token })
	if at < 0 {
		return nil
	}
	if err := driver.RevokeToken(ctx, tokens[at].Token); err != nil {
		return err
	}
	l.did("the token is revoked")
	return nil
}

// closeAccount ends the sessions and closes the account; where the server
// cannot close one, it is left with a password that nobody knows.
func (l *leaver) closeAccount(ctx context.Context, driver homeserver.Driver, erase bool) error {
	if _, err := driver.LogoutUser(ctx, l.user.ID); err == nil && l.devices > 0 {
		l.did(fmt.Sprintf("%d %s ended", l.devices, plural(l.devices, "session", "sessions")))
	} else if err != nil && !notForUs(err) {
		return err
	}
	err := driver.Deactivate(ctx, l.user.ID, erase)
	var none homeserver.ErrUnsupported
	if errors.As(err, &none) {
		if err := driver.ResetPassword(ctx, l.user.ID, homeserver.NewPassword()); err != nil {
			return err
		}
		l.did(none.Error() + ", so it has a password now that nobody knows")
		return nil
	}
	if err != nil {
		return err
	}
	if erase {
		l.did("the account is closed and its messages are hidden from newcomers")
	} else {
		l.did("the account is closed")
	}
	return nil
}
