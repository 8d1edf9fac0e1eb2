package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// Policy is what a role may do by itself, and what it may propose to the
// owners: capabilities such as "forwards" or "packages add".
type Policy struct{ May, MayPropose []string }

// readable are the capabilities that may be given to a role without a question.
// They read only, and show nothing that is not meant for everybody in a chat room.
func readable() []string { return []string{"agents", "forwards", "help", "sandbox", "status"} }

// Check says what is wrong with a policy: what is not in the program's two
// lists can be given to nobody but owners, whatever a file says.
func (p Policy) Check(role string) []string {
	var wrong []string
	for _, name := range p.May {
		if !slices.Contains(readable(), name) {
			wrong = append(wrong, fmt.Sprintf("roles.%s.may: %q is none of %s", role, name, strings.Join(readable(), ", ")))
		}
	}
	for _, name := range p.MayPropose {
		if _, ok := limits()[name]; !ok {
			wrong = append(wrong, fmt.Sprintf("roles.%s.may_propose: %q is none of %s", role, name, strings.Join(proposable(), ", ")))
		}
	}
	return wrong
}

// names tells whether a policy has anything to do with a command of this name.
func (p Policy) names(name string) bool {
	return slices.ContainsFunc(slices.Concat(p.May, p.MayPropose), func(capability string) bool {
		first, _, _ := strings.Cut(capability, " ")
		return first == name
	})
}

// verbKey says which word of a command's arguments says what it does, counted from 0.
const verbKey = "verb"

// capability is what a line does, as policies name it: the command, with its
// verb where it has one.
func capability(cmd *cobra.Command, args []string) string {
	name := strings.TrimSpace(strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()))
	switch at := cmd.Annotations[verbKey]; {
	case at == "0" && len(args) > 0:
		return name + " " + args[0]
	case at == "1" && len(args) > 1:
		return name + " " + args[1]
	}
	return name
}

// errWaits ends a line that waits for an owner's word; the run has its answer.
var errWaits = errors.New("waits for an owner")

// permit decides about a line that has been understood: owners may do
// everything; others what their role may, what an owner has approved or allowed
// beforehand, and else nothing. What they may propose becomes a proposal here.
func (r *run) permit(ctx context.Context, cmd *cobra.Command, args []string) error {
	if r.request.Role == Owner {
		return nil
	}
	policy := r.Settings.Policies[r.request.Role]
	name := capability(cmd, args)
	if slices.Contains(policy.May, name) && slices.Contains(readable(), name) && cmd.Annotations[quickKey] != "" && !slowed(cmd) {
		return nil
	}
	limit, known := limits()[name]
	if !known || !slices.Contains(policy.MayPropose, name) {
		return r.forbidden(name)
	}
	if err := limit.holds(ctx, r, cmd, args); err != nil {
		return err
	}
	if r.request.Proposal != 0 {
		return nil
	}
	allowed, err := r.standing(ctx, name, args)
	if err != nil || allowed {
		return err
	}
	return r.propose(ctx, name, limit, cmd, args)
}

// forbidden says plainly what somebody with a role may not do, so that an agent
// does not try it again in other words.
func (r *run) forbidden(name string) error {
	return Sorry("Only the owners may do %s%s. %shelp lists what you may ask for.", prompt(r.request), name, prompt(r.request))
}

const (
	// linesAMinute bounds what one account that is no owner may ask.
	linesAMinute = 30
	// longestLine bounds what such a line may say, in bytes.
	longestLine = 2000
	// proposalsAnHour bounds what one account may put before the owners, where
	// the configuration says nothing else.
	proposalsAnHour = 6
)

// Hear counts a line of somebody who is no owner, whatever it says, before
// anything of it is kept: what is written down stays for ever. Lines that come
// too fast are refused with a *Problem the first time, and with a *Refused, in
// silence, after that.
func (c *Commands) Hear(sender, line string) error {
	most := max(linesAMinute, c.services.Settings.ProposalsAnHour) // what may be asked in an hour may be said
	taken, first := c.shared.rates.take(sender, "line", most, time.Minute)
	switch {
	case taken && len(line) > longestLine:
		return Sorry("That line is too long: %d characters are the most I take from you.", longestLine)
	case taken:
		return nil
	case first:
		return Sorry("That is too fast: %d lines a minute are the most I take from you.", most)
	}
	return &Refused{Sender: sender}
}
