package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/openclaw/json5"
	"github.com/githabideri/fraktalia/reply"
)

// agentUsage is how the verbs of !agent are written.
const agentUsage = "agent NAME [set PATH VALUE | unset PATH | add PATH VALUE | remove PATH VALUE]"

func (r *run) agentCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   agentUsage,
		Short: "shows or changes an agent's entry in openclaw.json",
		Long: "Only what you name is changed: comments, order and everything else stay as they are. The value is the rest of the line: 8g, true, 0.5, text, or JSON. " +
			"add and remove are for lists. A change is checked against OpenClaw's schema before it is written, and the gateway is asked after.",
		Example:     "agent mox set sandbox.docker.memory 8g",
		Args:        some("an agent's name, for example mox"),
		Annotations: map[string]string{laneKey: agentsLane, jsonKey: "yes", recordKey: "3", verbKey: "1"},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 && args[1] == "--json" { // words behind the name are no flags: a value may look like one
				if err := cmd.Root().PersistentFlags().Set("json", "true"); err != nil {
					return err
				}
				args = args[:1]
			}
			if len(args) == 2 && wantsHelp(args[1:]) {
				r.answer = reply.Answer{Doc: r.describe(cmd)}
				return nil
			}
			var err error
			if r.answer, err = agent(cmd.Context(), r, args); err != nil {
				return asUsage(r.request, cmd, err)
			}
			return nil
		},
	}
	cmd.Flags().SetInterspersed(false)
	return cmd
}

// asUsage adds to a mistake in typing how the command is written.
func asUsage(request Request, cmd *cobra.Command, err error) error {
	if problem := (*Problem)(nil); errors.As(err, &problem) && problem.Usage {
		return usageError(request, cmd, problem)
	}
	return err
}

func agent(ctx context.Context, r *run, args []string) (reply.Answer, error) {
	if len(args) == 1 {
		return showAgent(ctx, r, args[0])
	}
	edit, err := r.readEntryEdit(args)
	if err != nil {
		return reply.Answer{}, err
	}
	return r.change(ctx, change{what: edit.what(), edit: edit.function()})
}

// entryEdit is a line that changes one value of an entry.
type entryEdit struct {
	agent, verb string
	path        json5.Path
	typed       string
	value       json5.Value
}

// readEntryEdit reads the words behind !agent. The value is what was typed, not
// the words that the line was split into: those have lost their quotes.
func (r *run) readEntryEdit(args []string) (entryEdit, error) {
	e := entryEdit{agent: args[0], verb: args[1]}
	takesValue, ok := map[string]bool{"set": true, "unset": false, "add": true, "remove": true}[e.verb]
	switch {
	case !ok:
		return e, &Problem{Sentence: fmt.Sprintf("%.40q is nothing that can be done with an agent; say set, unset, add or remove.", e.verb), Usage: true}
	case len(args) < 3:
		return e, &Problem{Sentence: fmt.Sprintf("Say what to %s, for example sandbox.docker.memory.", e.verb), Usage: true}
	case takesValue && len(args) < 4:
		return e, &Problem{Sentence: fmt.Sprintf("Say the value, too: the rest of the line behind %s.", args[2]), Usage: true}
	case !takesValue && len(args) > 3:
		return e, &Problem{Sentence: fmt.Sprintf("%q is one word too many.", args[3]), Usage: true}
	}
	path, typed := r.typedBehind(args, 2)
	var err error
	if e.path, err = json5.ParsePath(path); err != nil {
		if e.path, err = json5.ParsePath(args[2]); err != nil {
			return e, r.configProblem(err)
		}
	}
	if !takesValue {
		return e, nil
	}
	e.typed = straightened(typed)
	e.value, err = r.Agents.Value(e.schemaPath(), e.typed)
	return e, r.configProblem(err)
}

// typedBehind gives the first word behind the n first of args, and all that
// follows it, as they were typed. The shell has split its line already.
func (r *run) typedBehind(args []string, n int) (word, rest string) {
	if r.request.Line == "" {
		return args[n], strings.Join(args[n+1:], " ")
	}
	return wordAt(r.request.Line, len(r.request.Args)-len(args)+n)
}

// straightened reads quotes as they were meant: those that phones bend, where
// the text is JSON5 only with straight ones; and the ones around a whole object
// that a person is used to from shells.
func straightened(typed string) string {
	parses := func(text string) bool { _, err := json5.Parse([]byte(text)); return err == nil }
	if plain := typographic.Replace(typed); !parses(typed) && parses(plain) {
		typed = plain
	}
	if inner := strings.TrimPrefix(strings.TrimSuffix(typed, "'"), "'"); len(inner) == len(typed)-2 &&
		strings.ContainsAny(inner[:min(1, len(inner))], "{[") && parses(inner) {
		return inner
	}
	return typed
}

// schemaPath is where OpenClaw's schema speaks of the value.
func (e entryEdit) schemaPath() json5.Path {
	path := json5.Path{json5.Key("agents"), json5.Key("entries"), json5.Key(e.agent)}.Then(e.path...)
	if e.verb == "add" || e.verb == "remove" {
		return path.Then(json5.Index(0))
	}
	return path
}

func (e entryEdit) function() openclaw.EditFunc {
	switch e.verb {
	case "set":
		return openclaw.SetInAgent(e.agent, e.path, e.value)
	case "unset":
		return openclaw.UnsetInAgent(e.agent, e.path)
	case "add":
		return openclaw.AddInAgent(e.agent, e.path, e.value)
	}
	return openclaw.RemoveInAgent(e.agent, e.path, e.value)
}

// what tells the edit for the record, without values that are secret or long.
func (e entryEdit) what() string {
	words := []string{"agent", e.agent, e.verb, e.path.String()}
	if e.typed == "" {
		return strings.Join(words, " ")
	}
	shown := shorten(e.typed, 60)
	if openclaw.SecretPath(e.path) || e.value.Kind == json5.Object || e.value.Kind == json5.Array {
		shown = "…"
	}
	return strings.Join(append(words, shown), " ")
}
