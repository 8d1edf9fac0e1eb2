package command

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/homeserver"
	"github.com/githabideri/fraktalia/reply"
)

// addOptions are the flags of adduser.
type addOptions struct {
	name        string
	rooms       []string
	token       bool
	valid       time.Duration
	accountOnly bool
}

// tokenValid is how long a registration token is good where nobody says.
const tokenValid = 48 * time.Hour

func (r *run) addUserCommand() *cobra.Command {
	var o addOptions
	cmd := &cobra.Command{
		Use:   "adduser NAME [--name TEXT] [--room ROOM]... [--token [--for TIME]] [--account-only]",
		Short: "gives a friend an account, or a token to make one, and invites it to the chat room",
		Long: "Answers with a joining card: address, user and a first password, in words and as a picture to be scanned. The card vanishes from the room after half an hour, " +
			"when the friend has logged in, or when you react to it; the room then shows who has joined. Where an agent answers in the room and OpenClaw has a list of those to whom it listens, the friend is put on it. " +
			"Where a step fails, those before it are taken back.\n" +
			"For up to 200 friends at once, put their names below the command, one a line, each with a name to be shown behind it where you like; the cards come as one file.",
		Example: "adduser alice",
		Aliases: []string{"add-user"},
		Args:    some("the friend's name"),
		Annotations: map[string]string{
			laneKey:        peopleLane,
			interruptedKey: "Whose card you have seen is in. For the others say the same again: I go on from where I was, and nobody gets a second account.",
		},
	}
	cmd.RunE = r.does(func(ctx context.Context, r *run, args []string) (reply.Answer, error) {
		return addUser(ctx, r, cmd, args, o)
	})
	flags := cmd.Flags()
	flags.StringVar(&o.name, "name", "", "the `text` that people see as the friend's name")
	flags.StringArrayVar(&o.rooms, "room", nil, "a `room` to invite to, instead of the chat room; may be said several times")
	flags.BoolVar(&o.token, "token", false, "a token with which the friend makes the account and chooses the password")
	flags.DurationVar(&o.valid, "for", tokenValid, "how long the token is good, such as 48h: a `time`")
	flags.BoolVar(&o.accountOnly, "account-only", false, "no invitation and no list of an agent's")
	return cmd
}

func addUser(ctx context.Context, r *run, cmd *cobra.Command, args []string, o addOptions) (reply.Answer, error) {
	list := pastedList(r.request)
	if err := o.check(cmd, args, list != ""); err != nil {
		return reply.Answer{}, usageError(r.request, cmd, err)
	}
	join, err := r.newJoining(ctx, o)
	if err != nil {
		return reply.Answer{}, err
	}
	if list != "" {
		return join.list(ctx, list)
	}
	name, err := homeserver.Localpart(args[0], r.Settings.ServerName)
	if err != nil {
		return reply.Answer{}, accountProblem(err, r)
	}
	return join.one(ctx, friend{name: name, shown: o.name})
}

// check finds flags that do not go together.
func (o addOptions) check(cmd *cobra.Command, args []string, list bool) error {
	switch {
	case !list && len(args) > 1:
		return Sorry("%q is one word too many", args[1])
	case cmd.Flags().Changed("for") && !o.token:
		return Sorry("--for says how long a token is good, so it needs --token")
	case o.token && (o.valid < time.Minute || o.valid > 365*24*time.Hour):
		return Sorry("--for takes a time between 1m and 8760h, such as 48h")
	case o.accountOnly && len(o.rooms) > 0:
		return Sorry("--account-only and --room contradict one another")
	case list && o.name != "":
		return Sorry("in a list a name to be shown stands behind each friend's name, not in --name")
	case o.token && o.name != "":
		return Sorry("with --token your friend chooses the name to be shown, so --name has no use")
	}
	return nil
}

// pastedList is what stands below a command's first line, or the one word of
// the shell that has several lines; "" where there is none.
func pastedList(request Request) string {
	if _, list, ok := strings.Cut(strings.TrimSpace(request.Line), "\n"); ok {
		return list
	}
	for _, word := range request.Args {
		if request.Shell && strings.Contains(strings.TrimSpace(word), "\n") {
			return word
		}
	}
	return ""
}

// newJoining finds what adding somebody needs, before anything is changed.
func (r *run) newJoining(ctx context.Context, o addOptions) (*joining, error) {
	driver, err := r.Server(ctx)
	if err != nil {
		return nil, peopleProblem(err)
	}
	j := &joining{run: r, driver: driver, token: o.token, valid: o.valid}
	if o.accountOnly {
		return j, nil
	}
	if len(o.rooms) == 0 {
		j.rooms = []Place{{ID: r.People.ChatRoomID(), Name: "the chat room"}}
	}
	for _, typed := range o.rooms {
		room, err := r.place(ctx, typed)
		if err != nil {
			return nil, err
		}
		j.rooms = append(j.rooms, room)
	}
	for _, room := range j.rooms {
		if may, err := r.People.MayInvite(ctx, room.ID); err == nil && !may {
			return nil, Sorry("My power in %s is not enough to invite. Give me that right there, and say it again; nothing was changed.", room.Name)
		}
	}
	return j, nil
}

// friend is somebody who is to be added.
type friend struct {
	name  string // the account's
	shown string // what people see; may be empty
}

// known is what we and the homeserver know of a name.
type known struct {
	guest  bool // we have begun to add it, and its card was never shown
	exists bool // the account is there
	locked bool
}

// look finds out how a name stands, so that nothing is done to an account that
// is not of our making.
func (j *joining) look(ctx context.Context, userID string) (known, error) {
	guest, begun, err := j.Records.GuestOf(ctx, userID)
	if err != nil {
		return known{}, err
	}
	k := known{guest: begun && guest.ShownAt.IsZero()}
	user, err := j.driver.User(ctx, userID)
	switch {
	case errors.As(err, new(homeserver.ErrNotFound)):
		return k, nil
	case notForUs(err):
		return k, nil // making the account tells whether it is there
	case err != nil:
		return known{}, peopleProblem(err)
	}
	k.exists, k.locked = true, user.Locked
	if !k.guest || user.Deactivated {
		return known{}, accountProblem(homeserver.ErrUserExists{Localpart: localpart(userID)}, j.run)
	}
	return k, j.untouched(ctx, guest.BegunAt, user)
}

// clocks is how far our clock and the homeserver's may be apart.
const clocks = time.Minute

// untouched refuses an account that somebody else made or uses.
func (j *joining) untouched(ctx context.Context, begun time.Time, user homeserver.User) error {
	taken := accountProblem(homeserver.ErrUserExists{Localpart: localpart(user.ID)}, j.run)
	if !user.Created.IsZero() && user.Created.Before(begun.Add(-clocks)) {
		return taken
	}
	devices, err := j.driver.Devices(ctx, user.ID)
	if err != nil && !notForUs(err) {
		return peopleProblem(err)
	}
	if len(devices) > 0 {
		return taken
	}
	return nil
}
