package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/reply"
)

// imageKind is the value of the label on images that are pruned.
const imageKind = "sandbox"

func (r *run) pruneCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "prune [--yes]",
		Short: "removes old sandbox images",
		Long: "Only images that this program has made, that no tag names and no container was made from: the one in use and the one before stay. " +
			"Shows first what would go, and how large it is.",
		Args:        none,
		Annotations: map[string]string{laneKey: "images"},
		RunE: r.does(func(ctx context.Context, r *run, _ []string) (reply.Answer, error) {
			return prune(ctx, r, yes)
		}),
	}
	skipsQuestion(cmd, &yes)
	return cmd
}

func prune(ctx context.Context, r *run, yes bool) (reply.Answer, error) {
	// What a build has made so far has no name yet, and looks like an old image.
	if !r.shared.building.TryLock() {
		return reply.Answer{}, Sorry("The sandbox image is being built; wait for it, or stop it with the ❌ under it.")
	}
	defer r.shared.building.Unlock()
	old, err := r.Containers.OldImages(ctx, imageKind)
	if err != nil {
		return reply.Answer{}, r.containerProblem(err)
	}
	if len(old) == 0 {
		return reply.Answer{Doc: reply.Say("There is no old image to remove.")}, nil
	}
	table := reply.Table{Head: []string{"image", "age", "size"}}
	var most int64
	for _, image := range old {
		most += image.Size
		table.Rows = append(table.Rows, []any{reply.Line{reply.Mono("%.12s", strings.TrimPrefix(image.ID, "sha256:")), onHost(image.Host)},
			strings.ToLower(units.HumanDuration(time.Since(image.Created))), size(image.Size)})
	}
	what := fmt.Sprintf("%d old %s", len(old), plural(len(old), "image", "images"))
	question := reply.Doc{table, reply.P("Remove " + what + "? What they share with images in use stays, so that up to " + size(most) + " come free.")}
	agreed, err := r.confirm(ctx, yes, question)
	if err != nil {
		return reply.Answer{}, err
	}
	if !agreed {
		return reply.Answer{Doc: reply.Say("Nothing is removed.")}, nil
	}
	if err := r.Containers.RemoveImages(ctx, old); err != nil {
		if problem := (*Problem)(nil); errors.As(r.containerProblem(err), &problem) {
			return reply.Answer{}, problem
		}
		return reply.Answer{}, Because(err, "Some of the images stay: the engine did not remove them, as when a container came to use them. %ssandbox prune lists what is left.", prompt(r.request))
	}
	return reply.Answer{Doc: reply.Say("Removed " + what + ".")}, nil
}
