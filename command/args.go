package command

import (
	"github.com/spf13/cobra"
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
