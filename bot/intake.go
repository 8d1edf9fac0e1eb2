package bot

import (
	"context"
	"errors"
	"strings"
	"time"

	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/store"
)

// listen registers the handlers. They run while a response is processed, so
// they only look and note; work is done by others.
func (b *Bot) listen() {
	b.syncer.OnEventType(event.EventEncrypted, b.onEncrypted)
	b.syncer.OnEventType(event.EventReaction, b.onReaction)
	b.syncer.OnEventType(event.StateMember, b.onMember)
	b.syncer.OnEventType(event.StateTombstone, b.onTombstone)
	b.syncer.OnEventType(event.EventMessage, b.serverRoom.hear)
}

// onEncrypted reads an encrypted event of the admin room, of a room in which an
// owner verifies the bot, or of an account with a role. What others say in chat
// rooms is not read.
func (b *Bot) onEncrypted(ctx context.Context, evt *event.Event) {
	if evt.Sender == b.client.UserID {
		b.noteOwn(ctx, evt)
		return
	}
	b.hearings.give(evt)
	role, _ := b.roleIn(ctx, evt.RoomID, evt.Sender)
	verifies := evt.RoomID != b.places.chat() && b.isOwner(evt.Sender)
	if (role == command.Nobody && !verifies && evt.RoomID != b.places.admin()) || evt.Timestamp < b.places.since().UnixMilli() {
		return
	}
	plain, err := b.crypto.Decrypt(ctx, evt)
	switch {
	case errors.Is(err, crypto.ErrNoSessionFound):
		if role != command.Nobody {
			b.noteUnread(ctx, evt)
		}
	case err != nil:
		b.Log.WithError(err).WithField("event", evt.ID).Warn("cannot read an event")
	default:
		b.onPlain(ctx, plain)
	}
}

// noteOwn sees to it that a secret of ours vanishes, also when the program was
// killed before it could write that down.
func (b *Bot) noteOwn(ctx context.Context, evt *event.Event) {
	if !strings.Contains(evt.Unsigned.TransactionID, "-"+secretPart+"-") || evt.Unsigned.RedactedBecause != nil {
		return
	}
	due := store.Redaction{EventID: evt.ID.String(), RoomID: evt.RoomID.String(), DueAt: time.UnixMilli(evt.Timestamp).Add(secretLifetime)}
	if err := b.Store.PlanRedaction(ctx, due); err != nil {
		b.Log.WithError(err).Error("cannot plan the end of a secret")
	}
}

// onPlain takes a decrypted event.
func (b *Bot) onPlain(ctx context.Context, evt *event.Event) {
	if isVerification(evt) {
		b.onVerification(ctx, evt)
		return
	}
	line, reason := b.heard(ctx, evt)
	if reason != "" {
		b.Log.WithField("event", evt.ID).WithField("sender", evt.Sender).Infof("not obeyed: %s", reason)
	}
	if line == "" {
		return
	}
	if b.tooMuch(ctx, evt, line) {
		return
	}
	if err := b.mayCommand(ctx, evt); err != nil {
		b.refuseDevice(evt, err)
		return
	}
	brought := batchOf(ctx)
	brought.commands = append(brought.commands, store.Command{
		EventID: evt.ID.String(), RoomID: evt.RoomID.String(), Sender: evt.Sender.String(),
		Line: line, SentAt: time.UnixMilli(evt.Timestamp),
	})
}

// tooMuch says that a line of somebody who is no owner is not taken, since too
// many came before it or it is too long. Nothing of it is kept: an agent in a
// loop would fill the journal, and the audit, of which nothing is ever removed.
func (b *Bot) tooMuch(ctx context.Context, evt *event.Event, line string) bool {
	if role, _ := b.roleIn(ctx, evt.RoomID, evt.Sender); role == command.Owner {
		return false
	}
	err := b.work.commands.Hear(evt.Sender.String(), line)
	if err == nil {
		return false
	}
	b.Log.WithField("event", evt.ID).WithField("sender", evt.Sender).Infof("not obeyed: %v", err)
	var problem *command.Problem
	if errors.As(err, &problem) {
		b.work.after(func(ctx context.Context) { b.answerTooMuch(ctx, evt, problem) })
	}
	return true
}

