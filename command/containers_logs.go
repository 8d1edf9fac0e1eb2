package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/reply"
)

const (
	// mostLogLines is how many lines may be asked for.
	mostLogLines = 10000
	// shownOutput is how much of an output stands in an answer, in bytes; all of
	// it comes as a file.
	shownOutput = 4 << 10
)

func (r *run) logsCommand() *cobra.Command {
	lines := 50
	cmd := &cobra.Command{
		Use:         "logs [AGENT] [--lines N]",
		Short:       "what a sandbox's own program has written",
		Long:        "The commands that an agent runs there answer the agent and are not in it.",
		Example:     "sandbox logs mox --lines 200",
		Args:        atMost(1),
		Annotations: map[string]string{quickKey: "yes"},
		RunE: r.does(func(ctx context.Context, r *run, args []string) (reply.Answer, error) {
			if lines < 1 || lines > mostLogLines {
				return reply.Answer{}, Sorry("--lines takes a number between 1 and %d.", mostLogLines)
			}
			return showLogs(ctx, r, first(args), lines)
		}),
	}
	cmd.Flags().IntVar(&lines, "lines", lines, "the `number` of lines, the last ones")
	return cmd
}

// atMost wants up to n words.
func atMost(n int) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > n {
			return Sorry("%q is one word too many", args[n])
		}
		return nil
	}
}

// first is the first word, "" where there is none.
func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

func showLogs(ctx context.Context, r *run, whose string, lines int) (reply.Answer, error) {
	c, err := r.pick(ctx, whose)
	if err != nil {
		return reply.Answer{}, err
	}
	text, err := r.Containers.Logs(ctx, c, lines)
	if err != nil {
		if problem := (*Problem)(nil); errors.As(r.containerProblem(err), &problem) {
			return reply.Answer{}, problem
		}
		return reply.Answer{}, Because(err, "The engine gives no log of %s; the log of this program says why.", c.Name)
	}
	if len(text) == 0 {
		return reply.Answer{Doc: reply.Say("The sandbox of ", reply.Bold("%s", owner(c)), " has written nothing. What an agent runs in it answers the agent.")}, nil
	}
	doc := reply.Doc{reply.P("The last lines of the sandbox of ", reply.Bold("%s", owner(c)), ":")}
	return reply.Answer{Doc: append(doc, r.showOutput(ctx, "log-"+owner(c), text, int64(len(text)))...), Private: true}, nil
}

// lineFeeds ends lines as rooms do: programs overwrite a line of progress.
var lineFeeds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// showOutput shows the end of a program's output, and hands over all that was
// kept of it where that is more than an answer holds. Text that is none is
// handed over and not shown.
func (r *run) showOutput(ctx context.Context, name string, kept []byte, written int64) reply.Doc {
	if len(kept) == 0 {
		return nil
	}
	text := utf8.Valid(kept) && !strings.ContainsRune(string(kept), 0)
	if text && written <= shownOutput {
		return reply.Doc{reply.Code{Text: lineFeeds.Replace(string(kept))}}
	}
	file := reply.File{Name: name + time.Now().Format("-2006-01-02-150405") + ".txt", Type: "text/plain", Size: int64(len(kept)), Body: strings.NewReader(string(kept))}
	doc := reply.Doc{}
	if text {
		doc = append(doc, reply.Code{Text: "…\n" + lastOf(lineFeeds.Replace(string(kept)), shownOutput)})
	} else {
		file.Name, file.Type = strings.TrimSuffix(file.Name, ".txt")+".bin", "application/octet-stream"
	}
	said := fmt.Sprintf("All of it, %s, is in the file.", size(written))
	if written > int64(len(kept)) {
		said = fmt.Sprintf("The last %s of %s are in the file.", size(int64(len(kept))), size(written))
	}
	if !text {
		said = "It is no text. " + said
	}
	if r.talk.Attach(ctx, file) != nil {
		said = "The rest could not be handed over as a file."
	}
	return append(doc, reply.P(said))
}

// lastOf is the end of a text, whole lines where it has any.
func lastOf(text string, most int) string {
	if len(text) <= most {
		return text
	}
	text = text[len(text)-most:]
	if at := strings.IndexByte(text, '\n'); at >= 0 && at < len(text)-1 {
		return text[at+1:]
	}
	return strings.ToValidUTF8(text, "")
}
