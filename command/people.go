package command

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/homeserver"
	"github.com/githabideri/fraktalia/openclaw/json5"
)

// People is what the commands for accounts act on in rooms; the accounts
// themselves are the homeserver's (Services.Server).
type People interface {
	// Invite invites an account to a room, Kick takes it out, or its invitation
	// back. It is no error where it is so already. Errors: *NotAllowed,
	// *HomeserverAway.
	Invite(ctx context.Context, room, userID string) error
	Kick(ctx context.Context, room, userID string) error
	// MayInvite says whether the bot's power in a room is enough to invite.
	MayInvite(ctx context.Context, room string) (bool, error)
	// ChatRoomID is the friends' room.
	ChatRoomID() string
	// IsAdminRoom says that a room is the one in which owners command.
	IsAdminRoom(room string) bool
	// Places lists the rooms that the bot is in, but for the admin room.
	Places(ctx context.Context) ([]Place, error)
}

// Place is a room, with the people who are in it or invited.
type Place struct {
	ID, Name string
	Members  map[string]Membership
}

// Membership is how somebody stands to a room.
type Membership string

// How somebody stands to a room.
const (
	Joined  Membership = "joined"
	Invited Membership = "invited"
)

// NotAllowed says that the bot's power in a room is not enough.
type NotAllowed struct {
	What string
	Err  error
}

func (e *NotAllowed) Error() string { return e.What + ": " + e.Err.Error() }
func (e *NotAllowed) Unwrap() error { return e.Err }

// HomeserverAway says that the homeserver did not answer the bot.
type HomeserverAway struct {
	Address, What string
	Err           error
}

func (e *HomeserverAway) Error() string { return e.What + ": " + e.Err.Error() }
func (e *HomeserverAway) Unwrap() error { return e.Err }

// peopleLane keeps what is done to accounts in the order of the commands.
const peopleLane = "people"

func (r *run) peopleFamily() []*cobra.Command {
	family := []*cobra.Command{r.addUserCommand(), r.removeUserCommand(), r.usersCommand(), r.tokensCommand(), r.addressCommand()}
	return append(append(family, r.stateCommands()...), r.inviteCommands()...)
}

// person finds the account that somebody typed: a name, or a whole id of this
// server. An unknown one is told with the nearest names.
func (r *run) person(ctx context.Context, driver homeserver.Driver, typed string) (homeserver.User, error) {
	userID, err := r.userID(typed)
	if err != nil {
		return homeserver.User{}, err
	}
	user, err := driver.User(ctx, userID)
	var missing homeserver.ErrNotFound
	if !errors.As(err, &missing) {
		return user, homeserverProblem(err)
	}
	var names []string
	if users, err := driver.Users(ctx); err == nil {
		for _, u := range users {
			names = append(names, localpart(u.ID))
		}
	}
	return homeserver.User{}, Because(err, "There is no account %s.%s", userID, nearest(json5.Nearest(localpart(userID), names), usersHint(r), 1))
}

func usersHint(r *run) string { return prompt(r.request) + "users lists them." }

// userID reads a name or a whole id of this server, of an account that is
// there: old ones may have names that no new one may have.
func (r *run) userID(typed string) (string, error) {
	name := strings.TrimPrefix(strings.TrimSpace(typed), "@")
	name, server, whole := strings.Cut(name, ":")
	if whole && server != r.Settings.ServerName {
		return "", Sorry("I look after accounts on %s only, not on %.60s.", r.Settings.ServerName, server)
	}
	if name == "" || len(name) > 255 || strings.ContainsAny(name, " \t\n?#") {
		return "", Sorry("%.60q is no account: say a name such as alice, or an id such as @alice:%s.", typed, r.Settings.ServerName)
	}
	return "@" + name + ":" + r.Settings.ServerName, nil
}

func localpart(userID string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(userID, "@"), ":")
	return name
}

// spared refuses what would take the deployment from its owners: what is a
// verb such as "remove". Some homeservers take names in whatever case.
func (r *run) spared(userID, verb string) error {
	switch {
	case strings.EqualFold(userID, r.Settings.Bot):
		return Sorry("%s is my own account: I do not %s myself.", userID, verb)
	case slices.ContainsFunc(r.Settings.Owners, func(owner string) bool { return strings.EqualFold(userID, owner) }):
		return Sorry("%s is an owner: I do not %s owners. Take the name out of owners in fraktalia.yaml and restart me first.", userID, verb)
	}
	return nil
}

// place finds a room that friends may be in by its id, alias or name.
func (r *run) place(ctx context.Context, typed string) (Place, error) {
	id, err := r.Agents.FindRoom(ctx, typed)
	if err != nil {
		return Place{}, peopleProblem(r.nearRoom(err))
	}
	if r.People.IsAdminRoom(id) {
		return Place{}, Sorry("That is the admin room, which is for owners: name them in owners of fraktalia.yaml, and I invite them.")
	}
	return Place{ID: id, Name: orElse(r.Agents.RoomName(ctx, id), id)}, nil
}

// nearRoom offers the nearest names of rooms, or all.
func (r *run) nearRoom(err error) error {
	var unknown *UnknownRoom
	if !errors.As(err, &unknown) {
		if problem := r.roomProblem(err); problem != nil {
			return problem
		}
		return err
	}
	near := json5.Nearest(unknown.Text, unknown.Known)
	return Because(err, "I am in no room %.200q.%s", unknown.Text, nearest(near, "I am in "+strings.Join(unknown.Known, ", ")+".", len(unknown.Known)))
}
