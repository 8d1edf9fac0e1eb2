package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/homeserver"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

func (r *run) stateCommands() []*cobra.Command {
	one := func(use, short, long string, do func(context.Context, *run, homeserver.Driver, homeserver.User) (reply.Answer, error)) *cobra.Command {
		name, _, _ := strings.Cut(use, " ")
		return &cobra.Command{Use: use, Short: short, Long: long, Example: name + " alice", Args: exactly(1, "whom, for example alice"),
			Annotations: map[string]string{laneKey: peopleLane},
			RunE: r.does(func(ctx context.Context, r *run, args []string) (reply.Answer, error) {
				driver, user, err := r.subject(ctx, args[0], name)
				if err != nil {
					return reply.Answer{}, err
				}
				return do(ctx, r, driver, user)
			})}
	}
	var logoutYes, passwdYes bool
	passwd := one("passwd NAME [--yes]", "gives somebody a new first password, on a card", "Their sessions end. An owner's password is set in the machine's own shell only.",
		func(ctx context.Context, r *run, driver homeserver.Driver, user homeserver.User) (reply.Answer, error) {
			return newPassword(ctx, r, driver, user, passwdYes)
		})
	skipsQuestion(passwd, &passwdYes)
	passwd.Annotations[interruptedKey] = "If no card stands here, say it again: the old password may not work any more."
	logout := one("logout NAME [--yes]", "ends all sessions of somebody, who may log in again", "",
		func(ctx context.Context, r *run, driver homeserver.Driver, user homeserver.User) (reply.Answer, error) {
			return logOut(ctx, r, driver, user, logoutYes)
		})
	skipsQuestion(logout, &logoutYes)
	return []*cobra.Command{
		one("lock NAME", "shuts an account, until unlock", "The sessions stay for then, but can do nothing.", lock),
		one("unlock NAME", "opens an account that was locked", "", unlock),
		passwd, logout,
	}
}

// subject finds the account that a command is about, and refuses what would
// take the deployment from its owners.
func (r *run) subject(ctx context.Context, typed, verb string) (homeserver.Driver, homeserver.User, error) {
	userID, err := r.userID(typed)
	if err != nil {
		return nil, homeserver.User{}, err
	}
	words := map[string]string{"passwd": "set a password for", "logout": "log out"}
	ownersShell := verb == "passwd" && r.request.Shell && slices.Contains(r.Settings.Owners, userID)
	if err := r.spared(userID, orElse(words[verb], verb)); err != nil && verb != "unlock" && !ownersShell {
		return nil, homeserver.User{}, err
	}
	driver, err := r.Server(ctx)
	if err != nil {
		return nil, homeserver.User{}, peopleProblem(err)
	}
	user, err := r.person(ctx, driver, userID)
	switch {
	case cannot(err): // this server cannot look one up, and may do the rest all the same
		return driver, homeserver.User{ID: userID, Locked: verb == "unlock"}, nil
	case err == nil && user.Deactivated:
		err = Sorry("%s is removed, for ever.", userID)
	}
	return driver, user, err
}

func lock(ctx context.Context, r *run, driver homeserver.Driver, user homeserver.User) (reply.Answer, error) {
	if user.Locked {
		return reply.Answer{Doc: reply.Sayf("%s is locked already.", user.ID)}, nil
	}
	if err := driver.SetLocked(ctx, user.ID, true); err != nil {
		return reply.Answer{}, peopleProblem(err)
	}
	return reply.Answer{Doc: reply.Say(user.ID, " is locked; ", reply.Mono("%sunlock %s", prompt(r.request), localpart(user.ID)), " opens it."), Undo: "unlock " + localpart(user.ID)}, nil
}

func unlock(ctx context.Context, _ *run, driver homeserver.Driver, user homeserver.User) (reply.Answer, error) {
	if !user.Locked {
		return reply.Answer{Doc: reply.Sayf("%s is not locked.", user.ID)}, nil
	}
	if err := driver.SetLocked(ctx, user.ID, false); err != nil {
		return reply.Answer{}, peopleProblem(err)
	}
	return reply.Answer{Doc: reply.Sayf("%s is open again.", user.ID), Undo: "lock " + localpart(user.ID)}, nil
}

// askSessions asks before sessions end; nobody is asked about none.
func (r *run) askSessions(ctx context.Context, driver homeserver.Driver, user homeserver.User, yes bool, what string) error {
	devices, err := driver.Devices(ctx, user.ID)
	if err != nil && !notForUs(err) {
		return peopleProblem(err)
	}
	if len(devices) == 0 {
		return nil
	}
	var lines reply.List
	for _, d := range devices {
		lines.Items = append(lines.Items, reply.Line{orElse(d.Name, d.ID), ", last seen ", seenText(d.LastSeen)})
	}
	ok, err := r.confirm(ctx, yes, reply.Doc{reply.P(fmt.Sprintf("%s has %d %s:", user.ID, len(devices), plural(len(devices), "session", "sessions"))), lines,
		reply.P(what + " What these have not backed up of their encrypted messages is lost. Go on?")})
	if err == nil && !ok {
		err = Sorry("Not done; nothing was changed.")
	}
	return err
}

func logOut(ctx context.Context, r *run, driver homeserver.Driver, user homeserver.User, yes bool) (reply.Answer, error) {
	if err := r.askSessions(ctx, driver, user, yes, "All of them end."); err != nil {
		return reply.Answer{}, err
	}
	n, err := driver.LogoutUser(ctx, user.ID)
	if err != nil {
		return reply.Answer{}, peopleProblem(err)
	}
	if n == 0 {
		return reply.Answer{Doc: reply.Sayf("%s has no session.", user.ID)}, nil
	}
	return reply.Answer{Doc: reply.Sayf("%d %s of %s ended. The password is the same as before.", n, plural(n, "session", "sessions"), user.ID)}, nil
}

// newPassword sets a password and shows it on a card. Who waits for the friend
// to come waits anew.
func newPassword(ctx context.Context, r *run, driver homeserver.Driver, user homeserver.User, yes bool) (reply.Answer, error) {
	if user.Locked {
		return reply.Answer{}, Sorry("%s is locked: %sunlock %s first.", user.ID, prompt(r.request), localpart(user.ID))
	}
	if err := r.askSessions(ctx, driver, user, yes, "A new password ends them."); err != nil {
		return reply.Answer{}, err
	}
	made := card{Address: r.Settings.Address(ctx), User: user.ID, Password: homeserver.NewPassword()}
	secret, err := r.confidence(made)
	if err != nil {
		return reply.Answer{}, err
	}
	if err := driver.ResetPassword(ctx, user.ID, made.Password); err != nil {
		if isAway(err) {
			return reply.Answer{}, Because(err, "The homeserver did not answer, so I cannot tell whether the old password still works. Say it again when the homeserver is back.")
		}
		return reply.Answer{}, peopleProblem(err)
	}
	ctx, cancel := Outlast(ctx, joinExtra)
	defer cancel()
	guest, _, err := r.Records.GuestOf(ctx, user.ID)
	if err == nil {
		guest = store.Guest{UserID: user.ID, Party: r.request.Ref, AddedBy: guest.AddedBy, BegunAt: time.Now(), ShownAt: time.Now(), Rooms: guest.Rooms}
		err = errors.Join(r.Records.Vanish(ctx, user.ID), r.Records.SaveGuest(ctx, guest))
	}
	if shown := r.talk.Confide(ctx, secret); shown != nil {
		return reply.Answer{}, Because(shown, "The password is set, but its card could not be shown, so nobody has it. Say it again.")
	}
	return reply.Answer{}, err
}
