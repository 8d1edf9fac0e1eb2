package shell

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/openclaw/json5"
)

// edit does one operation and shows the difference that it made.
func (s *shell) edit(cmd *cobra.Command, where string, o json5.Operation) error {
	file, err := s.target()
	if err != nil {
		return err
	}
	if o.Path, err = path(where); err != nil {
		return err
	}
	diff, err := s.change(cmd, file, o)
	if err != nil {
		return refused(err)
	}
	if diff == "" {
		diff = "nothing to change\n"
	}
	_, err = fmt.Fprint(cmd.OutOrStdout(), diff)
	return err
}

// change edits OpenClaw's configuration only if OpenClaw would take it, any other file as it is asked.
func (s *shell) change(cmd *cobra.Command, file string, o json5.Operation) (diff string, err error) {
	if s.ofOpenClaw(file) {
		return s.changeConfig(cmd, file, o)
	}
	do := openclaw.Edit
	if s.dryRun {
		do = func(_ context.Context, path string, list []json5.Operation) (openclaw.Change, error) {
			return openclaw.Preview(path, list)
		}
	}
	made, err := do(cmd.Context(), file, []json5.Operation{o})
	return made.Diff, err
}

func (s *shell) changeConfig(cmd *cobra.Command, file string, o json5.Operation) (diff string, err error) {
	c, err := openclaw.LoadConfig(file)
	if err != nil {
		return "", err
	}
	plan, err := c.Plan(openclaw.Operations(o))
	if err != nil {
		return "", err
	}
	if plan.Diff() == "" {
		return "", nil
	}
	report, err := s.checker.CheckQuickly(cmd.Context(), plan.Before(), plan.After())
	if err != nil {
		return "", err
	}
	if s.dryRun {
		return plan.Diff(), nil
	}
	if _, err := plan.Commit(cmd.Context()); err != nil {
		return "", err
	}
	return plan.Diff(), s.tell(cmd, report)
}

// tell says what a check left open. It goes to the other stream, so that a diff can be piped.
func (s *shell) tell(cmd *cobra.Command, report openclaw.Report) error {
	if report.By == openclaw.ByOwn {
		_, err := fmt.Fprintln(cmd.ErrOrStderr(), "checked only for unknown top-level keys and for bindings to unknown agents; `config validate` checks more where OpenClaw is installed")
		return err
	}
	return nil
}

func (s *shell) diff() *cobra.Command {
	return &cobra.Command{
		Use:   "diff [OTHER-FILE]",
		Short: "Show what our last edit changed, or how the file differs from another one",
		Args:  usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := s.target()
			if err != nil {
				return err
			}
			f, err := openclaw.OpenFile(file)
			if err != nil {
				return refused(err)
			}
			other, err := earlier(f, args)
			if err != nil {
				return refused(err)
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), openclaw.Diff(f.Path(), other, f.Bytes()))
			return err
		},
	}
}

// earlier is the content to compare with: another file's, or the last one before our edits.
func earlier(f *openclaw.File, args []string) ([]byte, error) {
	if len(args) == 1 {
		other, err := openclaw.OpenFile(args[0])
		if err != nil {
			return nil, err
		}
		return other.Bytes(), nil
	}
	backups, err := f.Backups()
	if err != nil {
		return nil, err
	}
	if len(backups) == 0 {
		return f.Bytes(), nil
	}
	return os.ReadFile(backups[0].Path)
}

func (s *shell) validate() *cobra.Command {
	return &cobra.Command{
		Use:   "validate",
		Short: "Check the file: its syntax, and OpenClaw's own file against OpenClaw's schema",
		Args:  usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			file, err := s.target()
			if err != nil {
				return err
			}
			if s.ofOpenClaw(file) {
				return s.validateConfig(cmd, file)
			}
			if _, err := openclaw.OpenFile(file); err != nil {
				return refused(err)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "valid JSON5")
			return err
		},
	}
}

func (s *shell) validateConfig(cmd *cobra.Command, file string) error {
	c, err := openclaw.LoadConfig(file)
	if err != nil {
		return refused(err)
	}
	learned := s.checker.Learn(cmd.Context()) // without it, the check itself falls back to what it has
	report, err := s.checker.Check(cmd.Context(), c)
	if err != nil {
		return refused(err)
	}
	for _, d := range report.Doubts {
		if _, err := fmt.Fprintln(cmd.OutOrStdout(), "doubtful:", d); err != nil {
			return err
		}
	}
	if len(report.Issues) > 0 {
		return refused(&openclaw.InvalidError{Report: report})
	}
	return verdict(cmd, report, learned)
}

// verdict says how far the word "valid" goes.
func verdict(cmd *cobra.Command, report openclaw.Report, learned error) error {
	text := "valid for OpenClaw " + report.Version
	if report.By == openclaw.ByOwn {
		text = "nothing wrong that would stop the gateway as far as can be told without OpenClaw: only top-level keys and bindings were checked"
		if learned != nil {
			text += " (" + learned.Error() + ")"
		}
	}
	_, err := fmt.Fprintln(cmd.OutOrStdout(), text)
	return err
}
