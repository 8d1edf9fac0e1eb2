package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/reply"
)

const (
	// arrivalWithin is how long an agent's account may take to come into a room:
	// its channel starts anew for the change that lets it in.
	arrivalWithin = 90 * time.Second
	arrivalTick   = 200 * time.Millisecond
	// inviteAgainAfter is when the invitation is taken for dropped.
	inviteAgainAfter = 15 * time.Second
)

func (r *run) arrivalWithin() time.Duration { return min(arrivalWithin, 3*r.answerWithin()) }

// bringIn invites an agent's account into a room, and says whether it came. It is
// invited anew from time to time: an invitation that reaches OpenClaw's channel
// while that starts anew, with a list on which the room is not yet, is dropped.
func (r *run) bringIn(ctx context.Context, room, user string) (came bool, err error) {
	limited, cancel := context.WithTimeout(ctx, r.arrivalWithin())
	defer cancel()
	for {
		if err := r.People.Invite(ctx, room, user); err != nil {
			return false, Because(err, "The agent's account %s could not be invited: %s", user, reasonOf(err))
		}
		came, err := r.comes(limited, room, user)
		if came || err != nil {
			return came, ctx.Err()
		}
		if err := r.People.Kick(ctx, room, user); err != nil {
			return false, Because(err, "The agent's account %s could not be invited again: %s", user, reasonOf(err))
		}
	}
}

// comes waits for the account, as long as one invitation is worth it; the error
// is the context's.
func (r *run) comes(ctx context.Context, room, user string) (bool, error) {
	for end := time.Now().Add(inviteAgainAfter); time.Now().Before(end); {
		if r.Speaking.HasJoined(ctx, room, user) {
			return true, nil
		}
		select {
		case <-time.After(arrivalTick):
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	return false, nil
}

// runsNot says that no gateway runs with what was written.
func runsNot(o openclaw.Outcome) bool {
	var down *openclaw.GatewayDownError
	var other *OtherFile
	return errors.As(o.Err, &down) && (down.Err == nil || down.Refused()) || errors.As(o.Err, &other)
}

// invitedIn invites an agent's account, and tells what came of it. Where a
// gateway runs that joins by itself, the account is waited for; else the
// invitation stands.
func (r *run) invitedIn(ctx context.Context, guest agentAccount, room Place, runs bool) (reply.Doc, error) {
	config, err := r.Agents.Load()
	if err != nil {
		return nil, r.configProblem(err)
	}
	joins := config.MatrixJoins(guest.account)
	if runs && joins {
		return r.awaitedIn(ctx, guest, room)
	}
	if err := r.People.Invite(ctx, room.ID, guest.user); err != nil {
		return nil, Because(err, "The agent's account %s could not be invited: %s", guest.user, reasonOf(err))
	}
	doc := reply.Say(reply.Bold("%s", guest.agent), " is invited to "+room.Name+" as "+guest.user+".")
	if !joins {
		doc = append(doc, reply.P("OpenClaw is set to join no room by itself (channels.matrix.autoJoin is off), so log in as the agent and accept, or set it to allowlist."))
	}
	return doc, nil
}

// awaitedIn invites an agent's account until it has come.
func (r *run) awaitedIn(ctx context.Context, guest agentAccount, room Place) (reply.Doc, error) {
	r.talk.Update(reply.Sayf("%s is invited to %s; I wait until it has come …", guest.user, room.Name))
	came, err := r.bringIn(ctx, room.ID, guest.user)
	who := reply.Bold("%s", guest.agent)
	switch {
	case came:
		return reply.Say(who, " is in "+room.Name+", as "+guest.user+"."), nil
	case ctx.Err() != nil:
		return reply.Say(who, " is invited to "+room.Name+" as "+guest.user+"; it had not come when I was stopped."), nil
	case err != nil:
		return nil, err
	}
	return reply.Say("⚠️ ", who, fmt.Sprintf(" is invited to %s as %s, but has not come within %s. The invitation stands; OpenClaw's log says more.", room.Name, guest.user, r.arrivalWithin())), nil
}

// agentIn is the agent that speaks with an account in a room; ok is false where
// none does.
func (r *run) agentIn(room, user string) (guest agentAccount, ok bool) {
	config, err := r.Agents.Load()
	if err != nil {
		return guest, false
	}
	for _, b := range config.Bindings() {
		if b.Room == room && config.MatrixUser(b.Account) == user {
			return agentAccount{b.AgentID, b.Account, user}, true
		}
	}
	return guest, false
}

// inviteAgent invites an agent's account to a room that the agent is bound to.
// It is put on no list, which would be for those to whom it listens, and the
// change of which has its channel start anew while the invitation comes. Before
// is an invitation to which it has not come, and which it may have dropped.
func (r *run) inviteAgent(ctx context.Context, guest agentAccount, room Place, before bool) (answer reply.Answer, err error) {
	if before {
		if err := r.People.Kick(ctx, room.ID, guest.user); err != nil {
			return answer, peopleProblem(err)
		}
	}
	runs := r.healthOf(ctx, gatewayPart).Mark == Well
	err = r.outsideLane(ctx, func() (err error) {
		answer.Doc, err = r.invitedIn(ctx, guest, room, runs)
		return err
	})
	answer.Undo = undoLines("", "kick", guest.user, room)
	return answer, err
}
