package command

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/sandbox"
)

// Builder is what the commands for the image act on.
type Builder interface {
	EnsureBase(ctx context.Context, o sandbox.BaseOptions, report func(sandbox.Progress)) (sandbox.Base, error)
	Build(ctx context.Context, o sandbox.BuildOptions, report func(sandbox.Progress)) (sandbox.BuildResult, error)
	// DefaultBuilder tells which of the engine's builders a build takes.
	DefaultBuilder(ctx context.Context) (sandbox.Builder, error)
	// Machine is what the engine's machine has left; probe is an image that may
	// be started to look.
	Machine(ctx context.Context, probe string) (sandbox.Machine, error)
	// WatchMemory sees how much of the machine's memory is taken until end.
	WatchMemory(ctx context.Context) (end func() int64)
	UnknownPackages(ctx context.Context, base string, names []string) ([]sandbox.UnknownPackage, error)
	Smoke(ctx context.Context, image string, probes []sandbox.Probe) ([]sandbox.Answer, error)
	ImageInfo(ctx context.Context, ref string) (sandbox.Image, error)
	History(ctx context.Context, ref string) ([]sandbox.HistoryStep, error)
	Rollback(ctx context.Context, tag string) (sandbox.Image, error)
	// Stale lists the containers that run another image than the tag names.
	Stale(ctx context.Context, tag string) ([]sandbox.Container, error)
}

func (r *run) sandboxFamily() []*cobra.Command {
	return []*cobra.Command{r.rebuildCommand(), r.rollbackCommand(), r.packagesCommand()}
}

func (r *run) rebuildCommand() *cobra.Command {
	var flags rebuildFlags
	var on string
	rebuild := &cobra.Command{
		Use:   "rebuild-sandbox [--no-cache] [--profile NAME] [--recreate] [--anyway] [--on HOST]",
		Short: "builds the sandbox image anew",
		Long: "What is in it is chosen with packages. The image in use changes only when the new one has been built and tested; the one before is kept, and " +
			"rollback-sandbox goes back to it. Click ❌ under the answer to stop it. It is built where the sandboxes live; where they live on several machines you are asked.",
		Aliases: []string{"rebuild"},
		Args:    none,
		RunE: r.does(func(ctx context.Context, r *run, _ []string) (reply.Answer, error) {
			return rebuildOn(ctx, r, on, flags)
		}),
	}
	rebuild.Flags().BoolVar(&flags.noCache, "no-cache", false, "run every step anew, also those whose result is there")
	rebuild.Flags().StringVar(&flags.profile, "profile", "", "build with the groups of this `profile`, and keep to it if that went well")
	rebuild.Flags().BoolVar(&flags.recreate, "recreate", false, "make the containers on the old image anew, busy ones after their last use")
	rebuild.Flags().BoolVar(&flags.anyway, "anyway", false, "build though memory or disk seem too little, or what has broken machines is in it")
	rebuild.Flags().StringVar(&flags.memory, "memory", "", "the most `memory` that heavy packages may take while they are built, such as 2g")
	rebuild.Flags().StringVar(&on, "on", "", "build on this `host` of fraktalia.yaml, on the one where this agent lives, or here")
	return rebuild
}

func (r *run) rollbackCommand() *cobra.Command {
	var recreate bool
	var on string
	rollback := &cobra.Command{
		Use:   "rollback-sandbox [--recreate] [--on HOST]",
		Short: "goes back to the sandbox image before the last build",
		Long:  "Said again, it goes forward again. The packages that were chosen stay as they are.",
		Args:  none,
		RunE: r.does(func(ctx context.Context, r *run, _ []string) (reply.Answer, error) {
			hosts, err := r.places(ctx, on, "Where shall the image go back?")
			if err != nil {
				return reply.Answer{}, err
			}
			answer, err := r.everywhere(hosts, func(r *run) (reply.Answer, error) { return rollbackSandbox(ctx, r) })
			return r.renewed(ctx, answer, err, hosts, recreate)
		}),
	}
	rollback.Flags().StringVar(&on, "on", "", "go back on this `host` of fraktalia.yaml, on the one where this agent lives, or here")
	rollback.Flags().BoolVar(&recreate, "recreate", false, "make the containers on the other image anew, busy ones after their last use")
	return rollback
}
