package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/crashpoint"
	"github.com/githabideri/fraktalia/homeserver"
	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/openclaw/json5"
	"github.com/githabideri/fraktalia/reply"
)

// maxRoomName is the longest name of a room: clients cut longer ones.
const maxRoomName = 100

func (r *run) createRoomCommand() *cobra.Command {
	var wish roomWish
	cmd := &cobra.Command{
		Use:   `createroom "NAME" [--agent AGENT] [--invite USER,...] [--public]`,
		Short: "makes an encrypted room, invites people, and lets an agent answer in it",
		Long: "The room is private and encrypted, with the owners and me in it. With --agent the agent is invited and bound; if any step fails, the room is removed again. " +
			"--public gives the room an address and lets anybody of this homeserver in; what was said before they came they cannot read.",
		Example: `createroom "Film club" --agent mox --invite alice,bob`,
		Aliases: []string{"create-room"},
		Args:    exactly(1, `the room's name, in quotes where it has several words, for example "Film club"`),
		Annotations: map[string]string{
			laneKey:        agentsLane, // it may change openclaw.json, too
			interruptedKey: "!rooms tells whether the room is there; !bind AGENT ROOM binds an agent to it.",
		},
		RunE: r.does(func(ctx context.Context, r *run, args []string) (reply.Answer, error) {
			wish.name = strings.TrimSpace(args[0])
			return createRoom(ctx, r, wish)
		}),
	}
	cmd.Flags().StringVar(&wish.agent, "agent", "", "the `agent` that answers in it")
	cmd.Flags().StringSliceVar(&wish.invite, "invite", nil, "the `accounts` to be invited, with commas between")
	cmd.Flags().BoolVar(&wish.public, "public", false, "let anybody of this homeserver find and join it")
	return cmd
}

// roomWish is what was typed.
type roomWish struct {
	name, agent string
	invite      []string
	public      bool
}

func createRoom(ctx context.Context, r *run, wish roomWish) (reply.Answer, error) {
	room, err := r.plannedRoom(ctx, wish)
	if err != nil {
		return reply.Answer{}, err
	}
	var guest agentAccount
	if wish.agent != "" {
		if guest, err = r.agentAccount(wish.agent); err != nil {
			return reply.Answer{}, err
		}
	}
	id, err := r.Rooms.MakeRoom(ctx, room)
	if err != nil && id != "" {
		return reply.Answer{}, r.unmake(ctx, id, r.makeProblem(err))
	}
	if err != nil {
		return reply.Answer{}, r.makeProblem(err)
	}
	crashpoint.At("createroom.made")
	answer := reply.Answer{Data: map[string]string{"id": id, "name": room.Name}}
	answer.Doc = append(reply.Doc{madeText(room, id, r.Settings.ServerName)}, r.unlisted(ctx, room, id)...)
	if wish.agent == "" {
		return answer, nil
	}
	bound, err := r.moveIn(ctx, guest, Place{ID: id, Name: room.Name})
	if err != nil {
		return reply.Answer{}, r.unmake(ctx, id, err)
	}
	answer.Doc, answer.Undo = append(answer.Doc, bound.Doc...), bound.Undo
	return answer, nil
}

func madeText(room NewRoom, id, server string) reply.Paragraph {
	kind := "private"
	if room.Public {
		kind = "public as " + "#" + room.Address + ":" + server
	}
	line := reply.Line{reply.Bold("%s", room.Name), " is made: encrypted, " + kind + ", ", reply.Mono("%s", id), ". Invited are the owners"}
	if len(room.Invite) > 0 {
		line = append(line, " and "+strings.Join(room.Invite, ", "))
	}
	return reply.Paragraph{Line: append(line, ".")}
}

// unlisted tells of a public room that the homeserver does not list: most let
// nobody list rooms unless they are told to.
func (r *run) unlisted(ctx context.Context, room NewRoom, id string) reply.Doc {
	if !room.Public {
		return nil
	}
	driver, err := r.Server(ctx)
	if err != nil {
		return nil
	}
	if made, err := driver.Room(ctx, id); err != nil || made.Public {
		return nil
	}
	return reply.Doc{reply.P("The homeserver does not list it in its directory (Synapse: room_list_publication_rules), so people join it by its address.")}
}

// plannedRoom checks what was typed, before anything is made.
func (r *run) plannedRoom(ctx context.Context, wish roomWish) (NewRoom, error) {
	room := NewRoom{Name: wish.name, Public: wish.public}
	switch {
	case wish.name == "":
		return room, Sorry("Say what the room shall be called.")
	case len([]rune(wish.name)) > maxRoomName:
		return room, Sorry("That name is too long: a room's may have %d characters.", maxRoomName)
	case strings.ContainsFunc(wish.name, unicode.IsControl):
		return room, Sorry("A room's name is one line without control characters.")
	}
	if wish.public {
		if room.Address = address(wish.name); room.Address == "" {
			return room, Sorry("I can make no address of that name: a public room's name needs a letter or digit from a-z and 0-9.")
		}
	}
	for _, typed := range wish.invite {
		who, err := r.account(ctx, typed)
		if err != nil {
			return room, err
		}
		room.Invite = append(room.Invite, who)
	}
	return room, nil
}

// address is a room's name as an alias can have it.
func address(name string) string {
	slug := strings.Map(func(char rune) rune {
		switch {
		case char >= 'a' && char <= 'z' || char >= '0' && char <= '9':
			return char
		case char == ' ' || char == '-' || char == '_':
			return '-'
		}
		return -1
	}, strings.ToLower(name))
	return strings.Trim(slug, "-")
}

