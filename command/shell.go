package command

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Relayed returns the commands as they stand in the machine's own shell: the
// same words, flags and mistakes, but what is typed is handed to relay, which
// brings it to the program that runs.
func Relayed(relay func(ctx context.Context, args []string) error) []*cobra.Command {
	root := (&run{request: Request{Shell: true}}).tree()
	var list []*cobra.Command
	for _, cmd := range root.Commands() {
		if cmd.Name() == "help" || cmd.Hidden {
			continue
		}
		root.RemoveCommand(cmd)
		relayFrom(cmd, relay)
		cmd.SetHelpFunc(nil)
		cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError(Request{Shell: true}, cmd, err) })
		list = append(list, cmd)
	}
	return list
}

// hereKey marks flags that are no business of the running program's.
const hereKey = "here"

// StaysHere says of a flag that was added to a relayed command that it is not
// handed on.
func StaysHere(flag *pflag.Flag) { flag.Annotations = map[string][]string{hereKey: {"yes"}} }

func relayFrom(cmd *cobra.Command, relay func(context.Context, []string) error) {
	for _, child := range cmd.Commands() {
		relayFrom(child, relay)
	}
	if cmd.Annotations[jsonKey] != "" {
		cmd.Flags().Bool("json", false, "answer with JSON")
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		line := strings.Fields(within(cmd) + cmd.Name())
		cmd.Flags().Visit(func(flag *pflag.Flag) {
			if cmd.InheritedFlags().Lookup(flag.Name) != nil || flag.Annotations[hereKey] != nil {
				return
			}
			values := []string{flag.Value.String()}
			if several, ok := flag.Value.(pflag.SliceValue); ok {
				values = several.GetSlice()
			}
			for _, value := range values {
				line = append(line, "--"+flag.Name+"="+value)
			}
		})
		line = append(line, "--")
		if cmd.Annotations[rawKey] != "" && cmd.ArgsLenAtDash() == 0 {
			line = append(line, "--")
		}
		return relay(cmd.Context(), append(line, args...))
	}
}
