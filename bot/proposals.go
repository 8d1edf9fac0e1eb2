package bot

import (
	"context"
	"fmt"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/crashpoint"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

// waitsMark stands on a line that waits for an owner.
const waitsMark = "⏳"

// expireLook is how often open proposals are looked at whose time is over.
const expireLook = 5 * time.Second

// decision is an owner's click on a proposal.
type decision struct {
	proposal int64
	approved bool
	by       string
}

// Show implements command.Proposals: a message in the admin room, with ✅ and ❌
// under it where a click is enough.
func (b *Bot) Show(ctx context.Context, p store.Proposal, preview reply.Doc) error {
	name := proposalName(p)
	sent, err := b.send(ctx, b.places.admin(), message(b.proposalText(ctx, p, preview), event.MsgText), transaction(name, "shown"))
	if err != nil {
		return err
	}
	if err := b.Store.ShowProposal(ctx, p.ID, sent.String()); err != nil {
		return err
	}
	keys := []string{doneMark, failedMark}
	if p.Grave {
		keys = keys[1:]
	}
	for _, key := range keys {
		if err := b.mark(ctx, b.places.admin(), sent, key); err != nil {
			return err
		}
	}
	return nil
}

// proposalName names the transactions of a proposal's messages; its time keeps
// those of a restored database apart.
func proposalName(p store.Proposal) id.EventID {
	return id.EventID(fmt.Sprintf("proposal-%d-%d", p.ID, p.MadeAt.UnixMilli()))
}

func (b *Bot) proposalText(ctx context.Context, p store.Proposal, preview reply.Doc) reply.Doc {
	doc := reply.Doc{reply.P("🙋 Proposal ", reply.Bold("%d", p.ID), ": ", p.Sender, " asks in ", b.roomLink(ctx, p.RoomID), ":"),
		reply.Code{Text: command.Visible(p.Line)}}
	doc = append(doc, preview...)
	until := p.Until.Format("15:04")
	if p.Grave {
		return append(doc, reply.P("To do it, type ", reply.Mono("!approve %d", p.ID), "; to refuse, ", reply.Mono("!deny %d because …", p.ID), " or ❌. Open until ", until, "."))
	}
	return append(doc, reply.P("✅ does it, once, exactly as it stands here; ❌ refuses. Open until ", until, "."))
}

func (b *Bot) roomLink(ctx context.Context, room string) reply.Span {
	name := command.Visible(b.RoomName(ctx, room))
	if name == "" {
		name = room
	}
	return reply.Link("https://matrix.to/#/"+room, name)
}

// clickedProposal says which proposal an owner's reaction decides, if it is one:
// only on the bot's own message, only the original one, and only with a mark
// that the bot put there.
func (b *Bot) clickedProposal(ctx context.Context, evt *event.Event) (d decision, ok bool) {
	relation := evt.Content.AsReaction().RelatesTo
	p, found, err := b.Store.ProposalShownBy(ctx, relation.EventID.String())
	if err != nil {
		b.Log.WithError(err).Error("cannot read the proposals")
	}
	if err != nil || !found || p.State != store.Pending {
		return d, found
	}
	d = decision{proposal: p.ID, approved: relation.Key == doneMark, by: evt.Sender.String()}
	if relation.Key != doneMark && relation.Key != failedMark {
		return decision{}, true
	}
	if d.approved && p.Grave {
		b.work.after(func(ctx context.Context) {
			b.Alert(ctx, reply.Say("A click is not enough for proposal ", p.ID, ": type ", reply.Mono("!approve %d", p.ID), "."))
		})
		return decision{}, true
	}
	return d, true
}

// decide writes the clicks of a batch down; the caller holds the transaction
// that also stores the sync token.
func (b *Bot) decide(ctx context.Context, clicks []decision) (fresh []store.Command, decided []store.Proposal, err error) {
	for _, click := range clicks {
		state := store.Denied
		if click.approved {
			state = store.Approved
		}
		p, row, ok, err := b.Store.DecideProposal(ctx, click.proposal, state, click.by, "", time.Now())
		if err != nil {
			return nil, nil, err
		}
		if !ok {
			continue
		}
		decided = append(decided, p)
		if row.ID != 0 {
			fresh = append(fresh, row)
		}
	}
	return fresh, decided, nil
}

// Approve implements command.Proposals.
func (b *Bot) Approve(ctx context.Context, number int64, by string) (store.Proposal, error) {
	if err := b.notRunBefore(ctx, number); err != nil {
		return store.Proposal{}, err
	}
	p, row, ok, err := b.Store.DecideProposal(ctx, number, store.Approved, by, "", time.Now())
	if err != nil || !ok {
		return p, over(number, p, err)
	}
	b.work.after(func(ctx context.Context) { b.showDecision(ctx, p) })
	b.work.take([]store.Command{row})
	return p, nil
}

// Deny implements command.Proposals.
func (b *Bot) Deny(ctx context.Context, number int64, by, reason string) (store.Proposal, error) {
	p, _, ok, err := b.Store.DecideProposal(ctx, number, store.Denied, by, reason, time.Now())
	if err != nil || !ok {
		return p, over(number, p, err)
	}
	b.work.after(func(ctx context.Context) { b.showDecision(ctx, p) })
	return p, nil
}

func over(number int64, p store.Proposal, err error) error {
	if err != nil {
		return err
	}
	return &command.ProposalOver{ID: number, Found: p.ID != 0, State: p.State, By: p.DecidedBy}
}

// notRunBefore refuses a proposal that carries our 👀: the database is an older
// copy, and it has been approved and run since.
func (b *Bot) notRunBefore(ctx context.Context, number int64) error {
	p, ok, err := b.Store.ProposalOf(ctx, number)
	if err != nil || !ok || p.State != store.Pending || p.MessageID == "" || p.MadeAt.After(b.begun) {
		return err
	}
	ran, err := b.marked(ctx, b.places.admin(), id.EventID(p.MessageID), seenMark)
	if err != nil || !ran {
		return err
	}
	if _, _, _, err := b.Store.DecideProposal(ctx, number, store.Expired, "", "it was decided before the database was restored", time.Now()); err != nil {
		return err
	}
	if err := b.Store.ToldProposal(ctx, number); err != nil { // in the other copy's time
		return err
	}
	return &command.ProposalOver{ID: number, Found: true, State: store.Expired}
}

// tellDecisions tells what an earlier run of the program decided and was ended
// before it could tell. What did arrive is not said twice: a proposal's sendings
// are named after it.
func (b *Bot) tellDecisions(ctx context.Context) {
	list, err := b.Store.ProposalsUntold(ctx)
	if err != nil {
		b.Log.WithError(err).Error("cannot read the proposals")
	}
	for _, p := range list {
		b.work.after(func(ctx context.Context) { b.showDecision(ctx, p) })
	}
}

// showDecision tells of a proposal's end, and writes down that it has.
func (b *Bot) showDecision(ctx context.Context, p store.Proposal) {
	b.tellDecision(ctx, p)
	if ctx.Err() != nil {
		return // stopping: told after the restart
	}
	crashpoint.At("proposal.told")
	if err := b.Store.ToldProposal(ctx, p.ID); err != nil {
		b.Log.WithError(err).Warn("cannot write down that a decision was told")
	}
}

// tellDecision tells the admin room and, where nothing will run, the room that asked.
func (b *Bot) tellDecision(ctx context.Context, p store.Proposal) {
	text := map[store.ProposalState]string{store.Approved: "approved by " + p.DecidedBy, store.Denied: "denied by " + p.DecidedBy, store.Expired: "over: nobody answered within the hour"}[p.State]
	if p.MessageID != "" {
		doc := reply.Doc{reply.P("Proposal ", reply.Bold("%d", p.ID), " of ", p.Sender, ", ", text, ":"), reply.Code{Text: command.Visible(p.Line)}}
		if err := b.edit(ctx, b.places.admin(), id.EventID(p.MessageID), doc, transaction(proposalName(p), string(p.State))); err != nil {
			b.Log.WithError(err).Warn("could not show what became of a proposal")
		}
	}
	if p.State == store.Approved {
		return
	}
	answer := "Proposal %d: no."
	if p.State == store.Expired {
		answer = "Proposal %d: nobody answered within the hour, so nothing is done."
	}
	answer = fmt.Sprintf(answer, p.ID)
	if p.Reason != "" {
		answer += " " + command.Visible(p.Reason)
	}
	room, asked := id.RoomID(p.RoomID), id.EventID(p.AskedIn)
	if _, err := b.reply(ctx, room, asked, reply.Say(answer), transaction(proposalName(p), "answer")); err != nil {
		b.Log.WithError(err).Warn("could not tell the room that asked")
	}
	b.unmark(ctx, room, asked, waitsMark)
	_ = b.mark(ctx, room, asked, failedMark) // fails only where the program stops
}

// expire ends proposals whose hour is over, and those that an end of the
// program kept from being shown.
func (b *Bot) expire(ctx context.Context) {
	tick := time.NewTicker(expireLook)
	defer tick.Stop()
	for {
		list, err := b.Store.Proposals(ctx)
		if err != nil && ctx.Err() == nil {
			b.Log.WithError(err).Error("cannot read the proposals")
		}
		for _, p := range list {
			unseen := p.MessageID == "" && p.MadeAt.Before(b.made)
			if time.Now().Before(p.Until) && !unseen {
				continue
			}
			p, _, ok, err := b.Store.DecideProposal(ctx, p.ID, store.Expired, "", "", time.Now())
			if err == nil && ok {
				b.showDecision(ctx, p)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// proposalOf finds the message under which the owners are spoken to about a row.
func (b *Bot) proposalOf(ctx context.Context, row store.Command) (store.Proposal, error) {
	if row.Proposal == 0 {
		return store.Proposal{}, nil
	}
	p, _, err := b.Store.ProposalOf(ctx, row.Proposal)
	return p, err
}