// answerTooMuch says so.
func (b *Bot) answerTooMuch(ctx context.Context, evt *event.Event, problem *command.Problem) {
	if _, err := b.reply(ctx, evt.RoomID, evt.ID, sentences(problem.Sentence), transaction(evt.ID, "answer")); err != nil {
		b.Log.WithError(err).Warn("could not say that it was too much")
	}
	_ = b.mark(ctx, evt.RoomID, evt.ID, failedMark) // fails only where the program stops
}

// heard decides whether an event is a command line of somebody who may give
// one; "" is no. A reason says why something that looks like one is not.
func (b *Bot) heard(ctx context.Context, evt *event.Event) (line, reason string) {
	if evt.Type != event.EventMessage {
		return "", ""
	}
	content := evt.Content.AsMessage()
	if !command.IsCommand(content.Body) {
		return "", ""
	}
	role, _ := b.roleIn(ctx, evt.RoomID, evt.Sender)
	_, bridged := evt.Content.Raw["fi.mau.double_puppet_source"]
	switch {
	case role == command.Nobody && evt.RoomID == b.places.admin():
		return "", "the sender is no owner"
	case role == command.Nobody:
		return "", "the sender may not command here"
	case role != command.Owner && strings.ContainsAny(strings.TrimSpace(content.Body), "\n\r\u2028\u2029\v\f"):
		return "", "it has more than one line"
	case content.MsgType != event.MsgText:
		return "", "it is no plain message but " + string(content.MsgType)
	case content.RelatesTo != nil && content.RelatesTo.GetReplaceID() != "":
		return "", "it is an edit"
	case bridged:
		return "", "it came over a bridge"
	case !evt.Mautrix.WasEncrypted:
		return "", "it was not encrypted"
	}
	return content.Body, ""
}

// refuseDevice tells that an owner's line came from a device that may not
// command.
func (b *Bot) refuseDevice(evt *event.Event, reason error) {
	b.Log.WithField("event", evt.ID).WithField("sender", evt.Sender).Warnf("not obeyed: %v", reason)
	b.work.after(func(ctx context.Context) { b.answerRefusal(ctx, evt, reason) })
}

// onReaction passes an owner's click to whoever waits for it.
func (b *Bot) onReaction(ctx context.Context, evt *event.Event) {
	if evt.RoomID != b.places.admin() || evt.Sender == b.client.UserID || !b.isOwner(evt.Sender) {
		return
	}
	if click, ok := b.clickedProposal(ctx, evt); ok {
		if brought := batchOf(ctx); click.proposal != 0 {
			brought.clicks = append(brought.clicks, click)
		}
		return
	}
	relation := evt.Content.AsReaction().RelatesTo
	if b.clicks.give(relation.EventID, relation.Key) {
		return
	}
	b.work.after(func(ctx context.Context) { b.redactOnClick(ctx, relation.EventID) })
}

// onMember watches who comes into the rooms, and follows an owner's invitation.
func (b *Bot) onMember(ctx context.Context, evt *event.Event) {
	content := evt.Content.AsMember()
	who := id.UserID(evt.GetStateKey())
	switch {
	case who == b.client.UserID && content.Membership == event.MembershipInvite && b.isOwner(evt.Sender):
		b.work.after(func(ctx context.Context) { b.join(ctx, evt.RoomID) })
	case evt.RoomID != b.places.admin() || who == b.client.UserID || content.Membership != event.MembershipJoin || wasThere(evt):
	case b.isOwner(who):
		b.work.after(func(ctx context.Context) { b.welcome(ctx, who) })
	default:
		b.work.after(func(ctx context.Context) { b.Alert(ctx, strangerNotice(who)) })
	}
}

// wasThere tells a member who changed their name from one who came in.
func wasThere(evt *event.Event) bool {
	before := evt.Unsigned.PrevContent
	return before != nil && before.Raw["membership"] == string(event.MembershipJoin)
}
