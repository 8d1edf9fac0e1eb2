package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/reply"
)

func (r *run) inviteCommands() []*cobra.Command {
	var inviteOnly, kickOnly bool
	invite := &cobra.Command{
		Use:         "invite NAME ROOM",
		Short:       "invites somebody to a room that I am in",
		Long:        "The room may be given by its id, its alias or its name. Where OpenClaw has a list of those to whom it listens there, they are put on it. An agent's own account is waited for, in a room that it is bound to.",
		Example:     "invite alice Friends",
		Args:        atLeastTwo("whom and where, for example alice Friends"),
		Annotations: map[string]string{laneKey: peopleLane},
		RunE: r.does(func(ctx context.Context, r *run, args []string) (reply.Answer, error) {
			return invite(ctx, r, args, inviteOnly)
		}),
	}
	kick := &cobra.Command{
		Use:         "kick NAME ROOM",
		Short:       "takes somebody out of a room, or their invitation back",
		Example:     "kick alice Friends",
		Args:        atLeastTwo("whom and from where, for example alice Friends"),
		Annotations: map[string]string{laneKey: peopleLane},
		RunE: r.does(func(ctx context.Context, r *run, args []string) (reply.Answer, error) {
			return kick(ctx, r, args, kickOnly)
		}),
	}
	invite.Flags().BoolVar(&inviteOnly, roomOnlyFlag, false, "leave OpenClaw's lists of people as they are")
	kick.Flags().BoolVar(&kickOnly, roomOnlyFlag, false, "leave OpenClaw's lists of people as they are")
	return []*cobra.Command{invite, kick}
}

// roomOnlyFlag leaves OpenClaw's lists alone: what takes an invitation back puts
// the lists back as they were, and no other name may come or go with that.
const roomOnlyFlag = "room-only"

func invite(ctx context.Context, r *run, args []string, roomOnly bool) (reply.Answer, error) {
	userID, place, err := r.pair(ctx, args)
	if err != nil {
		return reply.Answer{}, err
	}
	driver, err := r.Server(ctx)
	if err != nil {
		return reply.Answer{}, peopleProblem(err)
	}
	user, err := r.person(ctx, driver, userID)
	switch {
	case notForUs(err): // the invitation tells
	case err != nil:
		return reply.Answer{}, err
	case user.Deactivated:
		return reply.Answer{}, Sorry("%s is removed, for ever.", userID)
	}
	guest, agents := r.agentIn(place.ID, userID)
	switch before := place.Members[userID]; {
	case before == Joined:
		return reply.Answer{Doc: reply.Sayf("%s is in %s already.", userID, place.Name)}, nil
	case agents:
		return r.inviteAgent(ctx, guest, place, before == Invited)
	case before == Invited:
		return reply.Answer{Doc: reply.Sayf("%s is invited to %s already.", userID, place.Name)}, nil
	}
	j := &joining{run: r, driver: driver, rooms: []Place{place}}
	var undo steps
	if err := j.invite(ctx, userID, &undo); err != nil {
		return reply.Answer{}, undo.failed(ctx, err, "")
	}
	answer := reply.Answer{Doc: reply.Sayf("%s is invited to %s.", userID, place.Name), Undo: undoLines("", "kick", userID, place)}
	if roomOnly {
		return answer, nil
	}
	admitted, err := j.admit(ctx, "invite "+localpart(userID), &undo, userID)
	if err != nil {
		return reply.Answer{}, undo.failed(ctx, err, "")
	}
	answer.Doc = append(answer.Doc, admitted.Doc...)
	answer.Undo = undoLines(admitted.Undo, "kick", userID, place)
	return answer, nil
}

func kick(ctx context.Context, r *run, args []string, roomOnly bool) (reply.Answer, error) {
	userID, place, err := r.pair(ctx, args)
	if err != nil {
		return reply.Answer{}, err
	}
	if err := r.spared(userID, "take out of a room"); err != nil {
		return reply.Answer{}, err
	}
	before := place.Members[userID]
	switch {
	case before == "" && roomOnly:
		return reply.Answer{Doc: reply.Sayf("%s is not in %s any more.", userID, place.Name)}, nil
	case before == "":
		return reply.Answer{}, Sorry("%s is not in %s.", userID, place.Name)
	}
	if err := r.People.Kick(ctx, place.ID, userID); err != nil {
		return reply.Answer{}, peopleProblem(err)
	}
	said := fmt.Sprintf("%s is out of %s.", userID, place.Name)
	if before == Invited {
		said = fmt.Sprintf("The invitation of %s to %s is taken back.", userID, place.Name)
	}
	answer := reply.Answer{Doc: reply.Say(said), Undo: undoLines("", "invite", userID, place)}
	if roomOnly {
		return answer, nil
	}
	edit := openclaw.ExpelFrom(place.ID, userID)
	if _, listed, err := r.plannedExpulsion(edit); err != nil || !listed {
		return answer, nil // they are out, and the file's own trouble is told elsewhere
	}
	changed, err := r.change(ctx, change{what: "kick " + localpart(userID), edit: edit})
	if err != nil {
		changed.Doc = reply.Say("They are still on OpenClaw's list of the room: ", sentenceOf(err))
	}
	answer.Doc = append(answer.Doc, changed.Doc...)
	answer.Undo = undoLines(changed.Undo, "invite", userID, place)
	return answer, nil
}

// pair reads somebody and a room, with who is in it.
func (r *run) pair(ctx context.Context, args []string) (userID string, place Place, err error) {
	if userID, err = r.userID(args[0]); err != nil {
		return "", place, err
	}
	if place, err = r.place(ctx, strings.Join(args[1:], " ")); err != nil {
		return "", place, err
	}
	places, err := r.People.Places(ctx)
	if err != nil {
		return "", place, peopleProblem(err)
	}
	for _, p := range places {
		if p.ID == place.ID {
			place.Members = p.Members
		}
	}
	return userID, place, nil
}

// undoLines take back what was done about somebody in a room: first the change
// of OpenClaw's lists, if there was one, which is refused where the file has
// changed since. The room goes by its id: names may change until it is used.
func undoLines(lists, command, userID string, place Place) string {
	line := fmt.Sprintf("%s %s %s --%s", command, localpart(userID), place.ID, roomOnlyFlag)
	if lists == "" {
		return line
	}
	return lists + "\n" + line
}
