package command

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

func (r *run) proposalsFamily() []*cobra.Command {
	proposals := &cobra.Command{
		Use:         "proposals",
		Short:       "lists what waits for an owner's yes",
		Args:        none,
		Annotations: map[string]string{quickKey: "yes", jsonKey: "yes"},
		RunE:        r.does(listProposals),
	}
	approve := &cobra.Command{
		Use:         "approve NUMBER",
		Short:       "says yes to a proposal, which then runs once, exactly as it was shown",
		Example:     "approve 7",
		Args:        exactly(1, "the proposal's number"),
		Annotations: map[string]string{laneKey: "proposals"},
		RunE:        r.does(approve),
	}
	deny := &cobra.Command{
		Use:         "deny NUMBER [because REASON]",
		Short:       "says no to a proposal; the room that asked hears the reason",
		Example:     "deny 7 because we have one already",
		Args:        some("the proposal's number"),
		Annotations: map[string]string{laneKey: "proposals"},
		RunE:        r.does(deny),
	}
	return []*cobra.Command{proposals, approve, deny}
}

// proposalRow is one proposal for programs.
type proposalRow struct {
	Number int64     `json:"number"`
	By     string    `json:"by"`
	Room   string    `json:"room"`
	Line   string    `json:"line"`
	Grave  bool      `json:"in_words"`
	Until  time.Time `json:"until"`
}

func listProposals(ctx context.Context, r *run, _ []string) (reply.Answer, error) {
	list, err := r.Records.Proposals(ctx)
	if err != nil {
		return reply.Answer{}, err
	}
	rows := []proposalRow{}
	table := reply.Table{Head: []string{"number", "who", "what", "open for"}}
	for _, p := range list {
		left := time.Until(p.Until)
		if left <= 0 {
			continue
		}
		rows = append(rows, proposalRow{p.ID, p.Sender, p.RoomID, p.Line, p.Grave, p.Until})
		table.Rows = append(table.Rows, []any{p.ID, p.Sender, reply.Mono("%s", Visible(p.Line)), fmt.Sprintf("%d min", int(left.Minutes())+1)})
	}
	if len(rows) == 0 {
		return reply.Answer{Doc: reply.Say("Nothing waits for an owner."), Data: rows}, nil
	}
	return reply.Answer{Doc: reply.Doc{table, reply.P(reply.Mono("%sapprove NUMBER", prompt(r.request)), " or ", reply.Mono("%sdeny NUMBER because …", prompt(r.request)), ".")}, Data: rows}, nil
}

func proposalNumber(word string) (int64, error) {
	number, err := strconv.ParseInt(strings.TrimPrefix(word, "#"), 10, 64)
	if err != nil || number < 1 {
		return 0, Sorry("%.40q is no number of a proposal.", word)
	}
	return number, nil
}

func approve(ctx context.Context, r *run, args []string) (reply.Answer, error) {
	number, err := proposalNumber(args[0])
	if err != nil {
		return reply.Answer{}, err
	}
	p, err := r.Proposals.Approve(ctx, number, r.request.Sender)
	if err != nil {
		return reply.Answer{}, r.overProblem(err)
	}
	return reply.Answer{Doc: reply.Say("Approved: ", reply.Mono("%s", Visible(p.Line)), ". The room that asked hears how it ends.")}, nil
}

func deny(ctx context.Context, r *run, args []string) (reply.Answer, error) {
	number, err := proposalNumber(args[0])
	if err != nil {
		return reply.Answer{}, err
	}
	reason := strings.Join(args[1:], " ")
	if word, rest, ok := strings.Cut(reason, " "); ok && strings.EqualFold(word, "because") {
		reason = rest
	}
	p, err := r.Proposals.Deny(ctx, number, r.request.Sender, reason)
	if err != nil {
		return reply.Answer{}, r.overProblem(err)
	}
	return reply.Answer{Doc: reply.Say("Denied: ", reply.Mono("%s", Visible(p.Line)), ". The room that asked has been told.")}, nil
}

// overProblem words that a proposal cannot be decided any more.
func (r *run) overProblem(err error) error {
	var over *ProposalOver
	if !errors.As(err, &over) {
		return err
	}
	if !over.Found {
		return Because(err, "There is no proposal %d. %sproposals lists what is open.", over.ID, prompt(r.request))
	}
	switch over.State {
	case store.Approved:
		return Because(err, "Proposal %d is approved already, by %s; it runs once.", over.ID, over.By)
	case store.Denied:
		return Because(err, "Proposal %d was denied by %s. It has to be asked again.", over.ID, over.By)
	}
	return Because(err, "Proposal %d is over: its hour is past. It has to be asked again.", over.ID)
}
