package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/githabideri/fraktalia/crashpoint"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

// Proposals is what the commands about proposals act on: the place where owners
// are asked.
type Proposals interface {
	// Show puts a proposal before the owners.
	Show(ctx context.Context, p store.Proposal, preview reply.Doc) error
	// Approve lets an open proposal run, once. Errors: *ProposalOver.
	Approve(ctx context.Context, id int64, by string) (store.Proposal, error)
	// Deny ends an open proposal, and tells the room that asked. Errors: *ProposalOver.
	Deny(ctx context.Context, id int64, by, reason string) (store.Proposal, error)
}

// ProposalOver says that a proposal is not open any more, or never was.
type ProposalOver struct {
	ID    int64
	Found bool
	State store.ProposalState
	By    string
}

func (e *ProposalOver) Error() string { return fmt.Sprintf("proposal %d is not open", e.ID) }

// mostShown is how long a line may be as owners read it, in characters: what is
// approved has to stand in one message, whole.
const mostShown = 1900

// proposalLifetime is how long the owners may take.
const proposalLifetime = time.Hour

// propose puts a line before the owners instead of running it.
func (r *run) propose(ctx context.Context, name string, limit limit, cmd *cobra.Command, args []string) error {
	if r.request.CommandID == 0 || r.request.Room == "" {
		return r.forbidden(name)
	}
	if err := r.mayProposeNow(ctx); err != nil {
		return err
	}
	line, err := r.exactLine(cmd)
	if err != nil {
		return err
	}
	if utf8.RuneCountInString(Visible(line)) > mostShown {
		return Sorry("That is too long to be shown to an owner, so nobody could approve it: %d characters are the most, and hidden ones count as several.", mostShown)
	}
	now := time.Now()
	p := store.Proposal{CommandID: r.request.CommandID, Sender: r.request.Sender, RoomID: r.request.Room, AskedIn: r.request.Ref,
		Line: "!" + line, Grave: limit.grave, MadeAt: now, Until: now.Add(proposalLifetime)}
	if p.ID, err = r.Records.AddProposal(ctx, p); err != nil {
		return err
	}
	crashpoint.At("proposal.added")
	if err := r.Proposals.Show(ctx, p, reply.Say(limit.preview(r, cmd, args)...)); err != nil {
		return fmt.Errorf("show proposal %d: %w", p.ID, err)
	}
	crashpoint.At("proposal.shown")
	r.answer = reply.Answer{Waits: true, Doc: reply.Sayf("This is proposal %d. The owners have until %s to say yes; the answer comes here. Do not ask again meanwhile.",
		p.ID, p.Until.Format("15:04"))}
	return errWaits
}

// mayProposeNow refuses a flood: with one line, and silently after that.
func (r *run) mayProposeNow(ctx context.Context) error {
	most := r.Settings.ProposalsAnHour
	if most == 0 {
		most = proposalsAnHour
	}
	made, err := r.Records.ProposalsSince(ctx, r.request.Sender, time.Now().Add(-time.Hour))
	if err != nil || made < most {
		return err
	}
	if r.shared.rates.tell(r.request.Sender, "proposal", time.Hour) {
		return Sorry("You have proposed %d things within an hour, and that is the most. Wait; I do not answer further ones until then.", most)
	}
	return &Refused{Sender: r.request.Sender}
}

// exactLine is the line that runs when it is approved: the one that was typed,
// with the agent's own name where it stands for itself.
func (r *run) exactLine(cmd *cobra.Command) (string, error) {
	line := r.request.Line
	flag := cmd.Flags().Lookup("agent")
	if flag == nil || flag.Value.String() == "" || strings.Contains(line, "--agent") {
		return line, nil
	}
	line = fmt.Sprintf("%s --agent %q", strings.TrimSpace(line), flag.Value.String())
	words, err := Split(line)
	if err == nil && len(words) == len(r.request.Args)+2 && words[len(words)-2] == "--agent" {
		return line, nil
	}
	return "", Sorry("Write that in one line without quotation marks left open, and say --agent %s yourself.", flag.Value)
}

func changedFlags(cmd *cobra.Command) (names []string) {
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		if flag.Name != "help" && flag.Name != "json" {
			names = append(names, flag.Name)
		}
	})
	return names
}

// orWaits turns a line that waits for an owner into its answer.
func (r *run) orWaits(err error) (reply.Answer, error) {
	if errors.Is(err, errWaits) {
		return r.answer, nil
	}
	return reply.Answer{}, err
}
