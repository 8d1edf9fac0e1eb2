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
		Use:         "adduser NAME",
		Short:       "makes an account for a friend and invites it to the chat room",
		Long:        "Answers with a joining card: address, user and a first password. The card vanishes from the room after half an hour, or when you react to it.",
		Example:     "adduser alice",
		Aliases:     []string{"add-user"},
		Args:        exactly(1, "the friend's name"),
		Annotations: map[string]string{laneKey: "people"},
		RunE:        r.does(addUser),
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
	person := store.Person{UserID: userID, AddedBy: r.request.Sender, AddedAt: time.Now()}
	if err := r.Records.SavePerson(ctx, person); err != nil {
		return reply.Answer{}, fmt.Errorf("record %s: %w", userID, err)
	}
	invited := r.People.InviteToChat(ctx, userID)
	crashpoint.At("adduser.invited")
	card := r.joiningCard(ctx, userID, password, invited)
	if err := r.talk.Confide(ctx, card, r.Settings.CardLifetime); err != nil {
		return reply.Answer{}, fmt.Errorf("show the joining card of %s: %w", userID, err)
	}
	return reply.Answer{}, nil
}

// joiningCard is what the owner passes on to the friend.
func (r *run) joiningCard(ctx context.Context, userID string, password homeserver.Secret, invited error) reply.Doc {
	doc := reply.Doc{
		reply.Lines{Items: []reply.Line{
			{"Address: ", r.Settings.Address(ctx)},
			{"User: ", userID},
			{"Password: ", password.Reveal()},
		}},
		reply.P(fmt.Sprintf("Pass this on; it vanishes from here in %d minutes, or when you react to it.", int(r.Settings.CardLifetime.Minutes()))),
	}
	if invited != nil {
		doc = append(doc, reply.P("The account is made, but inviting it to the chat room failed. Invite it by hand."))
	}
	return doc
}

// accountProblem words why an account could not be made.
func accountProblem(err error, r *run) error {
	var exists homeserver.ErrUserExists
	var name homeserver.ErrInvalidName
	var wrong homeserver.ErrWrongSecret
	var none homeserver.ErrNoSharedSecret
	var limited homeserver.ErrRateLimited
	switch {
	case errors.As(err, &exists):
		return Because(err, "@%s:%s exists already (or did once: names are not given twice). Choose another name.", exists.Localpart, r.Settings.ServerName)
	case errors.As(err, &name):
		return Because(err, "%s", nameProblem(name, r.Settings.ServerName))
	case errors.As(err, &wrong):
		return Because(err, "The homeserver refuses our registration secret. Put its registration_shared_secret into the file that homeserver.registration_secret_file names.")
	case errors.As(err, &none):
		return Because(err, "The homeserver has no registration_shared_secret. Set one in its configuration, and name its file in homeserver.registration_secret_file.")
	case errors.As(err, &limited):
		return Because(err, "The homeserver asks to wait %s. Say it again then.", limited.RetryAfter.Round(time.Second))
	}
	return homeserverDown(err)
}

// homeserverDown words that the server does not answer; other errors stay.
func homeserverDown(err error) error {
	var down homeserver.ErrUnreachable
	if errors.As(err, &down) {
		return Because(err, "The homeserver at %s does not answer. Say it again when it is back; nothing was changed that I know of.", down.Address)
	}
	return err
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