// account is an account of this server that is there. Where the server does not
// let us look, the invitation shows it.
func (r *run) account(ctx context.Context, typed string) (string, error) {
	name, err := homeserver.Localpart(typed, r.Settings.ServerName)
	if err != nil {
		return "", Because(err, "%.60q is no account of %s to invite: give a name such as alice.", typed, r.Settings.ServerName)
	}
	id := "@" + name + ":" + r.Settings.ServerName
	driver, err := r.Server(ctx)
	if err != nil {
		return "", homeserverProblem(err)
	}
	user, err := driver.User(ctx, id)
	switch {
	case errors.As(err, new(homeserver.ErrNotFound)):
		return "", Sorry("There is no account %s.%s", id, nearest(r.nearestAccounts(ctx, driver, name), fmt.Sprintf("%sadduser %s makes one.", prompt(r.request), name), 1))
	case errors.As(err, new(homeserver.ErrUnsupported)), errors.As(err, new(homeserver.ErrNotAdmin)):
		return id, nil
	case err != nil:
		return "", homeserverProblem(err)
	case user.Deactivated:
		return "", Sorry("The account %s is closed for ever, so it cannot be invited.", id)
	}
	return id, nil
}

func (r *run) nearestAccounts(ctx context.Context, driver homeserver.Driver, name string) []string {
	users, err := driver.Users(ctx)
	if err != nil {
		return nil
	}
	names := make([]string, len(users))
	for i, user := range users {
		names[i], _, _ = strings.Cut(strings.TrimPrefix(user.ID, "@"), ":")
	}
	return json5.Nearest(name, names)
}

// agentAccount is where an agent speaks from.
type agentAccount struct {
	agent   string
	account string // the name of OpenClaw's Matrix account; "" for the default one
	user    string // its account id
}

func (r *run) agentAccount(agent string) (agentAccount, error) {
	config, err := r.Agents.Load()
	if err != nil {
		return agentAccount{}, r.configProblem(err)
	}
	if _, err := config.Agent(agent); err != nil {
		return agentAccount{}, r.configProblem(err)
	}
	guest := agentAccount{agent: agent, account: config.AccountOn(r.Settings.ServerName, agent)}
	err = r.identify(config, &guest)
	return guest, err
}

// identify finds the account's id.
func (r *run) identify(config *openclaw.Config, guest *agentAccount) error {
	if guest.user = config.MatrixUser(guest.account); guest.user != "" {
		return nil
	}
	where := "channels.matrix.userId"
	if guest.account != "" {
		where = "channels.matrix.accounts." + guest.account + ".userId"
	}
	return Sorry("I do not know which Matrix account %s speaks with, so I cannot invite it: openclaw.json has no %s. Set it there; or make the room without --agent, invite the agent, and use %sbind.", guest.agent, where, prompt(r.request))
}

// moveIn binds an agent to a room and has it come, in that order: OpenClaw
// accepts invitations to rooms that it knows.
func (r *run) moveIn(ctx context.Context, guest agentAccount, room Place) (reply.Answer, error) {
	edit := openclaw.Bind(openclaw.BindRoom{AgentID: guest.agent, Room: room.ID, Account: guest.account})
	var outcome openclaw.Outcome
	bound, err := r.change(ctx, change{what: "bind " + guest.agent + " " + room.ID, edit: edit, outcome: &outcome})
	if err != nil {
		return reply.Answer{}, err
	}
	crashpoint.At("createroom.bound")
	invited, err := r.invitedIn(ctx, guest, room, !runsNot(outcome))
	if err != nil {
		var back error
		if bound.Undo != "" {
			_, back = r.also(context.WithoutCancel(ctx), bound.Undo)
		}
		return reply.Answer{}, Because(errors.Join(err, back), "%s", sentenceOf(err))
	}
	bound.Doc = append(bound.Doc, invited...)
	return bound, nil
}

// unmake takes a room back whose making failed half-way, and says so.
func (r *run) unmake(ctx context.Context, id string, failed error) error {
	err := r.removeRoom(context.WithoutCancel(ctx), id)
	sentence := "Nothing was made."
	if err != nil {
		sentence = fmt.Sprintf("The room %s is there all the same and could not be removed again.", id)
	}
	var problem *Problem
	if errors.As(failed, &problem) {
		return &Problem{Sentence: problem.Sentence + " " + sentence, Detail: problem.Detail, Cause: errors.Join(failed, err)}
	}
	return Because(errors.Join(failed, err), "That did not work; the log says why. %s", sentence)
}

// removeRoom takes everybody out of a room that the bot has made, and has the
// server forget it. What is left where a server cannot is an empty room, which
// harms nobody.
func (r *run) removeRoom(ctx context.Context, id string) error {
	if err := r.Rooms.Disband(ctx, id); err != nil && !errors.As(err, new(*NotAllowed)) { // who has left may not look
		return err
	}
	crashpoint.At("room.left")
	driver, err := r.Server(ctx)
	if err != nil {
		return err
	}
	err = driver.DeleteRoom(ctx, id)
	if notForUs(err) || errors.As(err, new(homeserver.ErrNotFound)) {
		return nil
	}
	if err != nil { // its answer may be lost, or its work half done: what counts is whether the room is there
		if _, gone := driver.Room(ctx, id); errors.As(gone, new(homeserver.ErrNotFound)) {
			return nil
		}
	}
	return err
}

// makeProblem words why a room could not be made.
func (r *run) makeProblem(err error) error {
	var taken *AddressTaken
	if errors.As(err, &taken) {
		return Because(err, "There is a public room with the address #%s:%s already. Choose another name.", taken.Address, r.Settings.ServerName)
	}
	return homeserverProblem(err)
}
