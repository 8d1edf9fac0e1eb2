// Package shell is the shell's side of the configuration: `config get`, `set`, `unset`, `diff` and `validate` on OpenClaw's
// file or any other JSON5 file. It needs no bot and no gateway. It writes to the streams of the cobra command it is
// given, returns errors with an exit status, and prints no error itself: the program that mounts it does.
package shell

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/openclaw/json5"
)

// The exit statuses.
const (
	Refused = 1 // the file is untouched
	Usage   = 2
)

// ExitError is an error with the exit status that it asks for.
type ExitError struct {
	Status int
	Err    error
}

func (e *ExitError) Error() string { return e.Err.Error() }

func (e *ExitError) Unwrap() error { return e.Err }

// ExitStatus is the status with which a program should end after Command: 0 for changed or same, 1 for refused, 2 for
// wrong usage.
func ExitStatus(err error) int {
	var exit *ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.Status
	}
	return Refused
}

// Command builds the tree under `config`. Getenv tells where OpenClaw keeps its file when --file is not given; checker
// judges OpenClaw's files by more than their syntax.
func Command(getenv func(string) string, checker *openclaw.Checker) *cobra.Command {
	s := &shell{getenv: getenv, checker: checker}
	root := &cobra.Command{
		Use:   "config",
		Short: "Read and edit OpenClaw's configuration, or any JSON5 file, without touching another byte",
		Args:  usage(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().StringVarP(&s.file, "file", "f", "", "the file (default: OpenClaw's own)")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &ExitError{Usage, err} })
	root.AddCommand(s.get(), s.set(), s.unset(), s.diff(), s.validate())
	for _, c := range append(root.Commands(), root) {
		c.SilenceUsage, c.SilenceErrors = true, true
	}
	return root
}

type shell struct {
	getenv  func(string) string
	checker *openclaw.Checker
	file    string
	json    bool
	dryRun  bool
}

// usage gives a wrong number of arguments its exit status.
func usage(args cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, given []string) error {
		if err := args(cmd, given); err != nil {
			return &ExitError{Usage, fmt.Errorf("that is not how %s is written\nusage: %s", cmd.CommandPath(), cmd.UseLine())}
		}
		return nil
	}
}

// target is the file that a command is about.
func (s *shell) target() (string, error) {
	if s.file != "" {
		return s.file, nil
	}
	path, err := openclaw.DefaultPath(s.getenv)
	if err != nil {
		return "", &ExitError{Usage, fmt.Errorf("say which file is meant by --file: %w", err)}
	}
	return path, nil
}

func path(text string) (json5.Path, error) {
	p, err := json5.ParsePath(text)
	if err != nil {
		return nil, &ExitError{Usage, err}
	}
	return p, nil
}

func refused(err error) error {
	if err == nil {
		return nil
	}
	return &ExitError{Refused, err}
}

func (s *shell) get() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "get [PATH]",
		Short: "Print a value, or the whole document",
		Example: "  config get agents.entries.mox.model\n" +
			"  config get 'agents.list[id=mox].sandbox' --json",
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: s.runGet,
	}
	cmd.Flags().BoolVar(&s.json, "json", false, "print plain JSON (NaN and Infinity as null)")
	return cmd
}

func (s *shell) runGet(cmd *cobra.Command, args []string) error {
	file, err := s.target()
	if err != nil {
		return err
	}
	var where json5.Path
	if len(args) == 1 {
		if where, err = path(args[0]); err != nil {
			return err
		}
	}
	n, err := s.find(file, where)
	if err != nil {
		return refused(err)
	}
	return refused(s.print(cmd, n, len(where) == 0))
}

// find reads a value; of OpenClaw's configuration also where an included file holds it.
func (s *shell) find(file string, where json5.Path) (json5.Node, error) {
	if s.ofOpenClaw(file) {
		c, err := openclaw.LoadConfig(file)
		if err != nil {
			return json5.Node{}, err
		}
		return c.Get(where)
	}
	f, err := openclaw.OpenFile(file)
	if err != nil {
		return json5.Node{}, err
	}
	return f.Get(where)
}

// ofOpenClaw says whether a file is OpenClaw's: because none was named, or by its name.
func (s *shell) ofOpenClaw(file string) bool {
	return s.file == "" || filepath.Base(file) == "openclaw.json"
}

// print writes a string without its quotes, everything else as it is written in the file, comments within included.
func (s *shell) print(cmd *cobra.Command, n json5.Node, whole bool) error {
	out := cmd.OutOrStdout()
	text, isText := n.Text()
	var err error
	switch {
	case s.json:
		_, err = fmt.Fprintf(out, "%s\n", n.Value().JSON("  "))
	case whole:
		_, err = out.Write(n.Document().Bytes())
	case isText:
		_, err = fmt.Fprintln(out, text)
	default:
		_, err = fmt.Fprintf(out, "%s\n", n.Raw())
	}
	return err
}

func (s *shell) set() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "set PATH VALUE",
		Short: "Set a value; what parses as JSON5 is that value, anything else a string",
		Example: "  config set agents.entries.mox.sandbox.docker.memory 8g\n" +
			"  config set 'bindings[agentId=mox].match.accountId' home\n" +
			"  config set agents.entries.mox.skills '[\"web\", \"git\"]'",
		DisableFlagParsing: true, // or a negative number would be taken for a flag
		RunE: func(cmd *cobra.Command, args []string) error {
			args, help, err := flagsAround(cmd, args)
			if err != nil || help {
				return err
			}
			if err := usage(cobra.ExactArgs(2))(cmd, args); err != nil {
				return err
			}
			return s.edit(cmd, args[0], json5.Operation{Verb: json5.Set, Value: json5.ParseValue(args[1])})
		},
	}
	s.dryRunFlag(cmd)
	return cmd
}

func (s *shell) dryRunFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&s.dryRun, "dry-run", false, "show what would change, and change nothing")
}

// negative matches arguments that begin like a flag but are numbers.
const negative = `^-(\.?[0-9]|Infinity$|NaN$)`

// flagsAround parses the flags of a command of which an argument may be a negative number.
func flagsAround(cmd *cobra.Command, args []string) (rest []string, help bool, err error) {
	number := regexp.MustCompile(negative)
	var flags, numbers []string
	for i, a := range args {
		if a == "--" {
			numbers = append(numbers, args[i+1:]...)
			break
		}
		if number.MatchString(a) {
			numbers = append(numbers, a)
		} else {
			flags = append(flags, a)
		}
	}
	cmd.DisableFlagParsing = false
	defer func() { cmd.DisableFlagParsing = true }()
	if err := cmd.ParseFlags(flags); err != nil {
		return nil, false, &ExitError{Usage, err}
	}
	if help, _ := cmd.Flags().GetBool("help"); help {
		return nil, true, cmd.Help()
	}
	return append(cmd.Flags().Args(), numbers...), false, nil
}

func (s *shell) unset() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "unset PATH",
		Short:   "Remove a value, with the comments that belong to it",
		Example: "  config unset agents.entries.mox.sandbox.docker.memory",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.edit(cmd, args[0], json5.Operation{Verb: json5.Unset})
		},
	}
	s.dryRunFlag(cmd)
	return cmd
}
