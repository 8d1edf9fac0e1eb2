package command

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/reply"
)

// exactly wants n words; what names them in the answer to a wrong number.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < n:
			return Sorry("Say %s", what)
		case len(args) > n:
			return Sorry("%q is one word too many", args[n])
		}
		return nil
	}
}

// none wants no words.
func none(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return Sorry("%q is one word too many", args[0])
	}
	return nil
}

// some wants at least one word.
func some(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return Sorry("Say %s", what)
		}
		return nil
	}
}

// skipsQuestion gives a command that asks first its --yes.
func skipsQuestion(cmd *cobra.Command, yes *bool) {
	cmd.Flags().BoolVar(yes, "yes", false, "do not ask first")
}

// confirm asks, unless the line said --yes.
func (r *run) confirm(ctx context.Context, yes bool, question reply.Doc) (bool, error) {
	if yes {
		return true, nil
	}
	return r.talk.Ask(ctx, question)
}
