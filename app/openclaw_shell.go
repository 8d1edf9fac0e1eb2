package app

import (
	"io"
	"os"
	"path/filepath"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/openclaw/shell"
)

// configCommand is the part of `config` that works on the file itself, with no
// bot running, and below it what the running program knows of its own changes.
func (p *program) configCommand() *cobra.Command {
	log := logrus.New()
	log.SetOutput(io.Discard)
	cmd := shell.Command(os.Getenv, newChecker(cacheFolder(), logrus.NewEntry(log)))
	for _, child := range []*cobra.Command{
		{Use: "history", Short: "List the changes that the running program made (the same as !config history)", Args: cobra.NoArgs},
		{Use: "undo NUMBER", Short: "Let the running program take one of its changes back", Args: cobra.ExactArgs(1)},
	} {
		var asJSON bool
		if child.Name() == "history" {
			child.Flags().BoolVar(&asJSON, "json", false, "answer with JSON")
		}
		wants := child.Args
		child.Args = func(child *cobra.Command, args []string) error {
			if err := wants(child, args); err != nil {
				return usage("%v\nusage: %s", err, child.UseLine())
			}
			return nil
		}
		child.RunE = func(child *cobra.Command, args []string) error {
			line := []string{"config"}
			if asJSON {
				line = append(line, "--json")
			}
			return p.relay(child.Context(), append(append(line, "--", child.Name()), args...))
		}
		cmd.AddCommand(child)
	}
	return cmd
}

// cacheFolder is where what can be fetched again is kept for the shell.
func cacheFolder() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "fraktalia")
}
