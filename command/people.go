package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/crashpoint"
	"github.com/githabideri/fraktalia/homeserver"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

// People is what the commands for accounts act on.
type People interface {
	// Register makes an account; it never touches one that exists.
	Register(ctx context.Context, account homeserver.Account) (userID string, err error)
	// InviteToChat invites an account to the chat room.
	InviteToChat(ctx context.Context, userID string) error
}

func (r *run) peopleFamily() []*cobra.Command {
	adduser := &cobra.Command{
		Use:     "adduser NAME",
		Short:   "makes an account for a friend and invites it to the chat room",
		Long:    "Answers with a joining card: address, user and a first password. The card vanishes from the room after half an hour, or when you react to it.",
		Example: "adduser alice",
		Aliases: []string{"add-user"},
		Args:    exactly(1, "the friend's name"),
		Annotations: map[string]string{
			laneKey:        "people",
			interruptedKey: "If the account was made and no card stands here, nobody knows its password: give your friend another name.",
		},
		RunE: r.does(addUser),
	}
	return []*cobra.Command{adduser}
}

func addUser(ctx context.Context, r *run, args []string) (reply.Answer, error) {
	name, err := homeserver.Localpart(args[0], r.Settings.ServerName)
	if err != nil {
		return reply.Answer{}, accountProblem(err, r)
	}
	password := homeserver.NewPassword()
	userID, err := r.People.Register(ctx, homeserver.Account{Localpart: name, Password: password})
	if err != nil {
		return reply.Answer{}, accountProblem(err, r)
	}
	crashpoint.At("adduser.registered")
	return reply.Answer{}, r.handOver(ctx, userID, password)
}

// What follows a registration goes on after the person or the program has
// stopped it: the account is there by then, and its password nowhere but here.
const (
	inviteLimit = 20 * time.Second // the card waits no longer for the invitation,
	inviteExtra = time.Second      // nor longer than this after the stop
	cardExtra   = 4 * time.Second
)

// handOver records and invites a new account and shows its joining card,
// whatever goes wrong before.
func (r *run) handOver(ctx context.Context, userID string, password homeserver.Secret) error {
	showing, cancel := Outlast(ctx, cardExtra)
	defer cancel()
	recorded := r.Records.SavePerson(showing, store.Person{UserID: userID, AddedBy: r.request.Sender, AddedAt: time.Now()})
	invited := r.invite(ctx, userID)
	crashpoint.At("adduser.invited")
	if err := r.talk.Confide(showing, r.joiningCard(showing, userID, password), r.Settings.CardLifetime); err != nil {
		return Because(errors.Join(err, recorded, invited), "The account %s is made, but its joining card could not be shown, so its password is lost. "+
			"Set one with the homeserver's own tools, or choose another name.", userID)
	}
	switch {
	case invited != nil:
		return Because(errors.Join(invited, recorded), "The account %s is made and its card is good, but inviting it to the chat room failed. Invite it by hand.", userID)
	case recorded != nil:
		return Because(recorded, "The account %s is made and its card is good, but I could not write down who added it. The log says why.", userID)
	}
	return nil
}

func (r *run) invite(ctx context.Context, userID string) error {
	ctx, cancel := Outlast(ctx, inviteExtra)
	defer cancel()
	ctx, stop := context.WithTimeout(ctx, inviteLimit)
	defer stop()
	return r.People.InviteToChat(ctx, userID)
}

// joiningCard is what the owner passes on to the friend.
func (r *run) joiningCard(ctx context.Context, userID string, password homeserver.Secret) reply.Doc {
	return reply.Doc{
		reply.Lines{Items: []reply.Line{
			{"Address: ", r.Settings.Address(ctx)},
			{"User: ", userID},
			{"Password: ", password.Reveal()},
		}},
		reply.P(fmt.Sprintf("Pass this on; it vanishes from here in %d minutes, or when you react to it.", int(r.Settings.CardLifetime.Minutes()))),
	}
}

// accountProblem words why an account could not be made.
func accountProblem(err error, r *run) error {
	var exists homeserver.ErrUserExists
	var name homeserver.ErrInvalidName
	switch {
	case errors.As(err, &exists):
		return Because(err, "@%s:%s exists already (or did once: names are not given twice). Choose another name.", exists.Localpart, r.Settings.ServerName)
	case errors.As(err, &name):
		return Because(err, "%s", nameProblem(name, r.Settings.ServerName))
	}
	return homeserverProblem(err)
}

func nameProblem(e homeserver.ErrInvalidName, server string) string {
	hint := "Use small letters, digits and . _ = - / +, for example alice."
	if e.Suggested != "" {
		hint = fmt.Sprintf("%s would do.", e.Suggested)
	}
	switch e.Reason {
	case homeserver.ReasonServer:
		return fmt.Sprintf("I can make accounts on %s only, not on %.60s.", server, e.Server)
	case homeserver.ReasonUppercase:
		return "Account names have no capital letters. " + hint
	case homeserver.ReasonCharacter:
		return fmt.Sprintf("Account names cannot have %q in them. %s", e.Character, hint)
	case homeserver.ReasonUnderscore:
		return "Names that begin with _ are kept for bridges. " + hint
	case homeserver.ReasonDigits:
		return "Names of digits alone are kept for guests. " + hint
	case homeserver.ReasonTooLong:
		return "That name is too long: with the server's name it may have 255 characters."
	}
	return "That is no name for an account. " + hint
}
